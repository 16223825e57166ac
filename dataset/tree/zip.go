package tree

import (
	"archive/zip"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
)

// Limits bound what an archive may ask for.
type Limits struct {
	// Unpacked is the number of bytes that any archive may unpack to; 0: 64 MiB. A larger archive
	// may unpack to maxRatio times its own size.
	Unpacked uint64
}

// maxRatio bounds the size that an archive claims for its files, as a multiple of the archive's own
// size. Pictures are compressed already, so the ratio of real archives is near 1.
const maxRatio = 64

const defaultUnpacked = 1 << 26

// ErrBomb means that an archive claims to unpack to far more than it can hold.
var ErrBomb = errors.New("its files claim far more than the archive can hold: is it a bomb?")

// tooLarge reports whether an archive of size bytes may not unpack to so many.
func (l Limits) tooLarge(unpacked, size uint64) bool {
	limit := l.Unpacked
	if limit == 0 {
		limit = defaultUnpacked
	}
	return unpacked > limit && unpacked/maxRatio >= max(size, 1)
}

// A zipped opens the files of a zip.
type zipped struct{ files []*zip.File }

func (z *zipped) open(f *File) (io.ReadCloser, error) { return z.files[f.at].Open() }

// The methods that are read beside those of package zip.
const (
	methodBzip2 = 12
	methodZstd  = 93
)

// methods are the names of methods that cannot be read.
var methods = map[uint16]string{
	1: "Shrink", 6: "Implode", 9: "Deflate64", 14: "LZMA", 95: "xz", 98: "PPMd", 99: "AES",
}

// Zip lists the files of a zip of size bytes.
func Zip(r io.ReaderAt, size int64, lim Limits) (*Tree, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("the zip is cut off or damaged (%s): copy or make it again",
			strings.TrimPrefix(err.Error(), "zip: "))
	}
	archive.RegisterDecompressor(methodBzip2, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	archive.RegisterDecompressor(methodZstd, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(smallWindow), zstd.WithDecoderMaxMemory(largeWindow)))
	t, z := &Tree{Kind: "zip"}, &zipped{archive.File}
	total, strange, first := uint64(0), 0, ""
	var links []linkTo
	for i, entry := range archive.File {
		name, ok := zipName(entry)
		f := zipFile(name, entry)
		if strings.HasSuffix(entry.Name, "/") || strings.HasSuffix(entry.Name, `\`) || inSystem(f.Name) {
			continue
		}
		if !ok {
			if strange++; strange == 1 {
				first = name
			}
		}
		// No overflow: a file adds less than 2⁵⁶, and the directory is in memory.
		if total += uint64(f.Size); lim.tooLarge(total, uint64(size)) {
			return nil, ErrBomb
		}
		f.from, f.at = z, i
		t.Files = append(t.Files, f)
		if to := zipLink(f.Name, entry); to != "" {
			links = append(links, linkTo{f, to})
		}
	}
	if note := encodingNote(strange, first, charmap.CodePage437); note != "" {
		t.Notes = append(t.Notes, note)
	}
	t.sort()
	t.dropDoubles()
	t.follow(links)
	return t, nil
}

// zipLink returns where a symbolic link leads, "" for another entry.
func zipLink(name string, entry *zip.File) string {
	const longest = 4096 // of a path
	if entry.Mode()&fs.ModeSymlink == 0 || entry.UncompressedSize64 > longest {
		return ""
	}
	r, err := entry.Open()
	if err != nil {
		return ""
	}
	defer func() { _ = r.Close() }()
	target, err := io.ReadAll(io.LimitReader(r, longest))
	if err != nil || len(target) == 0 {
		return ""
	}
	return symlinkTo(name, string(target))
}

// zipName returns the name of an entry in UTF-8. ok is false where the encoding is a guess.
func zipName(entry *zip.File) (name string, ok bool) {
	if utf8.ValidString(entry.Name) {
		return entry.Name, true
	}
	if name := unicodePath(entry.Extra, entry.Name); name != "" {
		return name, true
	}
	return decoded(entry.Name, charmap.CodePage437)
}

// unicodePath returns the name that Info-ZIP's extra field 0x7075 has for an entry whose name is in
// another encoding; "" without one (APPNOTE.TXT 6.3.10, section 4.6.9).
func unicodePath(extra []byte, raw string) string {
	for len(extra) >= 4 {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; size > len(extra) {
			return ""
		}
		field := extra[:size]
		if id == 0x7075 && size > 5 && field[0] == 1 &&
			binary.LittleEndian.Uint32(field[1:]) == crc32.ChecksumIEEE([]byte(raw)) && utf8.Valid(field[5:]) {
			return string(field[5:])
		}
		extra = extra[size:]
	}
	return ""
}

func zipFile(name string, entry *zip.File) *File {
	f := &File{Size: int64(min(entry.UncompressedSize64, 1<<56))}
	var ok bool
	f.Name, ok = clean(name)
	switch method := entry.Method; {
	case !ok:
		f.Name, f.Err = name, ErrTrick
	case !entry.Mode().IsRegular():
		f.Err = ErrNoFile
	case entry.Flags&1 != 0, method == 99:
		f.Err = fmt.Errorf("%w: unpack the archive with its password, and name the folder", ErrEncrypted)
	case method != zip.Store && method != zip.Deflate && method != methodBzip2 && method != methodZstd:
		how := methods[method]
		if how == "" {
			how = fmt.Sprintf("method %d", method)
		}
		f.Err = fmt.Errorf("%w: %s: unpack the archive (with 7-Zip, say), and name the folder", ErrMethod, how)
	}
	return f
}
