package realnvp

import (
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
)

// levels is the number of values of an 8-bit pixel.
const levels = 256

// Dequantise makes of bytes k continuous numbers (k + u)/256 in (0, 1), u uniform: a density of these bounds the probability
// of the bytes from below (Theis et al. 2016, "A note on the evaluation of generative models", section 3.1).
func Dequantise(x []float32, bytes []uint8, p *rand.PCG) {
	for i, k := range bytes {
		x[i] = float32((float64(k) + flow.OpenUniform(p)) / levels)
	}
}

// BitsPerDim turns the log-density of an image of d numbers in [0, 1], in nats, into bits for each of its 8-bit numbers.
func BitsPerDim(logp float64, d int) float64 {
	return math.Log2(levels) - logp/(float64(d)*math.Ln2)
}
