package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
)

// renameio exports nothing on Windows, where no rename is promised to be atomic. MoveFileEx on one
// volume comes nearest. With write-through it returns when the move is on the disk.
const moveFlags = windows.MOVEFILE_REPLACE_EXISTING | windows.MOVEFILE_WRITE_THROUGH

// Virus scanners and indexers hold a new file open for a moment. 8 waits that double from 5 ms are
// 1.3 s in all.
const (
	moveRetries   = 8
	moveFirstWait = 5 * time.Millisecond
)

type windowsFile struct {
	*os.File
	path         string
	closed, done bool
}

func create(path string) (pending, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return nil, err
	}
	return &windowsFile{File: file, path: path}, nil
}

func (f *windowsFile) commit() error {
	if err := f.Sync(); err != nil && !unsupported(err) {
		return err
	}
	f.closed = true
	if err := f.Close(); err != nil {
		return err
	}
	if err := move(f.Name(), f.path); err != nil {
		return err
	}
	f.done = true
	return nil
}

func (f *windowsFile) discard() error {
	if f.done {
		return nil
	}
	var err error
	if !f.closed { // an open file cannot be removed on Windows
		err = f.Close()
	}
	return errors.Join(err, os.Remove(f.Name()))
}

func move(from, to string) error {
	source, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	target, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	err = windows.MoveFileEx(source, target, moveFlags)
	for wait, i := moveFirstWait, 0; i < moveRetries && heldOpen(err); i++ {
		time.Sleep(wait)
		wait *= 2
		err = windows.MoveFileEx(source, target, moveFlags)
	}
	return err
}

// unsupported reports whether a volume does not know what was asked for, as a folder that another
// machine shares may not.
func unsupported(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED)
}

func heldOpen(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}
