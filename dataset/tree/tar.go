package tree

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
)

// A section opens the files of a tar that is not compressed, by their places in it.
type section struct {
	r  io.ReaderAt
	at []int64 // where the contents of files begin
}

func (s *section) open(f *File) (io.ReadCloser, error) {
	return sectionFile{io.NewSectionReader(s.r, s.at[f.at], f.Size)}, nil
}

// A sectionFile is a part of a file that needs no closing.
type sectionFile struct{ *io.SectionReader }

// Close does nothing.
func (sectionFile) Close() error { return nil }

// A streamed opens the files of a compressed tar, each by reading the archive up to it.
type streamed func() (io.ReadCloser, error)

func (s streamed) open(f *File) (io.ReadCloser, error) {
	r, err := s()
	if err != nil {
		return nil, err
	}
	archive := tar.NewReader(r)
	for k := 0; ; k++ {
		_, err := archive.Next()
		if err == nil && k < f.at {
			continue
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			_ = r.Close()
			return nil, tarError(err)
		}
		if k == f.at {
			return streamedFile{archive, r}, nil
		}
	}
}

// A streamedFile closes the archive that it reads from.
type streamedFile struct {
	io.Reader
	archive io.Closer
}

// Close closes the archive.
func (s streamedFile) Close() error { return s.archive.Close() }

// Tar lists the files of a tar of size bytes that is not compressed.
func Tar(r io.ReaderAt, size int64) (*Tree, error) {
	t, s := &Tree{Kind: "tar"}, &section{r: r}
	counter := &counted{r: io.NewSectionReader(r, 0, size)}
	again := streamed(func() (io.ReadCloser, error) { return sectionFile{io.NewSectionReader(r, 0, size)}, nil })
	err := t.listTar(counter, func(f *File, h *tar.Header, k int) error {
		if isSparse(h) {
			f.from, f.at = again, k
			return nil
		}
		f.from, f.at = s, len(s.at)
		s.at = append(s.at, counter.at)
		return nil
	}, &counter.zero)
	return t, err
}

// CompressedTar lists the files of a compressed tar. open opens it from the beginning, as often as
// that is needed; size is that of the archive in bytes.
func CompressedTar(open func() (io.ReadCloser, error), size int64, lim Limits) (*Tree, error) {
	stream := streamed(func() (io.ReadCloser, error) { return decompressed(open, size) })
	t := &Tree{Kind: "tar"}
	t.walk = func(do func(i int, content io.Reader) error) error { return stream.walk(t.Files, do) }
	r, err := stream()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	total := uint64(0)
	content := &blocks{r: r}
	err = t.listTar(content, func(f *File, _ *tar.Header, k int) error {
		f.from, f.at = stream, k
		if total += uint64(f.Size); lim.tooLarge(total, uint64(size)) {
			return ErrBomb
		}
		return nil
	}, &content.zero)
	return t, err
}

// isSparse reports whether holes are left out of the content of a file.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// listTar adds the files of a tar. place is told each file, its header and the number of its entry.
// zero says whether the last block was empty, as the end of a tar is. A tar that is cut off after
// some files has a note.
func (t *Tree) listTar(r io.Reader, place func(f *File, h *tar.Header, entry int) error, zero *bool) error {
	archive := tar.NewReader(r)
	strange, first := 0, ""
	var links []linkTo
	for k := 0; ; k++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) && (*zero || len(t.Files) == 0) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			if len(t.Files) == 0 {
				return tarError(err)
			}
			t.Notes = append(t.Notes, fmt.Sprintf("the archive is cut off or damaged after %s: copy it again",
				text.Printable(t.Files[len(t.Files)-1].Name)))
			break
		}
		f, ok := tarFile(h)
		if f == nil {
			continue
		}
		if !ok {
			if strange++; strange == 1 {
				first = f.Name
			}
		}
		if err := place(f, h, k); err != nil {
			return err
		}
		if to := tarLink(f.Name, h); to != "" {
			links = append(links, linkTo{f, to})
		}
		t.Files = append(t.Files, f)
	}
	if note := encodingNote(strange, first, charmap.Windows1252); note != "" {
		t.Notes = append(t.Notes, note)
	}
	t.sort()
	t.dropDoubles()
	t.follow(links)
	return nil
}

// tarLink returns where a link leads, "" for another entry.
func tarLink(name string, h *tar.Header) string {
	to, _ := decoded(h.Linkname, charmap.Windows1252)
	switch h.Typeflag {
	case tar.TypeLink:
		to, _ = clean(to)
		return to
	case tar.TypeSymlink:
		return symlinkTo(name, to)
	}
	return ""
}

// tarFile returns the file of an entry, nil for folders and what systems leave. utf is false where
// the encoding of its name is a guess.
func tarFile(h *tar.Header) (f *File, utf bool) {
	raw, utf := decoded(h.Name, charmap.Windows1252)
	name, ok := clean(raw)
	if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader || inSystem(name) {
		return nil, true
	}
	f = &File{Name: name, Size: h.Size}
	switch {
	case !ok:
		f.Name, f.Err = raw, ErrTrick
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
		f.Err = fmt.Errorf("%w: a link or device in an archive", ErrNoFile)
	}
	return f, utf
}

// Walk calls do for each file of a tree that is [Tree.Sequential], in the order of the archive,
// with the file's index in Files and its content, until do fails. The content ends with the call.
func (t *Tree) Walk(do func(i int, content io.Reader) error) error { return t.walk(do) }

// Sequential reports whether the files are best read by Walk.
func (t *Tree) Sequential() bool { return t.walk != nil }

// walk calls do for each of the files, in the order of the archive.
func (s streamed) walk(files []*File, do func(i int, content io.Reader) error) error {
	r, err := s()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	byEntry := make(map[int]int, len(files))
	others := map[int][]int{} // files that links open too
	for i, f := range files {
		if f.Err != nil {
			continue
		}
		if _, ok := byEntry[f.at]; ok {
			others[f.at] = append(others[f.at], i)
		} else {
			byEntry[f.at] = i
		}
	}
	archive := tar.NewReader(r)
	for k := 0; ; k++ {
		_, err := archive.Next()
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil // the end; the listing has a note on one that comes too early
		}
		i, ok := byEntry[k]
		if !ok {
			continue
		}
		if err := doEach(append([]int{i}, others[k]...), archive, do); err != nil {
			return err
		}
	}
}

// maxLinked bounds the content that several files share, in bytes.
const maxLinked = 1 << 28

// doEach calls do for files that share a content.
func doEach(files []int, content io.Reader, do func(i int, content io.Reader) error) error {
	if len(files) == 1 {
		return do(files[0], content)
	}
	data, err := io.ReadAll(io.LimitReader(content, maxLinked))
	for _, i := range files {
		if err := do(i, io.MultiReader(bytes.NewReader(data), failing{err})); err != nil {
			return err
		}
	}
	return nil
}

// A failing reader ends with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// A blocks reads a tar, and knows whether the last block was empty.
type blocks struct {
	r    io.Reader
	zero bool
}

func (b *blocks) Read(p []byte) (int, error) {
	if len(p) != blockSize {
		n, err := b.r.Read(p)
		b.zero = b.zero && n == 0
		return n, err
	}
	n, err := io.ReadFull(b.r, p)
	if n > 0 {
		b.zero = n == blockSize && !slices.ContainsFunc(p, func(c byte) bool { return c != 0 })
	}
	return n, err
}

// A counted is [blocks] that counts the bytes that were read.
type counted struct {
	r    *io.SectionReader
	at   int64
	zero bool
}

func (c *counted) Read(p []byte) (int, error) {
	b := blocks{c.r, c.zero}
	n, err := b.Read(p)
	c.at, c.zero = c.at+int64(n), b.zero
	return n, err
}

// Seek lets the reader of a tar pass over contents.
func (c *counted) Seek(offset int64, whence int) (int64, error) {
	at, err := c.r.Seek(offset, whence)
	c.at = at
	return at, err
}

// tarError words what is wrong with an archive.
func tarError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive is cut off: copy it again")
	}
	return fmt.Errorf("not a tar archive that can be read: %w", err)
}

// A compression is a way in which a file is compressed.
type compression struct {
	magic string // its first bytes
	open  func(r io.Reader, size int64) (io.ReadCloser, error)
}

// compressions are the ways that are read.
var compressions = []compression{
	{"\x1f\x8b", func(r io.Reader, _ int64) (io.ReadCloser, error) { return gzip.NewReader(r) }},
	{"BZh", func(r io.Reader, _ int64) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	{"\x28\xb5\x2f\xfd", openZstd},
}

// The limits of the window that a frame of Zstandard may ask for. The reader takes memory for a
// whole window at once. Every level but the ultra ones needs at most the smaller.
const (
	smallWindow = 8 << 20
	largeWindow = 128 << 20
)

// openZstd unpacks a file of size bytes. A small file has a small window.
func openZstd(r io.Reader, size int64) (io.ReadCloser, error) {
	window := uint64(max(smallWindow, min(2*size, largeWindow)))
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window),
		zstd.WithDecoderMaxMemory(largeWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// Compressed reports whether a file that begins with head is compressed in a way that is read.
func Compressed(head []byte) bool {
	return slices.ContainsFunc(compressions, func(c compression) bool { return strings.HasPrefix(string(head), c.magic) })
}

// decompressed opens a compressed file and unpacks it.
func decompressed(open func() (io.ReadCloser, error), size int64) (io.ReadCloser, error) {
	file, err := open()
	if err != nil {
		return nil, withoutPath(err)
	}
	r := bufio.NewReaderSize(file, 1<<16)
	head, _ := r.Peek(4)
	for _, c := range compressions {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			z, err := c.open(r, size)
			if err != nil {
				_ = file.Close()
				return nil, fmt.Errorf("%w: copy the file again", err)
			}
			return both{z, file}, nil
		}
	}
	_ = file.Close()
	return nil, errors.New("compressed in a way that cannot be read: unpack it")
}

// both closes a decompressor and its file.
type both struct {
	io.ReadCloser
	file io.Closer
}

// Close closes both.
func (b both) Close() error { return errors.Join(b.ReadCloser.Close(), b.file.Close()) }
