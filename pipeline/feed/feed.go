package feed

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// A Feed gives the workers the images of the batches of a run: epoch after epoch, each in an order of its own.
type Feed struct {
	Data  dataset.Source
	Order *Order
	seed  uint64
	flip  bool // every second image is mirrored

	Dequantize bool // bytes are spread over their width
}

// New makes the feed of a run with batches of the given size.
func New(data dataset.Source, seed uint64, batch int, flip bool) *Feed {
	return &Feed{Data: data, Order: NewOrder(data.Len(), seed, batch), seed: seed, flip: flip}
}

// Prepare readies the batch of a step.
func (f *Feed) Prepare(step, batch int) { f.Order.Prepare(step*batch, batch) }

// Image writes the image at a position of the step's batch to dst and returns its class, -1 for none. It draws
// from rng, with a key of its own. Workers may call it at once.
func (f *Feed) Image(rng *rand.PCG, step, position int, dst []float32) int {
	return f.Read(rng, f.Order.Index(position), step, position, dst)
}

// Read is image for a position whose image is known.
func (f *Feed) Read(rng *rand.PCG, index, step, position int, dst []float32) int {
	label := f.Data.Image(index, dst)
	if f.flip {
		pipeline.Seed(rng, f.seed, pipeline.StreamFlip, step, position)
		if rng.Uint64()>>63 == 1 {
			_, width, channels := f.Data.Shape()
			mirror(dst, width*channels, channels)
		}
	}
	if f.Dequantize {
		pipeline.Seed(rng, f.seed, pipeline.StreamSpread, step, position)
		Dequantize(dst, rng)
	}
	return label
}

// mirror exchanges left and right of an image whose rows are rowLen numbers of so many channels each.
func mirror(image []float32, rowLen, channels int) {
	for ; len(image) > 0; image = image[rowLen:] {
		for a, b := 0, rowLen-channels; a < b; a, b = a+channels, b-channels {
			for c := range channels {
				image[a+c], image[b+c] = image[b+c], image[a+c]
			}
		}
	}
}
