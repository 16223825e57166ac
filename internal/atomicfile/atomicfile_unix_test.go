//go:build linux || darwin

package atomicfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// TestMode is not parallel: the umask belongs to the process.
func TestMode(t *testing.T) {
	for _, c := range []struct {
		umask int
		want  fs.FileMode
	}{{0, 0o644}, {0o022, 0o644}, {0o077, 0o600}} {
		path := filepath.Join(t.TempDir(), "model")
		old := syscall.Umask(c.umask)
		err := write(path, "text")
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if got := mode(t, path); got != c.want {
			t.Errorf("umask %03o: mode %v, want %v", c.umask, got, c.want)
		}
	}
}

func TestReplacedFileKeepsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(path, "new"); err != nil {
		t.Fatal(err)
	}
	expectFolder(t, path, "new")
	if got := mode(t, path); got != 0o600 {
		t.Errorf("mode %v, want 0600", got)
	}
}

func TestSymbolicLinkIsFollowed(t *testing.T) {
	target := filepath.Join(t.TempDir(), "real")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.WriteFile(target, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := write(link, "new"); err != nil {
		t.Fatal(err)
	}
	expectFolder(t, target, "new")
	if mode(t, link)&fs.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
}

// TestPipeIsWrittenTo stands for /dev/null and /dev/stdout, which root could replace by a file.
func TestPipeIsWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, _ := os.ReadFile(path)
		read <- string(text)
	}()
	if err := write(path, "text"); err != nil {
		t.Fatal(err)
	}
	if mode(t, path)&fs.ModeNamedPipe == 0 {
		t.Fatal("the pipe was replaced by a file")
	}
	if got := <-read; got != "text" {
		t.Errorf("read %q from the pipe", got)
	}
}

// TestFullDisk writes to the device that is always full.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("no /dev/full here")
	}
	err := write(full, strings.Repeat("x", 200_000))
	if err == nil || err.Error() != "write /dev/full: no space left on device" {
		t.Errorf("error %v", err)
	}
}

func TestFolderWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "model")
	err := write(path, "text")
	if err == nil || err.Error() != "write "+path+": permission denied" {
		t.Errorf("error %v", err)
	}
}
