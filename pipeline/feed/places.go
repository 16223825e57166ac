package feed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/pipeline"
)

// pictureEndings are the endings of the pictures that the program writes.
var pictureEndings = []string{".png", ".gif"}

// JoinNote returns a note for an output, a file or a folder of pictures, that lies in the folder of
// one of some data sets: it will be read as a picture of the set. ok is false where there is
// nothing to say. Names of data sets, files and empty names are no folders.
func JoinNote(out string, data ...string) (note pipeline.Event, ok bool) {
	file := slices.Contains(pictureEndings, strings.ToLower(filepath.Ext(out)))
	if out == "" || !file && filepath.Ext(out) != "" && !os.IsPathSeparator(out[len(out)-1]) {
		return note, false
	}
	for _, folder := range data {
		if _, known := place(folder); folder == "" || known || !regular.Within(out, folder) || !holdsPictures(folder) {
			continue
		}
		if file {
			return pipeline.Note("%s lies in the data folder %s: it will be read as a picture of it next time", out, folder), true
		}
		return pipeline.Note("%s lies in the data folder %s: its pictures will be read with it next time", out, folder), true
	}
	return note, false
}

// arrays matches the names of files whose folders are not read as pictures: IDX files and the
// batches of CIFAR.
var arrays = regexp.MustCompile(`(?i)(idx[0-9]+-ubyte|batch.*\.bin|^(train|test)\.bin)`)

// holdsPictures reports whether a folder is one of pictures, by the names of its files.
func holdsPictures(folder string) bool {
	entries, err := os.ReadDir(folder)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return arrays.MatchString(e.Name()) })
}

// place returns where the data set of a name is. known is false for the name of a path.
func place(name string) (found string, known bool) {
	for _, set := range dataset.List() {
		if set.Name == name {
			return set.Found, true
		}
	}
	return "", false
}

// hidden returns the folder or file of the name of a known set that is not read because of the set:
// "the folder ./mnist". It is empty where there is none, and where the set is read from there.
func hidden(name string) string {
	found, known := place(name)
	if !known || filepath.Clean(found) == name {
		return ""
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return "the folder ./" + name
	}
	return "the file ./" + name
}

// noteHidden sends a note where the name of a known set hides a folder or file.
func (r Reader) noteHidden(name string) {
	if what := hidden(name); what != "" && r.OnEvent != nil {
		r.OnEvent(pipeline.Note("%s is the known data set, %s is not read: write ./%s for it", name, what, name))
	}
}

// Missing reports whether a name of data is a path at which there is nothing.
func Missing(data string) bool {
	if _, known := place(data); data == "" || known {
		return false
	}
	_, err := os.Stat(data)
	return errors.Is(err, fs.ErrNotExist)
}

// MovedError returns the error of recorded data that is not where it was. who was trained on it,
// such as "the model".
func MovedError(who, data string) error {
	where := "there is no " + data
	if here, err := os.Getwd(); err == nil && !filepath.IsAbs(data) {
		where += " in " + here
	}
	return option.Faultf("the data that %s was trained on is not where it was: %s", who, where).
		Cured("name its new place with %v", option.Setting{Option: "data"})
}
