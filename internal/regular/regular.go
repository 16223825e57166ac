// Package regular opens regular files.
package regular

import (
	"errors"
	"io/fs"
	"os"
)

// ErrNoFile means that there is something else at a path: a folder, a pipe, a device.
var ErrNoFile = errors.New("it is no file")

// Open opens a file for reading. When there is something else at the path, it does not open it and
// returns an error that wraps [ErrNoFile]: opening a pipe that nobody writes to would never end.
func Open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNoFile}
	}
	return os.Open(path)
}
