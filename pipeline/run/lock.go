package run

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// A locker locks a file, without waiting. ok is false where another process has the lock.
// [flock.Flock] is one.
type locker interface {
	TryLock() (ok bool, err error)
	Unlock() error
}

// lockFolder locks a run folder, and removes files that a killed process left half written. The
// system releases the lock when the process ends in any way.
func lockFolder(path string) (*Folder, error) {
	return lockBy(flock.New(filepath.Join(path, LockFile)), path)
}

// A folder is in use when its lock was taken lockTries times with lockPause between them.
const (
	lockTries = 5
	lockPause = 20 * time.Millisecond
)

// tryLock locks. Who looks at a run holds its lock for a moment, so that it tries again.
func tryLock(l locker) (ok bool, err error) {
	for range lockTries {
		if ok, err = l.TryLock(); ok || err != nil {
			return ok, err
		}
		time.Sleep(lockPause)
	}
	return false, nil
}

// lockBy is lockFolder by a locker of its lock file. Where the file system has no locks, the folder
// stays unlocked, and its note says so.
func lockBy(l locker, path string) (*Folder, error) {
	d := &Folder{Path: path, lock: l}
	ok, err := tryLock(l)
	switch {
	case err != nil && lacksLocks(err):
		note := pipeline.Note("%s cannot be locked, as its file system has no locks (%v): start no second run in it",
			path, errno(err))
		d.note = &note
	case err != nil:
		return nil, fmt.Errorf("lock the run folder: %w", err)
	case !ok:
		return nil, option.Faultf("%s is in use by another fmimg", path).
			Cured("wait for it, or name another folder with %v", out)
	}
	d.removeLeftovers()
	return d, nil
}

// without are the errors of locking on file systems without locks, beside those that mean
// [errors.ErrUnsupported]: NFS without its daemon, and file systems of shared folders.
var without = []error{syscall.ENOLCK, syscall.EINVAL, syscall.EBADF}

// lacksLocks reports whether an error of locking means that a file system has no locks, and not
// that the lock file cannot be opened.
func lacksLocks(err error) bool {
	if errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	_, opening := errors.AsType[*fs.PathError](err)
	return !opening && slices.ContainsFunc(without, func(known error) bool { return errors.Is(err, known) })
}

// errno returns the system's error in an error, or the error itself.
func errno(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}
