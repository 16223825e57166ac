package atomicfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/atomicfile"
)

func ExampleWrite() {
	path := filepath.Join(os.TempDir(), "atomicfile-example.txt")
	defer func() { _ = os.Remove(path) }()
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "whole or not at all")
		return err
	})
	text, _ := os.ReadFile(path)
	fmt.Println(string(text), err)
	// Output: whole or not at all <nil>
}

func write(path, text string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// expectFolder fails unless the folder holds one file alone, of that name and content.
func expectFolder(t *testing.T, path, content string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("folder holds %v, want %s alone", entries, filepath.Base(path))
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%s holds %.20q (%v), want %.20q", path, got, err, content)
	}
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	// The second text is longer than the buffer. The third is shorter than the file that it
	// replaces.
	for _, text := range []string{"first", strings.Repeat("x", 200_000), ""} {
		if err := write(path, text); err != nil {
			t.Fatal(err)
		}
		expectFolder(t, path, text)
	}
}

func TestFailingFillLeavesOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := write(path, "old"); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("encoder broke")
	for _, length := range []int{0, 3, 200_000} { // nothing, buffered only, partly in the file
		err := atomicfile.Write(path, func(w io.Writer) error {
			if _, err := w.Write(bytes.Repeat([]byte("n"), length)); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that wraps %q and names %s", err, broken, path)
		}
		expectFolder(t, path, "old")
	}
}

func TestPanickingFillLeavesOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := write(path, "old"); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = atomicfile.Write(path, func(io.Writer) error { panic("bug") })
	}()
	expectFolder(t, path, "old")
}

func TestFailingFillLeavesNothingNew(t *testing.T) {
	folder := t.TempDir()
	broken := errors.New("encoder broke")
	err := atomicfile.Write(filepath.Join(folder, "new"), func(io.Writer) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	folder := t.TempDir()
	err := write(filepath.Join(folder, "none", "model"), "")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create it first") {
		t.Errorf("missing folder: %v", err)
	}
	err = write(folder, "")
	if err == nil || !strings.Contains(err.Error(), "name a file inside it") {
		t.Errorf("a folder as path: %v", err)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestErrorOfAnotherFile checks that a file which fill could not open is still named.
func TestErrorOfAnotherFile(t *testing.T) {
	folder := t.TempDir()
	err := atomicfile.Write(filepath.Join(folder, "out"), func(io.Writer) error {
		_, err := os.ReadFile(filepath.Join(folder, "input"))
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "input") {
		t.Errorf("error %v does not name the file that is missing", err)
	}
}

// TestReadersSeeWholeFiles reads while two versions replace each other.
func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	versions := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 70_000)}
	if err := write(path, versions[0]); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 20 {
			if err := write(path, versions[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		got, err := os.ReadFile(path)
		if err == nil && string(got) != versions[0] && string(got) != versions[1] {
			t.Fatalf("read a part: %d bytes", len(got))
		}
	}
	writer.Wait()
}

// Probe finds what Write could not do, and leaves nothing behind.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.png")
	if err := write(file, "old"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                          "",
		filepath.Join(dir, "b.png"):   "",
		filepath.Join(dir, "no", "a"): "create it first",
		filepath.Join(file, "a"):      "cannot write ",
		filepath.Join(dir, strings.Repeat("x", 300)): "cannot write ",
		dir:                         "it is a folder: name a file inside it",
		"https://example.com/a.png": "nothing is sent to the web",
	} {
		if err := atomicfile.Probe(path); (err != nil) != (want != "") ||
			(err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
	expectFolder(t, file, "old")
}
