// Package regular opens regular files.
package regular

import (
	"errors"
	"io/fs"
	"os"
)

// ErrNoFile means that there is something else at a path: a folder, a pipe, a device.
var ErrNoFile = errors.New("it is no file")

// Open opens a file for reading. For anything else it returns an error that wraps [ErrNoFile],
// without opening it: to open a pipe that nobody writes to takes forever.
func Open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNoFile}
	}
	return os.Open(path)
}
