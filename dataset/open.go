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
	Size     int     // side in pixels of the square that images are cropped and resized to; 0: as they are, pictures 32
	Channels int     // 1 for gray, 3 for RGB; 0: as they are, pictures gray when every one of them is
	Strict   bool    // a file that cannot be used is an error; false: it is left out and counted
	HoldOut  float64 // share of the images to keep from training, in sets without test images of their own; 0: none
	Seed     uint64  // decides which images these are
	MaxBytes int64   // limit on the bytes of all images; 0: 4 GiB

	// Parallel calls do for 0 to n-1, in any order and possibly at once, and returns when all have
	// returned, or an error when it did not call them all. nil: one after the other.
	Parallel func(n int, do func(i int)) error
	// Progress is told how many pictures of a folder are read, by one goroutine at a time; may be
	// nil.
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

// parallel calls do for 0 to n-1, in the way that the options name.
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
	Test    Source // others, which training never sees; nil when there are none
	OwnTest bool   // Test comes with the set; false: it is a share of the images that was held out

	Format  string      // what was read: "IDX files", "folder of pictures", …
	Path    string      // where; "" for what is part of the program
	Files   int         // files that were looked at, in a folder or archive of pictures
	Sizes   []SizeCount // of the pictures as they were, the most frequent first; nil for other sets
	Skipped []Skip      // files that could not be used; nil for none
	Digest  string      // of what was read, the same for the same files; "" for what is part of the program
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
	First  string `json:"first"`            // one of the files
	Detail string `json:"detail,omitempty"` // what is wrong with that one
}

// SkippedFiles returns the number of files that were left out.
func (s *Set) SkippedFiles() int {
	n := 0
	for _, skip := range s.Skipped {
		n += skip.Count
	}
	return n
}

// ErrFormat means that a file is there, in a format that this package does not read.
var ErrFormat = errors.New("format not supported")

// Open reads a data set: one that is known by name ([List]), or the files at a path. What is read
// is kept as bytes; the sets that are part of the program are decoded once and shared. ctx can end
// a long reading.
//
// A name that is not known gives an [UnknownError], a known set that this machine lacks a
// [NotHereError], and a file of another kind an error that wraps [ErrFormat].
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

// open finds what the name means: a known set comes before a file of its name.
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

// finish converts the images of files that have a size of their own, and holds some out.
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
