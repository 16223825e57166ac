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
