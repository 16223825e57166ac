package pipeline

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
)

// A feed gives the workers the images of the batches of a run: epoch after epoch, each in an order of its own.
type feed struct {
	data  dataset.Source
	order *epochOrder
	seed  uint64
	flip  bool // every second image is mirrored

	dequantize bool // bytes are spread over their width
}

// newFeed makes the feed of a run with batches of the given size.
func newFeed(data dataset.Source, seed uint64, batch int, flip bool) *feed {
	return &feed{data: data, order: newEpochOrder(data.Len(), seed, batch), seed: seed, flip: flip}
}

// prepare readies the batch of a step.
func (f *feed) prepare(step, batch int) { f.order.prepare(step*batch, batch) }

// image writes the image at a position of the step's batch to dst and returns its class, -1 for none. It draws
// from rng, with a key of its own. Workers may call it at once.
func (f *feed) image(rng *rand.PCG, step, position int, dst []float32) int {
	return f.read(rng, f.order.index(position), step, position, dst)
}

// read is image for a position whose image is known.
func (f *feed) read(rng *rand.PCG, index, step, position int, dst []float32) int {
	label := f.data.Image(index, dst)
	if f.flip {
		seedStream(rng, f.seed, streamFlip, step, position)
		if rng.Uint64()>>63 == 1 {
			_, width, channels := f.data.Shape()
			mirror(dst, width*channels, channels)
		}
	}
	if f.dequantize {
		seedStream(rng, f.seed, streamSpread, step, position)
		dequantize(dst, rng)
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
