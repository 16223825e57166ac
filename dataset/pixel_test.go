package dataset_test

import (
	"math"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

func TestPixelRoundTrip(t *testing.T) {
	for b := range 256 {
		x := dataset.FromByte(uint8(b))
		if want := float64(b)/127.5 - 1; math.Abs(float64(x)-want) > 1e-7 { // one rounding in [1,2)
			t.Errorf("FromByte(%d) = %v, want %v", b, x, want)
		}
		if got := dataset.ToByte(x); int(got) != b {
			t.Errorf("ToByte(FromByte(%d)) = %d", b, got)
		}
	}
	if dataset.FromByte(0) != dataset.PixelMin || dataset.FromByte(255) != dataset.PixelMax {
		t.Errorf("the ends are %v and %v", dataset.FromByte(0), dataset.FromByte(255))
	}
}

func TestToByteRoundsAndClamps(t *testing.T) {
	inf := float32(math.Inf(1))
	const step = 1 / 127.5
	for _, c := range []struct {
		x    float32
		want uint8
	}{
		{-inf, 0}, {-2, 0}, {-1, 0}, {-1 + 0.49*step, 0}, {-1 + 0.51*step, 1}, {-1 + 1.49*step, 1},
		{0, 128}, // 127.5: half-way, up
		{-1e-7, 127}, {1 - 0.51*step, 254}, {1 - 0.49*step, 255}, {1, 255},
		{1 + 0.6*step, 255}, {2, 255}, {1e30, 255}, {inf, 255}, {inf - inf, 0},
	} {
		if got := dataset.ToByte(c.x); got != c.want {
			t.Errorf("ToByte(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}
