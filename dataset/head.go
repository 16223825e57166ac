package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/internal/regular"
)

// openRegular opens a file. For anything else its error says to take it away.
func openRegular(path string) (*os.File, error) {
	file, err := regular.Open(path)
	if errors.Is(err, regular.ErrNoFile) {
		return nil, fmt.Errorf("%s: %w: take it away", filepath.Base(path), regular.ErrNoFile)
	}
	return file, err
}

// readHead returns the first bytes of a file.
func readHead(path string) ([]byte, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, decode.HeadLen)
	n, err := io.ReadFull(file, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty: name another one")
	case n == 0 && err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	return head[:n], nil
}

// baseName returns the name of a set at a path: the last element of the path, without the ending of
// an archive or an array.
func baseName(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	name := filepath.Base(absolute)
	if ext := filepath.Ext(name); strings.EqualFold(ext, ".zip") || strings.EqualFold(ext, ".npy") {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// readBytes reads size bytes. It takes at most reserve bytes of memory at first, and then at most
// doubles it. When it fails it returns the bytes that came in, with the error.
func readBytes(r io.Reader, size, reserve int) ([]byte, error) {
	data := make([]byte, 0, min(size, reserve))
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil {
			return data, err
		}
	}
	return data, nil
}
