package run

import (
	"slices"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

func TestContents(t *testing.T) {
	d := &Folder{Path: t.TempDir()}
	if got := d.Contents(); got != nil {
		t.Errorf("%v of no file", got)
	}
	list := []dataset.Content{{Name: "a b\n\"c", Sum: 7}, {Name: "ä.png", Sum: 1<<32 - 1}}
	for range 2 { // the second call keeps the file
		if err := d.saveContents(list); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.Contents(); !slices.Equal(got, list) {
		t.Errorf("%v, want %v", got, list)
	}
}

func TestChanges(t *testing.T) {
	files := func(sum uint32, names ...string) []dataset.Content {
		var list []dataset.Content
		for _, name := range names {
			list = append(list, dataset.Content{Name: name, Sum: sum})
		}
		return list
	}
	for _, c := range []struct {
		had, has []dataset.Content
		want     string
	}{
		{files(1, "a", "b"), files(1, "a", "b"), ""},
		{files(1, "a", "b"), files(1, "b"), "a is gone"},
		{files(1, "a"), files(2, "a"), "a has other content"},
		{files(1, "a"), files(1, "a", "c", "d"), "c and 1 other file are new"},
		{files(1, "a", "b", "c"), files(1, "x\n"), `a and 2 other files are gone, "x\n" is new`},
	} {
		if got := Changes(c.had, c.has); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
