package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// A file is in a folder or an archive.
type file struct {
	name string // its path inside the folder, with slashes
	size int64  // in bytes, as the folder or archive claims
	open func() (io.ReadCloser, error)
	err  error // why it cannot be used, as far as that is known without opening it
}

// limits bound what files may ask for. Tests have smaller limits.
type limits struct {
	pixels    int // of a picture, whatever its header claims
	fileBytes int // of a picture's file

	// unpacked is the number of bytes that any archive may unpack to. A larger archive may unpack
	// to zipMaxRatio times its own size.
	unpacked uint64
}

// A decoder takes up to 24 bytes a pixel for a while: 1.6 GB at this limit. Few cameras make larger
// photos.
var usualLimits = limits{pixels: 1 << 26, fileBytes: 1 << 28, unpacked: 1 << 26}

// zipMaxRatio bounds the size that an archive's directory claims for its files, as a multiple of
// the archive's own size. Pictures are compressed already, so the ratio of real archives is near 1.
const zipMaxRatio = 64

var (
	errZipBomb = errors.New("its files claim far more than the archive can hold")
	errTrick   = errors.New("path that leaves the archive")
	errLink    = errors.New("link to a folder, or no file")
	errSecret  = errors.New("encrypted or packed in an unusual way")
)

// listFolder returns the files below a folder, by name. It follows links to files. It does not
// follow links to folders, as they may lead in a circle.
func listFolder(ctx context.Context, folder string) ([]file, error) {
	root := os.DirFS(folder)
	var files []file
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return err
		case hidden(name) && d != nil && d.IsDir():
			return fs.SkipDir
		case hidden(name):
			return nil
		case err != nil:
			files = append(files, file{name: name, err: fmt.Errorf("%w: %w", errFile, err)})
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		files = append(files, folderFile(root, name))
		return nil
	})
	return files, err
}

func folderFile(root fs.FS, name string) file {
	f := file{name: name, open: func() (io.ReadCloser, error) { return root.Open(name) }}
	info, err := fs.Stat(root, name)
	switch {
	case err != nil:
		f.err = fmt.Errorf("%w: %w", errFile, err)
	case !info.Mode().IsRegular():
		f.err = errLink // pipes and devices too, as reading them might never end
	default:
		f.size = info.Size()
	}
	return f
}

// hidden reports whether a file is one that systems put beside what people put there: .DS_Store,
// __MACOSX/, Thumbs.db.
func hidden(name string) bool {
	base := path.Base(name)
	return base != "." && base != ".." && strings.HasPrefix(base, ".") ||
		strings.HasPrefix(name, "__MACOSX/") || base == "__MACOSX" || base == "Thumbs.db" || base == "desktop.ini"
}

// listZip returns the files of an archive of the given size, by name.
func listZip(r io.ReaderAt, size int64, lim limits) ([]file, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("zip: %w: copy or make it again", err)
	}
	var files []file
	total := uint64(0) // no overflow: a file adds less than 2⁵⁶, and the directory is in memory
	for _, z := range archive.File {
		name := strings.ReplaceAll(z.Name, `\`, "/") // some programs on Windows write so
		if strings.HasSuffix(name, "/") || hidden(name) {
			continue
		}
		f := zipFile(name, z)
		if total += uint64(f.size); total > lim.unpacked && total > zipMaxRatio*uint64(size) {
			return nil, fmt.Errorf("zip: %w: is it a zip bomb?", errZipBomb)
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

func zipFile(name string, z *zip.File) file {
	f := file{name: name, open: z.Open, size: int64(min(z.UncompressedSize64, 1<<56))}
	switch {
	case !fs.ValidPath(name):
		f.err = errTrick
	case z.Flags&1 != 0, z.Method != zip.Store && z.Method != zip.Deflate:
		f.err = errSecret
	case !z.Mode().IsRegular():
		f.err = errLink
	}
	return f
}

// read returns the content of a picture's file, of at most limit bytes. Of any other file it reads
// only the first bytes, which tell the format.
func (f *file) read(limit int) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	r, err := f.open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFile, plain(err))
	}
	defer func() { _ = r.Close() }()
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: %w", errFile, plain(err))
	}
	if _, err := readableFormat(head[:n]); err != nil {
		if n == 0 {
			err = fmt.Errorf("%w: the file is empty", errNoPicture)
		}
		return nil, err
	}
	if f.size > int64(limit) {
		return nil, fmt.Errorf("%w: a file of %s", errTooLarge, text.Bytes(float64(f.size)))
	}
	// A large claim takes memory only as the bytes come in. One byte more than the limit shows
	// whether the file ends there.
	data, err := readBytes(io.MultiReader(bytes.NewReader(head[:n]), r), limit+1, int(min(f.size, 1<<20))+1)
	switch {
	case err == nil:
		return nil, fmt.Errorf("%w: a file of more than %s", errTooLarge, text.Bytes(float64(limit)))
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %w", errDamaged, plain(err))
	case errors.Is(err, io.ErrUnexpectedEOF) && int64(len(data)) < f.size:
		return nil, fmt.Errorf("%w: %d of its %d bytes are there", errDamaged, len(data), f.size)
	}
	return data, nil
}

// plain takes the operation and the path off an error of the system: the caller names the file.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
