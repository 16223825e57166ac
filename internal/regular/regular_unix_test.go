//go:build unix

package regular_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fmimg/fmimg/internal/regular"
)

// A pipe that nobody writes to is refused at once, where opening it would hang.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := regular.Open(path); !errors.Is(err, regular.ErrNoFile) {
		t.Errorf("a pipe: %v", err)
	}
}
