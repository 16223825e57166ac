// Package regular opens regular files.
package regular

import (
	"errors"
	"io/fs"
	"os"
)

// Open opens a file for reading. It refuses folders, and pipes, which could not even be opened
// while nobody writes to them.
func Open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no file")}
	}
	return os.Open(path)
}

// Same reports whether two paths lead to one file that exists.
func Same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// Reason strips the path, which may be a temporary one, from an error.
func Reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
