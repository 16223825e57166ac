package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// naive computes a convolution by its definition, in float64. Its three methods are the reference.
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
	for i := range y {
		y[i] = float64(b[i%c.oc])
	}
	for n := range x.N {
		c.pairs(x, func(oy, ox, iy, ix, k int) {
			sums := y[((n*oh+oy)*ow+ox)*c.oc:][:c.oc]
			for i, v := range x.At(n, iy, ix) {
				for o, weight := range w[(k*c.ic+i)*c.oc:][:c.oc] {
					sums[o] += float64(v) * float64(weight)
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
			sums, gradient := dx[((n*x.H+iy)*x.W+ix)*c.ic:][:c.ic], dy.At(n, oy, ox)
			for i := range sums {
				for o, weight := range w[(k*c.ic+i)*c.oc:][:c.oc] {
					sums[i] += float64(gradient[o]) * float64(weight)
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
			gradient := dy.At(n, oy, ox)
			for i, v := range x.At(n, iy, ix) {
				sums := dw[(k*c.ic+i)*c.oc:][:c.oc]
				for o, g := range gradient {
					sums[o] += float64(v) * float64(g)
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

// Sums of up to 9·64 products in float32 have a relative L2 error of a few 1e-7; weight gradients
// sum over up to 784 pixels. A wrong tap or a missing remainder is an error of at least 1e-2.
const convBound = 3e-6

// Winograd's transforms lose up to two digits by cancellation: the measured errors are 1e-6 to
// 4e-6.
const winogradBound = 1e-5

// algorithms lists the algorithms that can compute a shape, as plans for all passes.
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

// A convProblem holds the operands of a convolution, dense, and the results of the reference, which
// are computed once for all instruction sets and algorithms.
type convProblem struct {
	shape              ConvShape
	n                  int
	x, dy              []float32
	weight, bias       []float32
	y, dx, dw, db      []float64
	otherWeights, base []float32 // base is the old content of results that are added to
}

func newConvProblem(kind ConvKind, seed uint64, n, h, w, ic, oc int) *convProblem {
	rng := rand.New(rand.NewPCG(seed, 1))
	ref, size := naive{kind, ic, oc}, kind.Side()*kind.Side()*ic*oc
	x, dy := NewDense(n, h, w, ic), NewDense(n, kind.OutSize(h), kind.OutSize(w), oc)
	p := &convProblem{
		shape: ConvShape{kind, h, w, ic, oc}, n: n,
		x: randoms(rng, len(x.Flat())), dy: randoms(rng, len(dy.Flat())),
		weight: randoms(rng, size), bias: randoms(rng, oc), otherWeights: randoms(rng, size),
		base: randoms(rng, max(len(x.Flat()), len(dy.Flat()), size)),
	}
	x.Load(p.x)
	dy.Load(p.dy)
	p.y, p.dx = ref.forward(x, p.weight, p.bias), ref.inputGrad(x, dy, p.weight)
	p.dw, p.db = ref.weightGrad(x, dy)
	return p
}

// based returns x plus the base: the result of an operation that adds x to the base.
func (p *convProblem) based(x []float64) []float64 {
	sum := make([]float64, len(x))
	for i, v := range x {
		sum[i] = v + float64(p.base[i])
	}
	return sum
}

func TestConv(t *testing.T) {
	var problems []*convProblem
	for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
		for i, s := range convShapes {
			problems = append(problems, newConvProblem(kind, uint64(i), s.n, s.h, s.w, s.ic, s.oc))
		}
	}
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, p := range problems {
			for _, plan := range algorithms(p.shape) {
				s := p.shape
				name := fmt.Sprintf("%s/kind%d/%dx%dx%d,%d-%d", plan.Forward, s.Kind, p.n, s.H, s.W, s.IC, s.OC)
				t.Run(name, func(t *testing.T) { p.test(t, isa, plan) })
			}
		}
	})
}

// test runs all passes of an algorithm between guard words, each pass also where it adds to its
// result.
func (p *convProblem) test(t *testing.T, isa ISA, plan Plan) {
	bound := convBound
	if plan.Forward.filtering() != nil {
		bound = winogradBound
	}
	rng, n, s := rand.New(rand.NewPCG(2, 2)), p.n, p.shape
	conv := NewConv(isa, s, plan, true)
	conv.Pack(p.otherWeights, p.bias) // the second Pack must replace all of this
	conv.Pack(p.weight, p.bias)
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	x, xOK := testMap(rng, n, s.H, s.W, s.IC, 5, 3, 1)
	y, yOK := testMap(rng, n, oh, ow, s.OC, 2, 7, 1)
	dy, dyOK := testMap(rng, n, oh, ow, s.OC, 3, 1, 1)
	dx, dxOK := testMap(rng, n, s.H, s.W, s.IC, 1, 2, 0)
	dw, dwOK := testVector(rng, len(p.weight), 3)
	db, dbOK := testVector(rng, s.OC, 7)
	x.Load(p.x)
	dy.Load(p.dy)
	var scratch Scratch

	conv.Forward(&scratch, y, x, nil)
	mustBeClose(t, "forward", dense(y), p.y, bound)
	y.Load(p.base[:len(p.y)])
	conv.Forward(&scratch, y, x, &y) // a residual of y itself: y += conv(x)
	mustBeClose(t, "forward with residual", dense(y), p.based(p.y), bound)
	residual, residualOK := testMap(rng, n, oh, ow, s.OC, 0, 4, 0)
	residual.Load(p.base[:len(p.y)])
	conv.Forward(&scratch, y, x, &residual)
	mustBeClose(t, "forward with another residual", dense(y), p.based(p.y), bound)

	conv.InputGrad(&scratch, dx, dy, false)
	mustBeClose(t, "input gradient", dense(dx), p.dx, bound)
	dx.Load(p.base[:len(p.dx)])
	conv.InputGrad(&scratch, dx, dy, true)
	mustBeClose(t, "accumulated input gradient", dense(dx), p.based(p.dx), bound)

	copy(dw, p.base)
	copy(db, p.base)
	conv.WeightGrad(&scratch, dw, db, x, dy)
	mustBeClose(t, "weight gradient", dw, p.based(p.dw), bound)
	mustBeClose(t, "bias gradient", db, p.based(p.db), bound)
	mustBeIntact(t, residualOK, xOK, yOK, dyOK, dxOK, dwOK, dbOK)
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
				y := NewMap(n, kind.OutSize(h), kind.OutSize(w), oc)
				dy := NewMap(n, y.H, y.W, oc)
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
				mustBeGradients(t, rng, f, mapVariable("x", x, dense(dx)),
					flatVariable("weight", weight, dw), flatVariable("bias", bias, db))
			})
		}
	})
}

// The value of a pixel may not depend on the other images of the batch, to the bit.
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
					what := fmt.Sprintf("%s: image %d in a batch", plan.Forward, n)
					mustBeSame(t, what, dense(together.image(n)), dense(one))
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
				t.Fatalf("a row of %d pixels is cut into %v, which are %d pixels", w, counts, sum)
			}
		}
	})
}
