package feed

import (
	"slices"
	"testing"
)

// Colours fade to the middle gray with their alpha, which stays.
func TestOverGray(t *testing.T) {
	for _, c := range []struct {
		channels    int
		image, want []float32
	}{
		{1, []float32{1, -1, 0.5}, []float32{1, -1, 0.5}},
		{3, []float32{1, -1, 0.5}, []float32{1, -1, 0.5}},
		{2, []float32{1, 1, 1, 0, 1, -1, -1, -3, -1, 3}, []float32{1, 1, 0.5, 0, 0, -1, 0, -3, -1, 3}},
		{4, []float32{1, -1, 0.5, -1, 1, -1, 0.5, 0}, []float32{0, 0, 0, -1, 0.5, -0.5, 0.25, 0}},
	} {
		if OverGray(c.image, c.channels); !slices.Equal(c.image, c.want) {
			t.Errorf("%d channels: %v, want %v", c.channels, c.image, c.want)
		}
	}
}
