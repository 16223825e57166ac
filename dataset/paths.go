package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fmimg/fmimg/internal/npy"
	"github.com/fmimg/fmimg/internal/regular"
)

// openPath reads a folder or a file that exists. It tells the formats of files apart.
func openPath(ctx context.Context, path string, info fs.FileInfo, o Options) (*Set, error) {
	if info.IsDir() {
		return openFolder(ctx, path, o)
	}
	if !info.Mode().IsRegular() {
		return nil, formatError(path, "it is no file and no folder")
	}
	head, err := readHead(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	name := strings.ToLower(filepath.Base(path))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return openZip(ctx, path, o)
	case bytes.HasPrefix(head, []byte(npy.Magic)):
		return openNPY(path)
	case isGzip(head) && (strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")):
		return nil, formatError(path, "it is a tar archive: unpack it and name the folder")
	case idxName.MatchString(name) && (isGzip(head) || isIDX(head)):
		return openIDXFile(path)
	case isGzip(head), isIDX(head):
		return nil, formatError(path, "name a folder of IDX files, or one called like train-images-idx3-ubyte.gz")
	case strings.HasSuffix(name, ".bin"):
		return openCIFARFile(path)
	case pictureFormat(head) != nil:
		return nil, formatError(path, "it is one picture: name a folder of them")
	}
	return nil, formatError(path, "name a folder or a .zip of pictures ("+readableFormats("or")+"), "+
		"a folder of IDX files or of CIFAR-10's binary batches, or a .npy array")
}

// openFolder reads a folder. The names of its files tell what it holds.
func openFolder(ctx context.Context, path string, o Options) (*Set, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	idx, cifar := false, false
	for _, e := range entries {
		if !e.IsDir() {
			idx = idx || idxName.MatchString(strings.ToLower(e.Name()))
			cifar = cifar || cifarName.MatchString(e.Name())
		}
	}
	switch {
	case idx:
		return openIDXFolder(ctx, path, o)
	case cifar:
		return openCIFARFolder(ctx, path, o)
	}
	return openPictureFolder(ctx, path, o)
}

// A FormatError is a file whose format this package does not read.
type FormatError struct {
	Path string
	Why  string // with what can be done
}

// Error returns one line.
func (e *FormatError) Error() string { return fmt.Sprintf("data set %s: %s", e.Path, e.Reason()) }

// Reason returns the line without the path.
func (e *FormatError) Reason() string { return fmt.Sprintf("%v: %s", ErrFormat, e.Why) }

// Unwrap returns [ErrFormat].
func (e *FormatError) Unwrap() error { return ErrFormat }

func formatError(path, why string) error { return &FormatError{path, why} }

// headLen is the number of bytes at the beginning of a file that tell its format.
const headLen = 24

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
	head := make([]byte, headLen)
	n, err := io.ReadFull(file, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty: name another one")
	case n == 0 && err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	return head[:n], nil
}

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }

func isIDX(head []byte) bool { return bytes.HasPrefix(head, []byte{0, 0, idxUnsignedByte}) }

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
