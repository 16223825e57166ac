// Package regular opens regular files, and words the errors of files.
package regular

import (
	"errors"
	"io/fs"
	"os"
)

// ErrNoFile means that there is something else at a path: a folder, a pipe, a device.
var ErrNoFile = errors.New("it is no file")

// Open opens a file for reading. For anything else its error wraps [ErrNoFile]: to open
// a pipe would block until a program writes to it.
func Open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNoFile}
	}
	return os.Open(path)
}

// Same reports whether two paths lead to the same file, which must exist.
func Same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// Reason returns an error without the path that it names, which may be a temporary one.
func Reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
