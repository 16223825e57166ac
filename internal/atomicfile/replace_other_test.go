//go:build !windows

package atomicfile

import (
	"io/fs"
	"syscall"
	"testing"
)

// What a file system lacks is told from what is broken or forbidden.
func TestUnsupported(t *testing.T) {
	check := func(want bool, list ...syscall.Errno) {
		for _, errno := range list {
			if got := unsupported(&fs.PathError{Op: "sync", Path: "a", Err: errno}); got != want {
				t.Errorf("%v: %t", errno, got)
			}
		}
	}
	check(true, syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOTTY)
	check(false, syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EPERM, syscall.EBADF)
	if unsupported(nil) {
		t.Error("no error is one")
	}
}
