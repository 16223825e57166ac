package feed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
)

// makeFolders makes folders in a new folder, and goes there.
func makeFolders(t *testing.T, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJoinNote(t *testing.T) {
	makeFolders(t, "photos/cats", "other", "mnist")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	linked := os.Symlink(filepath.Join(here, "photos"), "link") == nil
	for _, c := range []struct {
		out  string
		data []string
		want string // part of the note; "" for none
	}{
		{"photos/o.png", []string{"photos"}, "photos/o.png lies in the data folder photos"},
		{"photos/cats/o.PNG", []string{"photos/"}, "lies in the data folder"},
		{"o.png", []string{"."}, "a picture of it"},
		{filepath.Join(here, "photos", "o.gif"), []string{"./photos"}, "a picture of it"},
		{"photos/o.png", []string{"", "mnist", "photos"}, "a picture of it"},
		{"photos/drawn/", []string{"photos"}, "its pictures will be read"},
		{"photos/drawn", []string{"photos"}, "its pictures will be read"},
		{"o.png", []string{"photos", "other", "none"}, ""},
		{"photos2/o.png", []string{"photos"}, ""},
		{"photos/o.npy", []string{"photos"}, ""},
		{"mnist/o.png", []string{"mnist"}, ""}, // the known set
		{"mnist/o.png", []string{"./mnist"}, "a picture of it"},
		{"-", []string{"photos"}, ""}, {"", []string{"."}, ""},
	} {
		note, ok := JoinNote(c.out, c.data...)
		if ok != (c.want != "") || !strings.Contains(note.Text, c.want) {
			t.Errorf("%s into %q: %q, want %q", c.out, c.data, note.Text, c.want)
		}
	}
	if linked {
		for out, data := range map[string]string{"link/o.png": "photos", "photos/o.png": "link"} {
			if _, ok := JoinNote(out, data); !ok {
				t.Errorf("%s into %s by a link: no note", out, data)
			}
		}
	}
}

// A folder that a known set hides gets a note, but not the folder that the set is read from.
func TestNoteHidden(t *testing.T) {
	makeFolders(t, "mnist", "fashion-mnist", "photos")
	if err := os.WriteFile("cifar-10", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(name, want string) {
		t.Helper()
		got := ""
		Reader{OnEvent: func(e pipeline.Event) { got += e.Text }}.noteHidden(name)
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	check("mnist", "the folder ./mnist is not read: write ./mnist for it")
	check("./mnist", "")
	check("photos", "")
	check("cifar-10", "the file ./cifar-10")
	check("fashion-mnist", "the folder ./fashion-mnist")
	if _, err := os.Stat("/usr/share/datasets/fashion-mnist"); err == nil {
		return // the set is found there first
	}
	if err := os.WriteFile("fashion-mnist/train-images-idx3-ubyte", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("fashion-mnist", "")
}

func TestMissing(t *testing.T) {
	makeFolders(t, "photos")
	for name, want := range map[string]bool{"photos": false, "mnist": false, "": false, "gone": true, "photos/gone": true} {
		if got := Missing(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if err := MovedError("this run", "gone"); !strings.Contains(err.Error(), "this run was trained on is not where it was: there is no gone in ") {
		t.Error(err)
	}
}
