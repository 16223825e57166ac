package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A convResult holds the results of the passes of a convolution, each added to its base.
type convResult struct{ y, dx, dw, db []float32 }

// solve runs the passes of a plan between guard words.
func (p *convProblem) solve(t *testing.T, isa ISA, plan Plan) convResult {
	t.Helper()
	rng, s := rand.New(rand.NewPCG(3, 3)), p.shape
	conv := NewConv(isa, s, plan, true)
	conv.Pack(p.weight, p.bias)
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	before, after := rng.IntN(5), rng.IntN(5) // other channels beside these
	x, xOK := testMap(rng, p.n, s.H, s.W, s.IC, before, after, 1)
	y, yOK := testMap(rng, p.n, oh, ow, s.OC, after, before, 1)
	dy, dyOK := testMap(rng, p.n, oh, ow, s.OC, before, 0, 1)
	dx, dxOK := testMap(rng, p.n, s.H, s.W, s.IC, 0, after, 0)
	dw, dwOK := testVector(rng, len(p.weight), rng.IntN(16))
	db, dbOK := testVector(rng, s.OC, rng.IntN(16))
	x.Load(p.x)
	dy.Load(p.dy)
	y.Load(p.base[:len(dense(y))])
	dx.Load(p.base[:len(p.x)])
	copy(dw, p.base)
	copy(db, p.base)
	var scratch Scratch
	conv.Forward(&scratch, y, x, &y)
	conv.InputGrad(&scratch, dx, dy, true)
	conv.WeightGrad(&scratch, dw, db, x, dy)
	mustBeIntact(t, xOK, yOK, dyOK, dxOK, dwOK, dbOK)
	return convResult{dense(y), dense(dx), dw, db}
}

// sumSize is the expected norm of n results, each the sum of a normal deviate and of the given
// number of products of normal deviates. Unlike the norm of the results, it does not vanish where
// terms cancel.
func sumSize(n, products int) float64 { return math.Sqrt(float64(n) * float64(products+1)) }

// agree compares with the results of plain Go. The K roundings of a sum are random, so the sum errs
// by about sqrt(K) units of 2⁻²⁴ of its size: by 1.7e-6 where a weight gradient sums 800
// pixels, in each of the two results. Winograd's transforms lose up to two more digits. The bounds
// are twice those of TestConv. The worst of 700 random problems was 7.5e-7 for direct convolutions
// and 3.3e-6 for Winograd's.
func (p *convProblem) agree(t *testing.T, what string, got, want convResult, bound float64) {
	t.Helper()
	s, side := p.shape, p.shape.Kind.Side()
	pixels := p.n * s.Kind.OutSize(s.H) * s.Kind.OutSize(s.W)
	for _, c := range []struct {
		name      string
		got, want []float32
		products  int
	}{
		{"forward", got.y, want.y, side * side * s.IC},
		{"input gradient", got.dx, want.dx, side * side * s.OC},
		{"weight gradient", got.dw, want.dw, pixels},
		{"bias gradient", got.db, want.db, pixels},
	} {
		mustBeNear(t, what+": "+c.name, c.got, wide(c.want), sumSize(len(c.want), c.products), 2*bound)
	}
}

// FuzzConv compares each algorithm on each instruction set with the direct convolution in plain Go.
func FuzzConv(f *testing.F) {
	for i, s := range convShapes {
		f.Add(uint8(i), uint8(s.n), uint8(s.h), uint8(s.w), uint8(s.ic), uint8(s.oc), uint64(i))
	}
	for kind := range 4 { // channels that Winograd's algorithms take
		f.Add(uint8(kind), uint8(2), uint8(6), uint8(13), uint8(128+1), uint8(128+2), uint64(kind))
	}
	f.Fuzz(func(t *testing.T, kind, n, h, w, ic, oc uint8, seed uint64) {
		p := fuzzedProblem(kind, n, h, w, ic, oc, seed)
		want := p.solve(t, Generic, Plan{})
		for _, isa := range Available() {
			for _, plan := range algorithms(p.shape) {
				bound := convBound
				if plan.Forward.filtering() != nil {
					bound = winogradBound
				}
				what := fmt.Sprintf("%v %s of %d images, %+v", isa, plan.Forward, p.n, p.shape)
				p.agree(t, what, p.solve(t, isa, plan), want, bound)
			}
		}
	})
}

// fuzzedProblem makes a problem of at most about a million products, without the results of the
// reference. The highest bit of a number of channels asks for a multiple of 16.
func fuzzedProblem(kind, n, h, w, ic, oc uint8, seed uint64) *convProblem {
	channels := func(c uint8) int {
		if c&0x80 != 0 {
			return 16 * (1 + int(c)%3)
		}
		return 1 + int(c)%50
	}
	s := ConvShape{ConvKind(kind % 4), 1 + int(h)%20, 1 + int(w)%40, channels(ic), channels(oc)}
	images := 1 + int(n)%3
	const products = 1 << 20
	for images*s.H*s.W*s.IC*s.OC > products {
		images, s.H, s.W = (images+1)/2, (s.H+1)/2, (s.W+1)/2
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	side := s.Kind.Side()
	pixels, out := images*s.H*s.W, images*s.Kind.OutSize(s.H)*s.Kind.OutSize(s.W)
	p := &convProblem{shape: s, n: images, x: randoms(rng, pixels*s.IC), dy: randoms(rng, out*s.OC)}
	p.weight, p.bias = randoms(rng, side*side*s.IC*s.OC), randoms(rng, s.OC)
	p.base = randoms(rng, max(len(p.x), len(p.dy), len(p.weight)))
	return p
}
