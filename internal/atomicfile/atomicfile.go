package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// bufferSize spares encoders that write a few bytes at a time one system call for each.
const bufferSize = 1 << 16

// A pending file is written beside its path and takes its place on commit.
type pending interface {
	io.Writer
	commit() error  // flush to the disk, close, replace, flush the folder
	discard() error // close and remove; does nothing after a successful commit
}

// Write calls fill with a buffered writer and puts what it wrote at path: into a temporary file in
// the same folder, flushed to the disk, renamed over path, the folder flushed. When fill or any of
// these steps fails, path is as it was, nothing is left behind and the error is returned.
//
// A new file gets mode 0644 less the umask; a replaced one keeps its mode. A symbolic link is
// followed. A device or a pipe (/dev/stdout) cannot be replaced, so it is written to directly. The
// folder must exist. fill must not keep the writer.
func Write(path string, fill func(io.Writer) error) (err error) {
	path, kind := resolve(path)
	switch {
	case kind.IsDir():
		return fmt.Errorf("write %s: it is a folder: name a file inside it", path)
	case !kind.IsRegular():
		return writeThrough(path, fill)
	}
	file, err := create(path)
	if err != nil {
		return explainCreate(path, cause(err))
	}
	// Deferred, so that it also runs when fill panics.
	defer func() { err = errors.Join(err, explain(path, cause(file.discard()))) }()

	if err := fillBuffered(file, fill); err != nil {
		return explain(path, err)
	}
	return explain(path, cause(file.commit()))
}

// Probe finds out whether Write could put a file at path, as far as can be told without writing it:
// that the folder is there and takes a file of this name.
func Probe(path string) error {
	path, kind := resolve(path)
	if kind != 0 && !kind.IsRegular() {
		return nil // a device or a pipe: nothing to try without writing to it; Write refuses a folder
	}
	file, err := create(path)
	if _, missing := os.Stat(filepath.Dir(path)); err != nil && errors.Is(missing, fs.ErrNotExist) {
		return fmt.Errorf("cannot write %s: there is no folder %s: create it first", path, filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, cause(err))
	}
	if err := file.discard(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, cause(err))
	}
	return nil
}

// resolve follows symbolic links to an existing file. The mode is 0 (a regular file) when there is
// none.
func resolve(path string) (string, fs.FileMode) {
	info, err := os.Stat(path)
	if err != nil {
		return path, 0
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return path, info.Mode()
}

func fillBuffered(w io.Writer, fill func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(bare{w}, bufferSize)
	if err := fill(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

func writeThrough(path string, fill func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return explain(path, cause(err))
	}
	err = fillBuffered(file, fill)
	return explain(path, errors.Join(err, cause(file.Close())))
}

// bare keeps the temporary file's name, which means nothing to the user, out of the errors that
// fill passes on.
type bare struct{ io.Writer }

func (b bare) Write(p []byte) (int, error) {
	n, err := b.Writer.Write(p)
	return n, cause(err)
}

// cause takes the operation and the name of the temporary file off a system error.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// explain names the path that the caller asked for.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// explainCreate also names the cure when the folder is what is missing.
func explainCreate(path string, err error) error {
	folder := filepath.Dir(path)
	if _, missing := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && missing != nil {
		return fmt.Errorf("write %s: %w: there is no folder %s: create it first", path, err, folder)
	}
	return explain(path, err)
}
