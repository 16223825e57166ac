package array

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// gzipMagic is what a compressed file begins with.
const gzipMagic = "\x1f\x8b"

// both closes what was unpacked and the file below it.
type both struct {
	io.Reader
	file io.Closer
}

// Close closes the file; a gzip reader holds nothing.
func (b both) Close() error { return b.file.Close() }

// unpacked opens a file, compressed by gzip or not.
func unpacked(f *tree.File) (r io.ReadCloser, packed bool, err error) {
	file, err := f.Open()
	if err != nil {
		return nil, false, err
	}
	buffered := bufio.NewReaderSize(file, 1<<16)
	if head, _ := buffered.Peek(2); string(head) != gzipMagic {
		return both{buffered, file}, false, nil
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		_ = file.Close()
		return nil, false, cutOff("gzip header", err)
	}
	return both{unzipped, file}, true, nil
}

// skipTo opens a file, compressed or not, at a byte.
func skipTo(f *tree.File, offset int64) (io.ReadCloser, error) {
	r, _, err := unpacked(f)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, offset); err != nil {
		_ = r.Close()
		return nil, cutOff("header", err)
	}
	return r, nil
}

// head returns up to n of the first bytes of a file, unpacked where it is compressed. It returns
// fewer where the file is shorter, and nil where it cannot be read.
func head(f *tree.File, n int) []byte {
	r, _, err := unpacked(f)
	if err != nil {
		return nil
	}
	defer func() { _ = r.Close() }()
	data, _ := io.ReadAll(io.LimitReader(r, int64(n))) // what came in before an error is a head too
	return data
}

// whole returns the content of a file of at most limit bytes. Memory grows with what comes in.
func whole(f *tree.File, limit int64) ([]byte, error) {
	r, _, err := unpacked(f)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	var b bytes.Buffer
	if f.Size > 0 && f.Size < min(limit, 1<<30) {
		b.Grow(int(min(f.Size+bytes.MinRead, 1<<22)))
	}
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, cutOff(fmt.Sprintf("after %d bytes", n), err)
	}
	if n > limit {
		return nil, fmt.Errorf("it has more than %d bytes: is it the right file?", limit)
	}
	return b.Bytes(), nil
}

// maxLines bounds a list of classes, and maxNames its bytes.
const (
	maxLines = maxClasses
	maxNames = 1 << 20
)

// lines returns the lines of a small text file that are not blank, without a byte order mark.
func lines(f *tree.File) ([]string, error) {
	data, err := whole(f, maxNames)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Base(f.Name), err)
	}
	text.UnixLines(data)
	var list []string
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
		if len(list) > maxLines {
			return nil, fmt.Errorf("%s: more than %d lines: is it a list of classes?", path.Base(f.Name), maxLines)
		}
	}
	return list, nil
}

// inMemory is a file that was read into memory.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }

// randomly opens a file so that any part of it can be read. A file that cannot do that is read into
// memory, up to limit bytes.
func randomly(f *tree.File, limit int64) (io.ReaderAt, int64, io.Closer, error) {
	file, err := f.Open()
	if err != nil {
		return nil, 0, nil, err
	}
	if at, ok := file.(io.ReaderAt); ok {
		return at, f.Size, file, nil
	}
	defer func() { _ = file.Close() }()
	if f.Size > limit {
		return nil, 0, nil, fmt.Errorf("it has %d bytes, and lies in an archive, where at most %d are read: unpack it", f.Size, limit)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(file, f.Size+1)); err != nil {
		return nil, 0, nil, cutOff("in its archive", err)
	}
	if int64(b.Len()) != f.Size {
		return nil, 0, nil, errors.New("it is longer or shorter than its archive says: copy the archive again")
	}
	r := inMemory{bytes.NewReader(b.Bytes())}
	return r, f.Size, r, nil
}

// ofSystem reports whether a file is one that systems put beside what people put there.
func ofSystem(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".." || part == "__MACOSX" {
			return true
		}
	}
	return false
}
