package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A stubLock answers as a file system does.
type stubLock struct {
	ok  bool
	err error
}

func (s stubLock) TryLock() (bool, error) { return s.ok, s.err }

func (s stubLock) Unlock() error { return s.err }

// A file system without locks gets a note, and other errors stay errors.
func TestLockBy(t *testing.T) {
	opening := func(err error) error { return &fs.PathError{Op: "open", Path: ".lock", Err: err} }
	for _, c := range []struct {
		name        string
		lock        stubLock
		note, fails bool
	}{
		{"free", stubLock{ok: true}, false, false},
		{"taken", stubLock{}, false, true},
		{"NFS without its daemon", stubLock{err: syscall.ENOLCK}, true, false},
		{"Lustre", stubLock{err: syscall.ENOSYS}, true, false},
		{"CIFS", stubLock{err: syscall.EOPNOTSUPP}, true, false},
		{"shared folder", stubLock{err: syscall.EINVAL}, true, false},
		{"wrapped", stubLock{err: fmt.Errorf("flock: %w", syscall.ENOTSUP)}, true, false},
		{"no locks on the platform", stubLock{err: opening(errors.ErrUnsupported)}, true, false},
		{"read-only", stubLock{err: opening(syscall.EROFS)}, false, true},
		{"bad name of the lock file", stubLock{err: opening(syscall.EINVAL)}, false, true},
		{"broken disk", stubLock{err: syscall.EIO}, false, true},
	} {
		dir := t.TempDir()
		left := filepath.Join(dir, ".state.safetensors7")
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := lockBy(c.lock, dir)
		if (err != nil) != c.fails {
			t.Errorf("%s: error %v", c.name, err)
		}
		if err != nil {
			continue
		}
		if (d.note != nil) != c.note || c.note && !strings.Contains(d.note.Text, dir+" cannot be locked") {
			t.Errorf("%s: note %v", c.name, d.note)
		}
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s: what a killed process left is there", c.name)
		}
		d.close()
	}
}
