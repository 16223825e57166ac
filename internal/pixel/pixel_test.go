package pixel

import (
	"math"
	"testing"
)

func TestToByte(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want uint8
	}{
		{-1, 0}, {1, 255}, {0, 128}, {-2, 0}, {2, 255}, {1/HalfRange - 1, 1}, {254/HalfRange - 1, 254},
		{float32(math.Inf(-1)), 0}, {float32(math.Inf(1)), 255}, {float32(math.NaN()), 0},
	} {
		if got := ToByte(c.x); got != c.want {
			t.Errorf("%v becomes %d, want %d", c.x, got, c.want)
		}
	}
}
