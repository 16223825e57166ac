package dataset

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// A Source is a finite set of images of one shape. It is read-only, and safe for use by several
// goroutines at once.
type Source interface {
	// Name says what it is, in a word: "mnist/train".
	Name() string
	// Len returns the number of images.
	Len() int
	// Shape returns the images' rows, columns and channels.
	Shape() (h, w, c int)
	// Image writes the pixels of image i, 0 <= i < Len, to dst: h·w·c numbers in [-1,1], channels
	// contiguous, then columns, then rows (NHWC). It returns the image's class, an index into Classes,
	// or -1 when it has none. It allocates nothing, and panics when i or the length of dst is wrong.
	Image(i int, dst []float32) (label int)
	// Classes returns the names of the classes, nil when the images are not labelled. It must not be
	// changed.
	Classes() []string
}

// Options say how a data set is read. The zero value suits every set; there is nothing to choose about
// the ones that this version has.
type Options struct{}

// Info describes a data set that [Open] knows by name.
type Info struct {
	Name        string // what Open is given
	Description string // one line: contents, size, licence
}

// ErrFormat means that a file or folder is there, in a format that this version does not read.
var ErrFormat = errors.New("format not supported")

// registry has the data sets that are known by name, in the order in which they are listed.
var registry = []struct {
	Info
	open func(Options) (train, test Source, err error)
}{
	{Info{"mnist", "handwritten digits 0-9, 28x28 grey, 60,000 + 10,000 images, embedded (CC BY-SA 3.0)"}, openMNIST},
}

// List returns the data sets that [Open] knows by name.
func List() []Info {
	list := make([]Info, len(registry))
	for i, r := range registry {
		list[i] = r.Info
	}
	return list
}

// Open returns a data set's images to train on and to test on. Opening it again costs nothing and shares
// the memory. A name that is not known gives an [UnknownError]; a file or folder, which this version
// cannot read yet, an error that wraps [ErrFormat].
func Open(name string, opts Options) (train, test Source, err error) {
	for _, r := range registry {
		if r.Name == name {
			train, test, err = r.open(opts)
			if err != nil {
				return nil, nil, fmt.Errorf("data set %s: %w", name, err)
			}
			return train, test, nil
		}
	}
	if _, err := os.Stat(name); err == nil {
		return openPath(name, opts)
	}
	return nil, nil, unknown(name)
}

// openPath reads a file or folder that exists. This is the place for formats.
func openPath(path string, _ Options) (train, test Source, err error) {
	return nil, nil, fmt.Errorf("data set %s: %w: this version reads no files or folders, only these sets by name: %s",
		path, ErrFormat, strings.Join(names(), ", "))
}

func names() []string {
	list := make([]string, len(registry))
	for i, r := range registry {
		list[i] = r.Name
	}
	return list
}
