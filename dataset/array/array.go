package array

import (
	"context"
	"math"

	"github.com/fmimg/fmimg/dataset/tree"
)

// Images are images of one shape, with their labels.
type Images struct {
	Height, Width int
	Channels      int     // 1 (gray) or 3 (RGB)
	Pixels        []byte  // N·H·W·C, NHWC: rows from the top, channels contiguous
	Labels        []int32 // one for each image, -1 for none; nil where no image has one
}

// Len returns the number of images.
func (m *Images) Len() int { return len(m.Pixels) / (m.Height * m.Width * m.Channels) }

// A Set is what was read.
type Set struct {
	Format  string
	Train   *Images
	Test    *Images      // nil for none
	Classes []string     // nil: no labels
	Notes   []string     // one line each: what was assumed, left out, not found
	Files   []*tree.File // that were read
}

// A Source is a set that was found and can be read.
type Source struct {
	Format string
	Name   string       // the file by which a person would name the set
	Files  []*tree.File // that belong to it
	// Read reads the set. Its errors name files and cures, but not the set.
	Read func(ctx context.Context, l Limits) (*Set, error)
}

// Limits bound what a set may take. The zero value is the default.
type Limits struct {
	MaxBytes int64 // of all images; 0 means 4 GiB
}

// maxBytes returns the limit. It is never more than the program can address.
func (l Limits) maxBytes() int64 {
	if l.MaxBytes <= 0 {
		return min(4<<30, math.MaxInt)
	}
	return min(l.MaxBytes, math.MaxInt)
}
