package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fmimg/fmimg/internal/regular"
)

// bufferSize is the size of the buffer of Write. Without a buffer, each write of a few bytes would
// be a system call.
const bufferSize = 1 << 16

// Write calls fill with a buffered writer and puts at path what fill wrote. The bytes go into a
// temporary file in the same folder, which is flushed to the disk and renamed over path. Then the
// folder is flushed. When fill or one of these steps fails, the file at path is as it was, nothing
// is left behind, and Write returns the error.
//
// A new file gets mode 0644 less the umask. A file that is replaced keeps its mode. A symbolic link
// is followed. A device or a pipe (/dev/stdout) cannot be replaced, so Write writes to it directly.
// The folder must exist. fill must not keep the writer.
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

// Probe reports whether Write could put a file at path, as far as that can be known without writing
// it: the folder must exist and take a file of this name.
func Probe(path string) error {
	if regular.CheckURL(path) != nil {
		return fmt.Errorf("cannot write %s: nothing is sent to the web: name a file on this machine", path)
	}
	path, kind := resolve(path)
	switch {
	case kind.IsDir():
		return fmt.Errorf("cannot write %s: it is a folder: name a file inside it", path)
	case kind != 0 && !kind.IsRegular():
		return nil // a device or a pipe cannot be tried without writing to it
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

// resolve follows symbolic links to an existing file, and returns its path and type. Without a file
// the type is 0, as for a regular file.
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

// bare takes the name of the temporary file out of the errors that fill returns. The name means
// nothing to the user.
type bare struct{ io.Writer }

func (b bare) Write(p []byte) (int, error) {
	n, err := b.Writer.Write(p)
	return n, cause(err)
}

// cause returns a system error without its operation and the name of the temporary file.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// explain puts the path that the caller asked for into an error.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// explainCreate is explain, and names the cure when the folder is missing.
func explainCreate(path string, err error) error {
	folder := filepath.Dir(path)
	if _, missing := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && missing != nil {
		return fmt.Errorf("write %s: %w: there is no folder %s: create it first", path, err, folder)
	}
	return explain(path, err)
}
