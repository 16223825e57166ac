package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A Folder writes many files of one folder, thousands of them with few flushes to the disk. Each
// file appears whole or not at all. Only after Sync do all of them survive a power cut. A Folder is
// not safe for concurrent use.
type Folder struct {
	Path  string
	names []string // written since the last Sync
}

// Write calls fill with a buffered writer and puts what fill wrote into a new or replaced file of
// that name. When fill or the disk fails, nothing is left of the file.
func (f *Folder) Write(name string, fill func(io.Writer) error) (err error) {
	path := filepath.Join(f.Path, name)
	hidden := filepath.Join(f.Path, fmt.Sprintf(".%s%d", name, os.Getpid()))
	file, err := os.OpenFile(hidden, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return explainCreate(path, cause(err))
	}
	renamed := false
	defer func() { // also when fill panics
		if !renamed {
			file.Close()
			err = errors.Join(err, explain(path, cause(os.Remove(file.Name()))))
		}
	}()
	if err := fillBuffered(file, fill); err != nil {
		return explain(path, err)
	}
	if err := file.Close(); err != nil {
		return explain(path, cause(err))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return explain(path, cause(err))
	}
	renamed = true
	f.names = append(f.names, name)
	return nil
}

// Sync flushes the files that were written, and the folder, to the disk.
func (f *Folder) Sync() error {
	err := flush(f.Path, f.names)
	f.names = nil
	if err != nil {
		return fmt.Errorf("write into %s: %w", f.Path, cause(err))
	}
	return nil
}
