package feed

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// A dequantised pixel lies in the bin of its byte, so the byte can be found from it.
func TestDequantizeKeepsBytes(t *testing.T) {
	x := make([]float32, 256)
	for b := range x {
		x[b] = dataset.FromByte(uint8(b))
	}
	var rng rand.PCG
	pipeline.Seed(&rng, 1, pipeline.StreamSpread, 0, 0)
	Dequantize(x, &rng)
	different := 0
	for b, v := range x {
		if got := math.Floor((float64(v) + 1) * 128); got != float64(b) {
			t.Errorf("byte %d became %v, which is byte %v", b, v, got)
		}
		if v != dataset.Dequantize(uint8(b), 0.5) {
			different++
		}
	}
	if different < 250 {
		t.Error("no noise")
	}
}
