package feed

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// HeldDraws is the number of draws of a validation loss. Data with fewer images has some of them
// drawn again, with other noise and at other times.
const HeldDraws = 256

// HeldImage writes the image of a draw of the validation loss to dst, and returns its class, -1 for
// none. Images are taken at equal distances, as sets may be sorted by class. spread says that bytes
// are spread over their width. HeldImage seeds rng for that.
func HeldImage(data dataset.Source, seed uint64, draw int, spread bool, rng *rand.PCG, dst []float32) int32 {
	at := draw % data.Len()
	if data.Len() > HeldDraws {
		at = draw * data.Len() / HeldDraws
	}
	label := int32(data.Image(at, dst))
	if spread {
		pipeline.Seed(rng, seed, pipeline.StreamHeldSpread, draw, 0)
		Dequantize(dst, rng)
	}
	return label
}
