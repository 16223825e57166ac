package run

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline/model"
)

// The files of a folder come in the order of their steps, however many zeros these have.
func TestNumberedFilesInOrder(t *testing.T) {
	d := &Folder{Path: t.TempDir()}
	want := []string{"step-5.png", "step-000010.png", "step-000200.png", "step-1000000.png"}
	for _, name := range append(slices.Clone(want), "step-7.txt", "other.png") {
		put(t, filepath.Join(d.Path, SamplesDir, name))
	}
	if got, err := d.numbered(SamplesDir, ".png"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// The newest run is the one that changed last. Of runs that changed at the same time it is the one
// of the highest number.
func TestNewestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	now := time.Now().Truncate(time.Second)
	for _, name := range []string{"x", "x-2", "x-10", "x-9"} {
		path := filepath.Join(model.RunsFolder, name, model.File)
		put(t, path)
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if got, err := model.NewestRun(model.File); err != nil || filepath.Base(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	expect("x-10")
	later := now.Add(time.Minute)
	if err := os.Chtimes(filepath.Join(model.RunsFolder, "x-2", model.File), later, later); err != nil {
		t.Fatal(err)
	}
	expect("x-2")
}

// put makes an empty file, and its folder.
func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
