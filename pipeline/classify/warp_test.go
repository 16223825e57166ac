package classify

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Linear interpolation is exact for a plane a·x + b·y + c. So a plane that an affine map has moved
// is the plane at the place in the source, wherever this place lies inside of the image.
func TestWarpMovesPlanes(t *testing.T) {
	const h, w, ch = 9, 12, 2
	src := make([]float32, h*w*ch)
	plane := func(x, y float64, c int) float64 { return 0.1*x - 0.05*y + float64(c) }
	for i := range src {
		src[i] = float32(plane(float64(i/ch%w), float64(i/ch/w), i%ch))
	}
	bounds := warpBounds{shift: 2, rotate: 20, scale: 0.2, shear: 0.2}
	dst := make([]float32, len(src))
	inside := 0
	for seed := range 20 {
		rng := rand.NewPCG(1, uint64(seed))
		m := bounds.draw(rng, h, w)
		m.apply(dst, src, h, w, ch)
		for i, got := range dst {
			x, y := float64(i/ch%w), float64(i/ch/w)
			u := float64(m.a00)*x + float64(m.a01)*y + float64(m.b0)
			v := float64(m.a10)*x + float64(m.a11)*y + float64(m.b1)
			if u > 0 && u < w-1 && v > 0 && v < h-1 {
				inside++
			}
			u, v = min(max(u, 0), w-1), min(max(v, 0), h-1) // the edge goes on
			// Roundings of coordinates up to 12 by slopes of 0.1, and of numbers up to 3.
			if want := plane(u, v, i%ch); math.Abs(float64(got)-want) > 2e-6 {
				t.Fatalf("seed %d, element %d is %v, want %v", seed, i, got, want)
			}
		}
	}
	if all := 20 * len(dst); inside < all/2 {
		t.Errorf("only %d of %d pixels come from inside: this proves little", inside, all)
	}
}

// Each bound does what its name says: a shift moves the middle, a rotation turns around it, and so
// on.
func TestWarpDraws(t *testing.T) {
	const h, w = 21, 21
	var extremes [4]float64
	for seed := range 400 {
		draw := func(bounds warpBounds) affine { return bounds.draw(rand.NewPCG(2, uint64(seed)), h, w) }
		middle := func(m affine) (x, y float64) {
			return float64(10*m.a00+10*m.a01+m.b0) - 10, float64(10*m.a10+10*m.a11+m.b1) - 10
		}
		if m := draw(warpBounds{}); m != (affine{a00: 1, a11: 1}) {
			t.Fatalf("without bounds: %+v", m)
		}
		m := draw(warpBounds{shift: 3})
		x, y := middle(m)
		extremes[0] = max(extremes[0], math.Abs(x), math.Abs(y))
		m = draw(warpBounds{rotate: 30})
		if x, y := middle(m); math.Abs(x)+math.Abs(y) > 1e-5 || math.Abs(float64(m.a00*m.a00+m.a10*m.a10)-1) > 1e-6 {
			t.Fatalf("a rotation moves the middle or stretches: %+v", m)
		}
		extremes[1] = max(extremes[1], math.Abs(math.Atan2(float64(m.a10), float64(m.a00)))*180/math.Pi)
		m = draw(warpBounds{scale: 0.25})
		extremes[2] = max(extremes[2], math.Abs(float64(m.a00)-1), math.Abs(float64(m.a11)-1))
		m = draw(warpBounds{shear: 0.5})
		extremes[3] = max(extremes[3], math.Abs(float64(m.a01)))
	}
	// The largest of 400 uniform draws is above 0.97 of the bound, except with a chance of 0.97⁴⁰⁰
	// = 5e-6.
	for i, bound := range []float64{3, 30, 0.25, 0.5} {
		if extremes[i] > bound*(1+1e-5) || extremes[i] < 0.97*bound {
			t.Errorf("bound %d of %v: the largest draw is %v", i, bound, extremes[i])
		}
	}
}

func TestWarpOfNothing(t *testing.T) {
	src := []float32{1, 2, 3, 4, 5, 6}
	dst := make([]float32, 6)
	m := affine{a00: 1, a11: 1}
	if m.apply(dst, src, 2, 3, 1); !slices.Equal(dst, src) {
		t.Errorf("%v became %v", src, dst)
	}
}
