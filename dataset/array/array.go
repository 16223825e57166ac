package array

import (
	"context"
	"math"

	"github.com/fmimg/fmimg/dataset/tree"
)

// Images are images of one shape, with their labels.
type Images struct {
	Height, Width int
	Channels      int     // 1 (gray) or 3 (RGB), and with an alpha channel 2 or 4
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

	// Channels is how many the files have, and Alpha what became of an alpha channel.
	Channels  int
	Alpha     Alpha
	keepAlpha bool
	wanted    []string // how the labels of each part are called that were not found
}

// Alpha says what became of an alpha channel that [Limits] do not ask for.
type Alpha int

// The ways, each above those that it prevails over. Unused means that the channel was 0 everywhere.
const (
	Kept   Alpha = iota // or there was none
	Opaque              // left out, as all pixels are opaque
	Unused              // left out, as all pixels would be white
	White               // transparent pixels became white
)

// A Source is a set that was found and can be read.
type Source struct {
	Format string
	Name   string       // the file by which a person would name the set
	Files  []*tree.File // that belong to it
	// Read reads the set. Its errors name files and cures, but not the set.
	Read func(ctx context.Context, l Limits) (*Set, error)

	plan   func(r *recipe) error // writes the recipe by which Read reads; nil for other sources
	folder string                // of the file of images
	stem   string                // of its name
	told   bool                  // its name says that it has images
}

// Limits bound what a set may take, and say whether it keeps alpha. The zero value is the default.
type Limits struct {
	MaxBytes int64 // of all images; 0 means 4 GiB
	Alpha    bool  // keep an alpha channel: images have 2 or 4 channels where the files do
}

// maxBytes returns the limit. It is never more than the program can address.
func (l Limits) maxBytes() int64 {
	if l.MaxBytes <= 0 {
		return min(4<<30, math.MaxInt)
	}
	return min(l.MaxBytes, math.MaxInt)
}
