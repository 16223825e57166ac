package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// eachISA runs a test once per instruction set; those that the machine lacks are visibly skipped.
func eachISA(t *testing.T, f func(t *testing.T, isa ISA)) {
	have := Available()
	for isa := Generic; isa <= NEON; isa++ {
		t.Run(isa.String(), func(t *testing.T) {
			for _, h := range have {
				if h == isa {
					f(t, isa)
					return
				}
			}
			t.Skip("not available on this CPU or in this build")
		})
	}
}

// guard is what memory holds that an operation must not touch.
const guard = 1.5e30

// testMap makes a map inside a wider one: its own channels and pixels are random, its halo zero, and
// all else guard words. intact reports the first guard or halo element that changed.
func testMap(rng *rand.Rand, n, h, w, c, before, after, halo int) (m Map, intact func() error) {
	wide := newMap(n, h, w, before+c+after, halo)
	wide.data = wide.data[:cap(wide.data)]
	for i := range wide.data {
		wide.data[i] = guard
	}
	m = wide.Channels(before, before+c)
	fill := func(f func(px []float32, inside bool)) {
		for i := range n {
			for y := -halo; y < wide.Image/wide.Row-halo; y++ {
				for x := -halo; x < wide.Row/wide.Pixel-halo; x++ {
					f(m.At(i, y, x), y >= 0 && y < h && x >= 0 && x < w)
				}
			}
		}
	}
	fill(func(px []float32, inside bool) {
		for k := range px {
			px[k] = 0
			if inside {
				px[k] = float32(rng.NormFloat64())
			}
		}
	})
	before2 := append([]float32(nil), wide.data...)
	return m, func() error {
		fill(func(px []float32, inside bool) {
			if inside { // whatever it is now is allowed
				i := 0
				for i = range px {
					px[i] = 0
				}
			}
		})
		// The inside of both is cleared before they are compared.
		now := append([]float32(nil), wide.data...)
		copy(wide.data, before2)
		fill(func(px []float32, inside bool) {
			if inside {
				clear(px)
			}
		})
		for i, v := range wide.data {
			if v != now[i] {
				return fmt.Errorf("element %d outside the map changed from %g to %g", i, v, now[i])
			}
		}
		return nil
	}
}

func randoms(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// naive is a convolution by its definition, in float64. Its three methods are the reference.
type naive struct {
	kind   ConvKind
	ic, oc int
}

// pairs calls f for each output pixel, input pixel and kernel position that belong together.
func (c naive) pairs(x Map, f func(oy, ox, iy, ix, k int)) {
	side := c.kind.Side()
	for oy := range c.kind.OutSize(x.H) {
		for ox := range c.kind.OutSize(x.W) {
			for k := range side * side {
				iy, ix := oy+k/side-side/2, ox+k%side-side/2
				switch c.kind {
				case Down3:
					iy, ix = iy+oy, ix+ox
				case Up3:
					if iy < 0 || ix < 0 || iy >= 2*x.H || ix >= 2*x.W {
						continue
					}
					iy, ix = iy/2, ix/2
				}
				if iy >= 0 && ix >= 0 && iy < x.H && ix < x.W {
					f(oy, ox, iy, ix, k)
				}
			}
		}
	}
}

func (c naive) forward(x Map, w, b []float32) []float64 {
	oh, ow := c.kind.OutSize(x.H), c.kind.OutSize(x.W)
	y := make([]float64, x.N*oh*ow*c.oc)
	for n := range x.N {
		at := func(oy, ox int) []float64 { return y[((n*oh+oy)*ow+ox)*c.oc:][:c.oc] }
		for oy := range oh {
			for ox := range ow {
				for o := range c.oc {
					at(oy, ox)[o] = float64(b[o])
				}
			}
		}
		c.pairs(x, func(oy, ox, iy, ix, k int) {
			for i, v := range x.At(n, iy, ix) {
				for o := range c.oc {
					at(oy, ox)[o] += float64(v) * float64(w[(k*c.ic+i)*c.oc+o])
				}
			}
		})
	}
	return y
}

func (c naive) inputGrad(x, dy Map, w []float32) []float64 {
	dx := make([]float64, x.N*x.H*x.W*c.ic)
	for n := range x.N {
		c.pairs(x, func(oy, ox, iy, ix, k int) {
			for i := range c.ic {
				for o, g := range dy.At(n, oy, ox) {
					dx[((n*x.H+iy)*x.W+ix)*c.ic+i] += float64(g) * float64(w[(k*c.ic+i)*c.oc+o])
				}
			}
		})
	}
	return dx
}

func (c naive) weightGrad(x, dy Map) (dw, db []float64) {
	side := c.kind.Side()
	dw, db = make([]float64, side*side*c.ic*c.oc), make([]float64, c.oc)
	for n := range x.N {
		c.pairs(x, func(oy, ox, iy, ix, k int) {
			for i, v := range x.At(n, iy, ix) {
				for o, g := range dy.At(n, oy, ox) {
					dw[(k*c.ic+i)*c.oc+o] += float64(v) * float64(g)
				}
			}
		})
		for oy := range dy.H {
			for ox := range dy.W {
				for o, g := range dy.At(n, oy, ox) {
					db[o] += float64(g)
				}
			}
		}
	}
	return dw, db
}

func dense(m Map) []float32 {
	out := make([]float32, m.N*m.H*m.W*m.C)
	m.Store(out)
	return out
}

// mustBeClose fails unless the relative L2 difference is below the bound.
func mustBeClose(t *testing.T, what string, got []float32, want []float64, bound float64) {
	t.Helper()
	var diff, norm float64
	for i, v := range want {
		diff += (float64(got[i]) - v) * (float64(got[i]) - v)
		norm += v * v
	}
	if !(math.Sqrt(diff) <= bound*math.Sqrt(norm)) {
		t.Errorf("%s: relative error %.3g, want at most %g", what, math.Sqrt(diff/norm), bound)
	}
}

var convShapes = []struct{ n, h, w, ic, oc int }{
	{1, 1, 1, 1, 1},
	{3, 7, 7, 64, 64},
	{1, 28, 28, 1, 32},
	{1, 28, 28, 32, 1},
	{2, 14, 14, 12, 40},
	{2, 5, 12, 3, 3},
	{1, 10, 10, 16, 24},
	{1, 7, 5, 9, 33},
	{2, 4, 70, 8, 17},
	{1, 2, 3, 48, 5},
	{5, 14, 14, 32, 48},
	{1, 28, 28, 16, 16},
	{1, 9, 3, 48, 80},
}

// Sums of up to 9·64 products in float32 keep a relative L2 error of a few 1e-7; weight gradients sum
// over up to 784 pixels. A wrong tap or a lost tail is an error of 1e-2 and more.
const convBound = 3e-6

func TestConv(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
			for i, s := range convShapes {
				for a := Direct; a <= Shifted; a++ {
					shape := ConvShape{kind, s.h, s.w, s.ic, s.oc}
					if a == Direct || a == Shifted && kind == Same3 && s.oc <= 9 || a != Shifted && shape.CanWinograd() {
						t.Run(fmt.Sprintf("%s/kind%d/%dx%dx%d,%d-%d", a, kind, s.n, s.h, s.w, s.ic, s.oc), func(t *testing.T) {
							testConv(t, isa, kind, a, rand.New(rand.NewPCG(uint64(i), 1)), s.n, s.h, s.w, s.ic, s.oc)
						})
					}
				}
			}
		}
	})
}

func testConv(t *testing.T, isa ISA, kind ConvKind, a Algorithm, rng *rand.Rand, n, h, w, ic, oc int) {
	convBound := convBound
	plan := Plan{a, a, a}
	switch a {
	case Winograd4, Winograd2:
		convBound = 1e-5
	case Shifted:
		plan.WeightGrad = Direct
	}
	ref := naive{kind, ic, oc}
	weight, bias := randoms(rng, kind.Side()*kind.Side()*ic*oc), randoms(rng, oc)
	conv := NewConv(isa, ConvShape{kind, h, w, ic, oc}, plan, true)
	conv.Pack(randoms(rng, len(weight)), bias) // a second Pack must leave nothing of the first
	conv.Pack(weight, bias)
	oh, ow := kind.OutSize(h), kind.OutSize(w)
	x, xOK := testMap(rng, n, h, w, ic, 5, 3, 1)
	y, yOK := testMap(rng, n, oh, ow, oc, 2, 7, 1)
	dx, dxOK := testMap(rng, n, h, w, ic, 1, 2, 0)
	var s Scratch

	// A residual of y itself: y += conv(x).
	want := ref.forward(x, weight, bias)
	for i, v := range dense(y) {
		want[i] += float64(v)
	}
	dyCopy := dense(y)
	conv.Forward(&s, y, x, &y)
	mustBeClose(t, "forward with residual", dense(y), want, convBound)
	conv.Forward(&s, y, x, nil)
	mustBeClose(t, "forward", dense(y), ref.forward(x, weight, bias), convBound)

	y.Load(dyCopy)
	want = ref.inputGrad(x, y, weight)
	conv.InputGrad(&s, dx, y, false)
	mustBeClose(t, "input gradient", dense(dx), want, convBound)
	conv.InputGrad(&s, dx, y, true)
	for i := range want {
		want[i] *= 2
	}
	mustBeClose(t, "accumulated input gradient", dense(dx), want, convBound)

	dw, db := make([]float32, len(weight)+1), make([]float32, oc+1)
	dw[len(weight)], db[oc] = guard, guard
	for range 2 { // the second call adds
		conv.WeightGrad(&s, dw[:len(weight)], db[:oc], x, y)
	}
	wantW, wantB := ref.weightGrad(x, y)
	for i := range wantW {
		wantW[i] *= 2
	}
	for i := range wantB {
		wantB[i] *= 2
	}
	mustBeClose(t, "weight gradient", dw, wantW, convBound)
	mustBeClose(t, "bias gradient", db, wantB, convBound)
	if dw[len(weight)] != guard || db[oc] != guard {
		t.Error("a gradient was written past its end")
	}
	for _, ok := range []func() error{xOK, yOK, dxOK} {
		if err := ok(); err != nil {
			t.Error(err)
		}
	}
}

// A pixel's value may not depend on the images beside it in the batch, to the bit.
func TestConvIgnoresBatchMates(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		rng := rand.New(rand.NewPCG(7, 7))
		conv := NewConv(isa, ConvShape{Same3, 7, 9, 20, 37}, Plan{}, false)
		conv.Pack(randoms(rng, 9*20*37), randoms(rng, 37))
		x, _ := testMap(rng, 5, 7, 9, 20, 0, 0, 1)
		together, one := NewMap(5, 7, 9, 37), NewMap(1, 7, 9, 37)
		var s Scratch
		conv.Forward(&s, together, x, nil)
		for n := range 5 {
			conv.Forward(&s, one, x.image(n), nil)
			got, want := dense(together.image(n)), dense(one)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("image %d: element %d is %g in the batch and %g alone", n, i, got[i], want[i])
				}
			}
		}
	})
}

func TestCut(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for w := range 300 {
			counts := cut(isa, w)
			sum := 0
			for i, c := range counts {
				if c > 0 {
					sum += c * isa.segmentCosts()[i].length
				}
			}
			if sum != w {
				t.Fatalf("a row of %d pixels is cut into %v, which is %d", w, counts, sum)
			}
		}
	})
}
