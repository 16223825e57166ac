package dataset

import (
	"errors"
	"fmt"

	"github.com/fmimg/fmimg/internal/option"
)

// A Set is a data set that was opened.
type Set struct {
	Train   Source // images to train on
	Test    Source // images that training never sees; nil when there are none
	OwnTest bool   // Test comes with the set; false: its images were held out

	Format  string      // "IDX files", "folder of pictures", …
	Path    string      // of the folder or file; "" for a set that is part of the program
	Files   int         // files that were looked at, in a folder or archive of pictures
	Sizes   []SizeCount // of pictures, the most frequent first; nil for other sets
	Skipped []Skip      // files that could not be used; nil for none
	Digest  string      // a hash of the files; "" for a set that is part of the program
	Notes   []Note      // what was guessed or left out, one line each

	// Clusters are what the classes stand for, where the options ask for them; else nil.
	Clusters *Clusters

	// Contents are the files that were read; nil for a set that is part of the program.
	Contents []Content
}

// A Content is a file with the CRC-32 of what it held.
type Content struct {
	Name string // inside the set
	Sum  uint32
}

// A Note says in one line what was guessed or left out. The one who shows it chooses the words for
// options.
type Note = option.Message

// A SizeCount says how many pictures have a size in pixels.
type SizeCount struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	Count  int `json:"count"`
}

// A Skip says how many files were left out for a reason.
type Skip struct {
	Reason string `json:"reason"` // "not a picture"
	Count  int    `json:"count"`
	First  string `json:"first"`            // the first of these files
	Detail string `json:"detail,omitempty"` // what is wrong with it
}

// SkippedFiles returns the number of files that were left out.
func (s *Set) SkippedFiles() int {
	n := 0
	for _, skip := range s.Skipped {
		n += skip.Count
	}
	return n
}

// ErrFormat means that there is a file, but in a format that this package does not read.
var ErrFormat = errors.New("format not supported")

// A FormatError is a file whose format this package does not read.
type FormatError struct {
	Path string
	Why  string // with what can be done
}

// Error returns one line.
func (e *FormatError) Error() string { return fmt.Sprintf("data set %s: %s", e.Path, e.Reason()) }

// Reason returns the line without the path.
func (e *FormatError) Reason() string { return fmt.Sprintf("%v: %s", ErrFormat, e.Why) }

// Unwrap returns [ErrFormat].
func (e *FormatError) Unwrap() error { return ErrFormat }

func formatError(path, why string) error { return &FormatError{path, why} }
