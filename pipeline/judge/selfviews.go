package judge

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// The bounds of a view: the least side of its part of the image, as a share of the image's, and
// how far the gain and the offset of a channel lie from 1 and 0, in units of pixels from -1 to 1.
const (
	leastCrop  = 0.6
	viewGain   = 0.3
	viewOffset = 0.2
)

// A turn is one of the ways in which a view is turned round, which its network has to tell.
type turn int

// turns is the number of turns. A square image is rotated by 0, 90, 180 or 270 degrees. Another
// one is mirrored: not, left to right, upside down, or both.
const turns = 4

// A viewer makes views of images: parts of them, enlarged to the image's size, in other colours,
// and turned. It belongs to one worker.
type viewer struct {
	shape pipeline.Shape
	part  []float32 // [H, W, C], a view before it is turned
}

func newViewer(s pipeline.Shape) *viewer { return &viewer{s, make([]float32, s.Len())} }

// view writes a view of an image, both [H, W, C], to dst. Its draws are those of rng.
func (v *viewer) view(dst, image []float32, t turn, rng *rand.PCG) {
	v.crop(image, rng)
	v.recolour(rng)
	v.turn(dst, t)
}

// crop enlarges a random part of an image to v.part. It keeps the proportions, and interpolates
// linearly between pixels.
func (v *viewer) crop(image []float32, rng *rand.PCG) {
	s := v.shape
	share := leastCrop + (1-leastCrop)*flow.OpenUniform(rng)
	top := flow.OpenUniform(rng) * (1 - share) * float64(s.Height-1)
	left := flow.OpenUniform(rng) * (1 - share) * float64(s.Width-1)
	for y := range s.Height {
		y0, y1, fy := between(float32(top+float64(share*float64(y))), s.Height)
		for x := range s.Width {
			x0, x1, fx := between(float32(left+float64(share*float64(x))), s.Width)
			to := v.part[(y*s.Width+x)*s.Channels:][:s.Channels]
			for c := range to {
				at := func(y, x int) float32 { return image[(y*s.Width+x)*s.Channels+c] }
				above, below := mix(at(y0, x0), at(y0, x1), fx), mix(at(y1, x0), at(y1, x1), fx)
				to[c] = mix(above, below, fy)
			}
		}
	}
}

// between returns the pixels on both sides of a coordinate in a row of n pixels, and the weight of
// the second one.
func between(u float32, n int) (low, high int, share float32) {
	low = min(int(u), n-1)
	return low, min(low+1, n-1), u - float32(low)
}

// mix returns the mean of a and b, with the given share of b.
func mix(a, b, share float32) float32 { return a + float32(share*(b-a)) }

// recolour changes the contrast and the brightness of each channel of v.part, but not alpha.
func (v *viewer) recolour(rng *rand.PCG) {
	channels := v.shape.Channels
	colours := channels
	if feed.HasAlpha(channels) {
		colours--
	}
	for c := range colours {
		gain := float32(1 + viewGain*(2*flow.OpenUniform(rng)-1))
		offset := float32(viewOffset * (2*flow.OpenUniform(rng) - 1))
		for i := c; i < len(v.part); i += channels {
			x := float32(gain*v.part[i]) + offset
			v.part[i] = min(max(x, dataset.PixelMin), dataset.PixelMax)
		}
	}
}

// turn writes v.part to dst, turned.
func (v *viewer) turn(dst []float32, t turn) {
	h, w, c := v.shape.Height, v.shape.Width, v.shape.Channels
	for y := range h {
		for x := range w {
			fromY, fromX := turned(t, y, x, h, w)
			copy(dst[(y*w+x)*c:][:c], v.part[(fromY*w+fromX)*c:][:c])
		}
	}
}

// turned returns the pixel that comes to (y, x).
func turned(t turn, y, x, h, w int) (fromY, fromX int) {
	if h != w {
		if t&1 == 1 {
			x = w - 1 - x
		}
		if t&2 == 2 {
			y = h - 1 - y
		}
		return y, x
	}
	for range t {
		y, x = x, w-1-y
	}
	return y, x
}
