package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
)

// Options say how a data set is read. The zero value suits every set.
type Options struct {
	// Size is the side in pixels of the square that images are cropped and resized to. 0 leaves
	// images as they are, but makes pictures 32 pixels wide.
	Size int
	// Channels is 1 for gray and 3 for RGB. 0 leaves images as they are, and makes pictures gray
	// when every one of them is gray.
	Channels int
	// Strict makes a file that cannot be used an error. Without it, the file is left out and
	// counted.
	Strict bool
	// HoldOut is the share of the images to keep from training, 0 for none. A set with test images
	// of its own ignores it.
	HoldOut float64
	// Seed decides which images are held out.
	Seed uint64
	// MaxBytes is the limit on the bytes of all images. 0 means 4 GiB.
	MaxBytes int64

	// Parallel calls do for 0 to n-1, in any order and possibly at once. It returns when all calls
	// have returned, with an error when it did not make them all. nil means one call after the
	// other.
	Parallel func(n int, do func(i int)) error
	// Progress is told how many pictures of a folder are read, by one goroutine at a time. It may
	// be nil.
	Progress func(read, total int)
}

// The defaults of Options.
const (
	defaultSide     = 32
	defaultMaxBytes = 4 << 30
)

// maxSide bounds the side of images.
const maxSide = 4096

func (o Options) validate() error {
	switch {
	case o.Size < 0 || o.Size > maxSide:
		return fmt.Errorf("images of %dx%d: a side lies between 1 and %d", o.Size, o.Size, maxSide)
	case o.Channels != 0 && o.Channels != 1 && o.Channels != 3:
		return fmt.Errorf("images of %d channels: 1 (gray) or 3 (RGB) can be made", o.Channels)
	case !(o.HoldOut >= 0 && o.HoldOut < 1):
		return fmt.Errorf("a share of %v held out: between 0 and 1", o.HoldOut)
	}
	return nil
}

// maxBytes returns the limit on the bytes of all images. It is never more than the program can
// address, which is half of the default where an int has 32 bits.
func (o Options) maxBytes() int64 {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = defaultMaxBytes
	}
	return min(limit, math.MaxInt)
}

// parallel calls do for 0 to n-1, as the options say.
func (o Options) parallel(ctx context.Context, n int, do func(i int)) error {
	if o.Parallel != nil {
		if err := o.Parallel(n, do); err != nil {
			return err
		}
		return ctx.Err()
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		do(i)
	}
	return nil
}

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
}

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

// Open reads a data set that is known by name ([List]), or the files at a path. It keeps images as
// bytes. Sets that are part of the program are decoded once and shared. ctx can end a long reading.
//
// An unknown name gives an [UnknownError], a known set that this machine lacks a [NotHereError],
// and a file in another format a [FormatError], which wraps [ErrFormat].
func Open(ctx context.Context, name string, o Options) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	set, err := open(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if err := set.finish(ctx, o); err != nil {
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	return set, nil
}

// open finds what the name means. A known set comes before a file of the same name.
func open(ctx context.Context, name string, o Options) (*Set, error) {
	if k := find(name); k != nil {
		return k.open(ctx, o)
	}
	info, err := os.Stat(name)
	isPath := strings.ContainsAny(name, `/\`)
	switch {
	case err == nil:
		return openPath(ctx, name, info, o)
	case errors.Is(err, os.ErrPermission), isPath && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("data set %s: %w", name, err)
	}
	return nil, unknown(name)
}

// finish brings the images into the shape that the options ask for, and holds some out.
func (s *Set) finish(ctx context.Context, o Options) error {
	var err error
	if s.Train, err = fit(ctx, s.Train, o); err != nil {
		return err
	}
	if s.Test, err = fit(ctx, s.Test, o); err != nil {
		return err
	}
	if s.OwnTest = s.Test != nil; !s.OwnTest && o.HoldOut > 0 {
		s.Train, s.Test = Split(s.Train, o.HoldOut, o.Seed)
	}
	return nil
}
