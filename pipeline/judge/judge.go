package judge

import (
	"context"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/metrics"
)

// A Judge finds features of images. Judges of a panel differ in kind.
type Judge interface {
	// Name returns the judge's name in reports and options, such as "classifier" or "random". No
	// two judges of a panel have one name.
	Name() string
	// Shape returns the rows, columns and channels of the images that the judge takes.
	Shape() (h, w, c int)
	// Features returns a row of features for each image, in order. They are the same, to the byte,
	// for any number of workers. When ctx ends, Features returns ctx.Err().
	Features(ctx context.Context, on *crew.Crew, images Images) (metrics.Features, error)
}

// Images are images in [-1, 1] that are read by their number. A dataset.Source is one too.
type Images interface {
	// Len returns the number of images.
	Len() int
	// Image writes image i, [H, W, C], to dst and returns its label, -1 for none. It may be called
	// by several goroutines at once.
	Image(i int, dst []float32) (label int)
}
