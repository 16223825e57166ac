//go:build !windows

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

type unixFile struct {
	*renameio.PendingFile
	path string
	done bool // committed without renameio
}

func create(path string) (pending, error) {
	mode, replaces := fs.FileMode(0o644), false
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		mode, replaces = info.Mode().Perm(), true
	}
	file, err := renameio.NewPendingFile(path,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(mode))
	if err != nil {
		return nil, err
	}
	f := &unixFile{PendingFile: file, path: path}
	if replaces {
		err = f.setMode(mode)
	}
	if err != nil {
		return nil, errors.Join(err, f.discard())
	}
	return f, nil
}

// setMode gives the file the mode of the file that it replaces, which the umask may have narrowed.
// A file system without modes, or with one mode for all files, leaves it as it is.
func (f *unixFile) setMode(mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == mode {
		return err
	}
	if err := f.Chmod(mode); err != nil && !errors.Is(err, fs.ErrPermission) && !unsupported(err) {
		return err
	}
	return nil
}

func (f *unixFile) commit() error {
	err := f.CloseAtomicallyReplace()
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Op == "sync" && unsupported(err) {
		if err = errors.Join(f.File.Close(), os.Rename(f.Name(), f.path)); err == nil {
			f.done = true
		}
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

func (f *unixFile) discard() error {
	if f.done {
		return nil
	}
	return f.Cleanup()
}

// unsupported reports whether a file system does not know what was asked for. Shared folders,
// network file systems and those of user programs lack a call here and there.
func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY)
}

// syncFolder makes the rename itself survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a folder that may be written but not listed cannot be opened
	}
	if err != nil {
		return err
	}
	err = folder.Sync()
	for _, known := range []error{syscall.EBADF, syscall.EISDIR, fs.ErrPermission} {
		if unsupported(err) || errors.Is(err, known) {
			err = nil // some network file systems cannot flush a folder; the content is on the disk
		}
	}
	return errors.Join(err, folder.Close())
}
