package classify

import (
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// A Warp bounds how far images are moved at random, so that a network sees each of them in many
// ways. A bound below 0 is none.
type Warp struct {
	// Shift is in pixels, to each side and up and down; 0: 2.5; below 0: none.
	Shift float64
	// Rotate is in degrees, either way; 0: 12; below 0: none.
	Rotate float64
	// Scale is a share of the size, more or less, of width and height each; 0: 0.12; below 0: none.
	Scale float64
	// Shear is in pixels that a row moves sideways against the one below it; 0: 0.15; below 0:
	// none.
	Shear float64
}

// WithDefaults fills in everything.
func (w Warp) WithDefaults() Warp {
	option.SetDefault(&w.Shift, 2.5)
	option.SetDefault(&w.Rotate, 12)
	option.SetDefault(&w.Scale, 0.12)
	option.SetDefault(&w.Shear, 0.15)
	return w
}

// Validate reports the first bound that cannot be used.
func (w Warp) Validate() error {
	b := w.bounds()
	return option.First(
		option.Between("shift", b.shift, 0, pipeline.MaxSize),
		option.Between("rotate", b.rotate, 0, 180),
		option.Between("scale", b.scale, 0, 0.9),
		option.Between("shear", b.shear, 0, 10),
	)
}

// bounds returns the numbers of a warp whose defaults are filled in.
func (w Warp) bounds() warpBounds {
	return warpBounds{
		option.OrNone(w.Shift), option.OrNone(w.Rotate), option.OrNone(w.Scale), option.OrNone(w.Shear),
	}
}

// warpBounds are those of a [Warp]. The zero value leaves images as they are.
type warpBounds struct{ shift, rotate, scale, shear float64 }

// An affine map says where a pixel (x, y) of the result comes from: a·(x, y) + b.
type affine struct{ a00, a01, a10, a11, b0, b1 float32 }

// draw draws a map for images of h x w pixels. Uniform draws within the bounds make a rotation, a
// shear and a scaling around the middle, and a shift.
func (w *warpBounds) draw(rng *rand.PCG, height, width int) affine {
	within := func(bound float64) float64 { return (2*flow.OpenUniform(rng) - 1) * bound }
	sin, cos := math.Sincos(within(w.rotate) * math.Pi / 180)
	shear := within(w.shear)
	sx, sy := 1+within(w.scale), 1+within(w.scale)
	dx, dy := within(w.shift), within(w.shift)
	// (cos -sin; sin cos) · (1 shear; 0 1) · diag(sx, sy)
	a00, a01 := cos*sx, (float64(cos*shear)-sin)*sy
	a10, a11 := sin*sx, (float64(sin*shear)+cos)*sy
	cx, cy := float64(width-1)/2, float64(height-1)/2
	return affine{
		float32(a00), float32(a01), float32(a10), float32(a11),
		float32(cx + dx - float64(a00*cx) - float64(a01*cy)), float32(cy + dy - float64(a10*cx) - float64(a11*cy)),
	}
}

// apply writes src, [H, W, C], to dst, moved by the map. Between pixels it interpolates linearly.
// Beyond an edge the pixels at the edge go on.
func (m *affine) apply(dst, src []float32, height, width, channels int) {
	for y := range height {
		for x := range width {
			u := float32(m.a00*float32(x)) + float32(m.a01*float32(y)) + m.b0
			v := float32(m.a10*float32(x)) + float32(m.a11*float32(y)) + m.b1
			x0, x1, fx := neighbours(u, width)
			y0, y1, fy := neighbours(v, height)
			to := dst[(y*width+x)*channels:][:channels]
			above, below := y0*width, y1*width
			for c := range to {
				top := blend(src[(above+x0)*channels+c], src[(above+x1)*channels+c], fx)
				bottom := blend(src[(below+x0)*channels+c], src[(below+x1)*channels+c], fx)
				to[c] = blend(top, bottom, fy)
			}
		}
	}
}

// neighbours returns the pixels on both sides of a coordinate in a row of n pixels, and the weight
// of the second one.
func neighbours(u float32, n int) (low, high int, share float32) {
	u = min(max(u, 0), float32(n-1))
	low = int(u)
	return low, min(low+1, n-1), u - float32(low)
}

// blend returns the mean of a and b, with the given share of b.
func blend(a, b, share float32) float32 { return a + float32(share*(b-a)) }
