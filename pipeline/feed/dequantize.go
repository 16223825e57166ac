package feed

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
)

// Dequantize spreads the bytes of an image over their width. pixels are as a data source gives
// them. A pixel of byte b becomes (b+u)/128 − 1, with u uniform on (0, 1) from rng. The density p
// of such numbers bounds the probability P of the bytes: log P(b) ≥ E_u log p(b+u) (Theis, van den
// Oord and Bethge 2016, "A note on the evaluation of generative models", section 3.1).
func Dequantize(pixels []float32, rng *rand.PCG) {
	for i, v := range pixels {
		pixels[i] = dataset.Dequantize(dataset.ToByte(v), flow.OpenUniform(rng))
	}
}
