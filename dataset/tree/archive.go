package tree

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

// tarMagic stands at tarMagicAt of a tar (POSIX.1-1988, ustar).
const (
	tarMagic   = "ustar"
	tarMagicAt = 257
	blockSize  = 512
)

// Archive lists the files of an archive, as its first bytes tell. It returns nil for a file that is
// not an archive.
func Archive(path string, lim Limits) (*Tree, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	t, err := archiveOf(file, path, lim)
	if t == nil || err != nil || t.Sequential() {
		_ = file.Close() // only read
	} else {
		t.close = file.Close
	}
	return t, err
}

func archiveOf(file *os.File, path string, lim Limits) (*Tree, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	head := make([]byte, blockSize)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, withoutPath(err)
	}
	head = head[:n]
	lower := strings.ToLower(path)
	switch {
	case isPart(path), bytes.HasPrefix(head, []byte("PK\x07\x08")):
		return nil, ErrSplit
	case isZip(head) && !strings.HasSuffix(lower, ".npz"):
		return Zip(file, info.Size(), lim)
	case strings.HasSuffix(lower, ".zip") || strings.HasSuffix(lower, ".exe"):
		found, part := zipEnd(file, info.Size())
		switch {
		case part:
			return nil, ErrSplit
		case found:
			return Zip(file, info.Size(), lim)
		}
	}
	switch {
	case isTar(head) || strings.HasSuffix(lower, ".tar") && n == blockSize:
		return Tar(file, info.Size())
	case Compressed(head):
		open := func() (io.ReadCloser, error) { return os.Open(path) }
		if strings.Contains(lower, ".tar") || strings.HasSuffix(lower, ".tgz") || holdsTar(open, info.Size()) {
			return CompressedTar(open, info.Size(), lim)
		}
	}
	return nil, nil
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

func isTar(head []byte) bool {
	return len(head) >= tarMagicAt+len(tarMagic) && string(head[tarMagicAt:][:len(tarMagic)]) == tarMagic
}

// holdsTar reports whether a compressed file is a tar.
func holdsTar(open func() (io.ReadCloser, error), size int64) bool {
	r, err := decompressed(open, size)
	if err != nil {
		return false
	}
	defer func() { _ = r.Close() }()
	head := make([]byte, blockSize)
	n, _ := io.ReadFull(r, head)
	return isTar(head[:n])
}
