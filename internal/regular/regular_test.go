package regular

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file in a folder of the test.
func write(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file, err := Open(write(t, dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNoFile) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("http:/there", 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		write(t, dir, "a"):           nil,
		dir:                          ErrFolder,
		os.DevNull:                   ErrNoFile,
		filepath.Join(dir, "none"):   fs.ErrNotExist,
		"https://example.com/a.zip":  ErrURL,
		"HTTP://example.com/":        ErrURL,
		"s3://bucket/model":          ErrURL,
		"www.example.com/a.zip":      ErrURL,
		"huggingface.co/a/b":         ErrURL,
		"git+ssh://host/a.git":       ErrURL,
		"file:///home/me/a.png":      errFileURL,
		"C://a.png":                  fs.ErrNotExist,
		"http://there":               ErrFolder,
		"pictures/http://there":      fs.ErrNotExist,
		"//server/share/picture.png": fs.ErrNotExist,
	} {
		if err := Check(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		url := want
		if !errors.Is(want, ErrURL) {
			url = nil
		}
		if err := CheckURL(path); !errors.Is(err, url) {
			t.Errorf("%s as an address: %v, want %v", path, err, url)
		}
	}
	if !errors.Is(ErrFolder, ErrNoFile) {
		t.Error("a folder is no file")
	}
}

// Two spellings of a path are the same file, two files with the same content are not.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	a, b, none := write(t, dir, "a"), write(t, dir, "b"), filepath.Join(dir, "none")
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{a, filepath.Join(dir, "..", filepath.Base(dir), "a"), true},
		{a, b, false}, {a, none, false}, {none, none, false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}

// The path is gone from an error, whatever wraps it; other errors stay as they are.
func TestReason(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "none"))
	for _, err := range []error{err, fmt.Errorf("model: %w", err)} {
		if got := Reason(err); !errors.Is(got, fs.ErrNotExist) || strings.Contains(got.Error(), "none") {
			t.Errorf("%v became %v", err, got)
		}
	}
	if other := errors.New("other"); !errors.Is(Reason(other), other) {
		t.Error("an error without a path changed")
	}
}
