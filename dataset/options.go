package dataset

import (
	"context"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/dataset/decode"
)

// Options say how a data set is read. The zero value suits every set.
type Options struct {
	// Width and Height are the pixels that images are brought to, both or none. 0 leaves images as
	// they are, but brings pictures to 32x32.
	Width, Height int
	// Fit says how images are brought to another shape; empty: crop.
	Fit Fit
	// Channels is 1 for gray, 2 for gray and alpha, 3 for RGB and 4 for RGBA. 0 leaves images as
	// they are. It makes pictures gray when every one of them is gray, and RGB otherwise.
	Channels int
	// Labels says where the classes of pictures come from: "" from what is there, "folders" from
	// the folders, "none" from nowhere, "clusters" or "clusters:32" from the images that look
	// alike ([Set.Label]), or the path of a CSV file of file names and labels.
	Labels string
	// Clusters are those of an earlier reading, for Labels of clusters; nil: they are found.
	Clusters *Clusters
	// Strict makes a file that cannot be used an error. Without it, the file is left out and
	// counted.
	Strict bool
	// TextOrder takes files and classes in the order of text, 10 before 9, as older runs did.
	TextOrder bool
	// HoldOut is the share of the images to keep from training, 0 for none. A set with test images
	// of its own ignores it.
	HoldOut float64
	// Seed decides which images are held out, and where the search for clusters begins.
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

// A Fit says how an image is brought to other proportions.
type Fit = decode.Fit

// The ways: Crop takes the largest part of the right proportions out of the middle. Pad keeps the
// whole image, with transparent borders. Stretch changes the proportions.
const (
	Crop    = decode.Crop
	Pad     = decode.Pad
	Stretch = decode.Stretch
)

// The values of Options.Labels that are not a path.
const (
	FolderLabels = "folders"
	NoLabels     = "none"
)

// maxChannels is the largest number of channels of an image: red, green, blue and alpha.
const maxChannels = 4

// The defaults of Options.
const (
	defaultSide     = 32
	defaultMaxBytes = 4 << 30
)

// maxSide bounds the side of images.
const maxSide = 4096

func (o Options) validate() error {
	switch {
	case min(o.Width, o.Height) < 0 || max(o.Width, o.Height) > maxSide || (o.Width == 0) != (o.Height == 0):
		return fmt.Errorf("images of %dx%d: a side lies between 1 and %d", o.Width, o.Height, maxSide)
	case o.Channels < 0 || o.Channels > maxChannels:
		return fmt.Errorf("images of %d channels: 1 (gray) to %d (RGBA) can be made", o.Channels, maxChannels)
	case o.Fit != "" && o.Fit != Crop && o.Fit != Pad && o.Fit != Stretch:
		return fmt.Errorf("fit %q: want %s, %s or %s", o.Fit, Crop, Pad, Stretch)
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
