package dataset

import (
	"context"
	"fmt"
	"math"
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
