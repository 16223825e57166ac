package feed

import (
	"slices"
	"testing"
)

// Rows are mirrored pixel by pixel, and twice mirrored is the image itself.
func TestMirror(t *testing.T) {
	for _, c := range []struct {
		rowLen, channels int
		want             []float32
	}{
		{3, 1, []float32{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}},
		{4, 1, []float32{4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9}},
		{6, 3, []float32{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}},
	} {
		x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		Mirror(x, c.rowLen, c.channels)
		if !slices.Equal(x, c.want) {
			t.Errorf("rows of %d, %d channels: %v", c.rowLen, c.channels, x)
		}
		Mirror(x, c.rowLen, c.channels)
		if x[0] != 1 || x[11] != 12 {
			t.Errorf("mirrored twice: %v", x)
		}
	}
}
