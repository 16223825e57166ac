package feed

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// A Feed gives the workers the images of the batches of a run, epoch after epoch, each epoch in its
// own order.
type Feed struct {
	Data       dataset.Source
	Order      *Order
	Dequantize bool // spread bytes over their width
	Shift      int  // move each image by up to so many pixels, right or left and up or down

	seed uint64
	flip bool // mirror every second image
}

// New makes the feed of a run. batch is the number of images of a step. flip says that every second
// image is mirrored.
func New(data dataset.Source, seed uint64, batch int, flip bool) *Feed {
	return &Feed{Data: data, Order: NewOrder(data.Len(), seed, batch), seed: seed, flip: flip}
}

// Prepare readies the batch of a step. It must be called before workers ask for the step's images.
func (f *Feed) Prepare(step, batch int) { f.Order.Prepare(step*batch, batch) }

// Image writes the image at a position of the step's batch to dst, and returns its class, -1 for
// none. It seeds rng with a key of its own and draws from it. Workers may call it at the same time.
func (f *Feed) Image(rng *rand.PCG, step, position int, dst []float32) int {
	return f.Read(rng, f.Order.Index(position), step, position, dst)
}

// Read is [Feed.Image] for a caller who chooses the image: index is the image's number in the data.
func (f *Feed) Read(rng *rand.PCG, index, step, position int, dst []float32) int {
	label := f.Data.Image(index, dst)
	if f.flip {
		pipeline.Seed(rng, f.seed, pipeline.StreamFlip, step, position)
		if rng.Uint64()>>63 == 1 {
			_, width, channels := f.Data.Shape()
			Mirror(dst, width*channels, channels)
		}
	}
	if f.Shift > 0 {
		_, width, channels := f.Data.Shape()
		pipeline.Seed(rng, f.seed, pipeline.StreamShift, step, position)
		shift(dst, width*channels, channels, drawShift(rng, f.Shift), drawShift(rng, f.Shift))
	}
	if f.Dequantize {
		pipeline.Seed(rng, f.seed, pipeline.StreamSpread, step, position)
		Dequantize(dst, rng)
	}
	return label
}

// Mirror exchanges left and right in an image whose rows are rowLen numbers, and whose pixels have
// the given channels.
func Mirror(image []float32, rowLen, channels int) {
	for ; len(image) > 0; image = image[rowLen:] {
		for a, b := 0, rowLen-channels; a < b; a, b = a+channels, b-channels {
			for c := range channels {
				image[a+c], image[b+c] = image[b+c], image[a+c]
			}
		}
	}
}
