package atomicfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/internal/atomicfile"
)

func TestFolder(t *testing.T) {
	f := atomicfile.Folder{Path: t.TempDir()}
	for round := range 2 { // new files, then replaced ones
		for i := range 20 {
			fill := func(w io.Writer) error { _, err := fmt.Fprint(w, round, i); return err }
			if err := f.Write(fmt.Sprint(i), fill); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("encoder broke")
	if err := f.Write("3", func(w io.Writer) error { fmt.Fprint(w, "half"); return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = f.Write("4", func(io.Writer) error { panic("bug") })
	}()
	entries, err := os.ReadDir(f.Path)
	if err != nil || len(entries) != 20 {
		t.Errorf("%d files, %v: %v", len(entries), err, entries)
	}
	for i := range 20 {
		if text, err := os.ReadFile(filepath.Join(f.Path, fmt.Sprint(i))); err != nil ||
			string(text) != fmt.Sprint(1, i) {
			t.Errorf("file %d holds %q, %v", i, text, err)
		}
	}
	gone := atomicfile.Folder{Path: filepath.Join(f.Path, "gone")}
	if err := gone.Write("a", func(io.Writer) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v", err)
	}
	if err := gone.Sync(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("flushing a folder that is not there: %v", err)
	}
}
