package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

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
	{5, 14, 14, 16, 48},
	{1, 9, 3, 48, 80},
}

// Sums of up to 9·64 products in float32 keep a relative L2 error of a few 1e-7; weight gradients sum
// over up to 784 pixels. A wrong tap or a lost tail is an error of 1e-2 and more.
const convBound = 3e-6

// Winograd's transforms lose up to two digits to cancellation; measured: 1e-6 to 4e-6.
const winogradBound = 1e-5

// algorithms lists those that can compute a shape, as plans for all passes.
func algorithms(s ConvShape) []Plan {
	plans := []Plan{{}}
	if s.CanWinograd() {
		plans = append(plans, Plan{Winograd4, Winograd4, Winograd4}, Plan{Winograd2, Winograd2, Winograd2})
	}
	if s.Kind == Same3 && s.OC <= 9 {
		plans = append(plans, Plan{Shifted, Shifted, Direct})
	}
	return plans
}

func TestConv(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
			for i, s := range convShapes {
				shape := ConvShape{kind, s.h, s.w, s.ic, s.oc}
				for _, plan := range algorithms(shape) {
					t.Run(fmt.Sprintf("%s/kind%d/%dx%dx%d,%d-%d", plan.Forward, kind, s.n, s.h, s.w, s.ic, s.oc), func(t *testing.T) {
						testConv(t, isa, shape, plan, rand.New(rand.NewPCG(uint64(i), 1)), s.n)
					})
				}
			}
		}
	})
}

func testConv(t *testing.T, isa ISA, shape ConvShape, plan Plan, rng *rand.Rand, n int) {
	kind, h, w, ic, oc := shape.Kind, shape.H, shape.W, shape.IC, shape.OC
	bound := convBound
	if plan.Forward.filtering() != nil {
		bound = winogradBound
	}
	ref := naive{kind, ic, oc}
	weight, bias := randoms(rng, kind.Side()*kind.Side()*ic*oc), randoms(rng, oc)
	conv := NewConv(isa, shape, plan, true)
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
	mustBeClose(t, "forward with residual", dense(y), want, bound)
	conv.Forward(&s, y, x, nil)
	mustBeClose(t, "forward", dense(y), ref.forward(x, weight, bias), bound)

	y.Load(dyCopy)
	want = ref.inputGrad(x, y, weight)
	conv.InputGrad(&s, dx, y, false)
	mustBeClose(t, "input gradient", dense(dx), want, bound)
	conv.InputGrad(&s, dx, y, true)
	for i := range want {
		want[i] *= 2
	}
	mustBeClose(t, "accumulated input gradient", dense(dx), want, bound)

	dw, dwOK := testVector(rng, len(weight), 3)
	db, dbOK := testVector(rng, oc, 7)
	clear(dw)
	clear(db)
	for range 2 { // the second call adds
		conv.WeightGrad(&s, dw, db, x, y)
	}
	wantW, wantB := ref.weightGrad(x, y)
	for i := range wantW {
		wantW[i] *= 2
	}
	for i := range wantB {
		wantB[i] *= 2
	}
	mustBeClose(t, "weight gradient", dw, wantW, bound)
	mustBeClose(t, "bias gradient", db, wantB, bound)
	mustBeIntact(t, xOK, yOK, dxOK, dwOK, dbOK)
}

func TestConvGradients(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
			t.Run(fmt.Sprintf("kind%d", kind), func(t *testing.T) {
				const n, h, w, ic, oc = 2, 5, 6, 7, 9
				rng := rand.New(rand.NewPCG(uint64(kind), 2))
				conv := NewConv(isa, ConvShape{kind, h, w, ic, oc}, Plan{}, true)
				weight, bias := randoms(rng, kind.Side()*kind.Side()*ic*oc), randoms(rng, oc)
				conv.Pack(weight, bias)
				x, _ := testMap(rng, n, h, w, ic, 0, 0, 1)
				y, dy := NewMap(n, kind.OutSize(h), kind.OutSize(w), oc), NewMap(n, kind.OutSize(h), kind.OutSize(w), oc)
				projection := randoms(rng, len(dense(y)))
				dy.Load(projection)
				dx, dw, db := NewMap(n, h, w, ic), make([]float32, len(weight)), make([]float32, oc)
				var s Scratch
				conv.InputGrad(&s, dx, dy, false)
				conv.WeightGrad(&s, dw, db, x, dy)
				f := func() float64 {
					conv.Pack(weight, bias)
					conv.Forward(&s, y, x, nil)
					return dot(dense(y), projection)
				}
				mustBeGradients(t, rng, f, mapVariable("x", x, dense(dx)), flatVariable("weight", weight, dw), flatVariable("bias", bias, db))
			})
		}
	})
}

// A pixel's value may not depend on the images beside it in the batch, to the bit.
func TestConvIgnoresBatchMates(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		rng := rand.New(rand.NewPCG(7, 7))
		for _, shape := range []ConvShape{{Same3, 7, 9, 20, 37}, {Same3, 7, 9, 16, 48}, {Same3, 7, 9, 20, 2}} {
			for _, plan := range algorithms(shape) {
				conv := NewConv(isa, shape, plan, false)
				conv.Pack(randoms(rng, 9*shape.IC*shape.OC), randoms(rng, shape.OC))
				x, _ := testMap(rng, 5, 7, 9, shape.IC, 0, 0, 1)
				together, one := NewMap(5, 7, 9, shape.OC), NewMap(1, 7, 9, shape.OC)
				var s Scratch
				conv.Forward(&s, together, x, nil)
				for n := range 5 {
					conv.Forward(&s, one, x.image(n), nil)
					mustBeSame(t, fmt.Sprintf("%s: image %d in a batch", plan.Forward, n), dense(together.image(n)), dense(one))
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
