package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// Layers are made for room images, and run with two of them.
const (
	room  = 3
	batch = 2
)

// A rig builds and runs a layer under test.
type rig struct {
	*Builder
	run Run
	rng *rand.Rand
}

func newRig(isa kernels.ISA, seed uint64) *rig {
	rng := rand.New(rand.NewPCG(seed, 0))
	return &rig{
		Builder: &Builder{ISA: isa, Params: &Params{}, Weights: &Weights{}, N: room, Train: true, Rand: rng},
		run:     Run{ISA: isa, N: batch},
		rng:     rng,
	}
}

// act makes activations that are a channel slice of wider maps, as in a concatenation.
func (g *rig) act(h, w, c int) Act { return g.Act(h, w, c+5).Channels(2, 2+c) }

// randoms returns n standard normal numbers.
func (g *rig) randoms(n int) []float32 { return kernelstest.Normals(g.rng, n) }

// fill gives a map random elements and returns them.
func (g *rig) fill(m kernels.Map) []float32 {
	x := g.randoms(m.N * m.H * m.W * m.C)
	m.Load(x)
	return x
}

// dense returns the elements of a map.
func dense(m kernels.Map) []float32 {
	x := make([]float32, m.N*m.H*m.W*m.C)
	m.Store(x)
	return x
}

// An input of a layer. The images of its activations lie along N, or along W for rows.
type input struct {
	name string
	Act
	accumulate bool // backward adds to the gradient; otherwise it sets the gradient
}

// A layer under test: its inputs, its output and its passes.
type layer struct {
	inputs            []input
	out               Act
	forward, backward func()
}

// ofBatch returns the part of a map that belongs to the batch.
func ofBatch(m kernels.Map) kernels.Map {
	if m.N == 1 {
		return m.FirstPixels(batch)
	}
	return m.First(batch)
}

// check compares the gradients of all inputs and parameters with difference quotients of a random
// projection of the output. It makes all parameters random first, as zeros would hide gradients.
func (g *rig) check(t *testing.T, l layer) {
	t.Helper()
	copy(g.Params.Values, g.randoms(g.Params.Len()))
	g.Weights.Pack(g.Params.Values, 0, 1)
	var before [][]float32
	for _, in := range l.inputs {
		g.fill(in.X)
		before = append(before, g.fill(in.D))
	}
	projection := g.fill(l.out.D)
	projection = projection[:len(projection)/room*batch]
	g.run.Grad = g.randoms(g.Params.Len()) // to which backward must add
	grad := slices.Clone(g.run.Grad)
	l.forward()
	l.backward()
	f := func() float64 {
		l.forward()
		return dot(dense(ofBatch(l.out.X)), projection)
	}
	for i, in := range l.inputs {
		after := dense(in.D)
		size := len(after) / room * batch
		if !slices.Equal(after[size:], before[i][size:]) {
			t.Errorf("%s: the gradient of an image outside of the batch changed", in.name)
		}
		if in.accumulate {
			subtract(after, before[i])
		}
		x := ofBatch(in.X)
		g.checkSlope(t, in.name, f, dense(x), x.Load, after[:size])
	}
	gradient := slices.Clone(g.run.Grad)
	subtract(gradient, grad)
	for _, p := range g.Params.List {
		set := func(v []float32) {
			copy(p.Of(g.Params.Values), v)
			g.Weights.Pack(g.Params.Values, 0, 1)
		}
		g.checkSlope(t, p.Name, f, slices.Clone(p.Of(g.Params.Values)), set, p.Of(gradient))
	}
}

// subtract sets a = a − b.
func subtract(a, b []float32) {
	for i, v := range b {
		a[i] -= v
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// The difference quotient (8·(f(h) - f(-h)) - (f(2h) - f(-2h)))/12h errs by h⁴·f⁽⁵⁾/30. It also
// errs by the rounding of f, 1e-6 relative, divided by h. Together that is below 5e-4 on these
// layers. A wrong term of a gradient is an error of 1e-2 and more.
const (
	differenceStep  = 1. / 64
	differenceBound = 2e-3
)

// checkSlope compares ⟨gradient, δ⟩ with the difference quotient of f along random directions δ.
// For normal δ that slope is about as large as the gradient's norm, so the norm scales the bound.
func (g *rig) checkSlope(
	t *testing.T, name string, f func() float64, x []float32, set func([]float32), gradient []float32,
) {
	t.Helper()
	norm := math.Sqrt(dot(gradient, gradient))
	for range 2 {
		direction := g.randoms(len(x))
		at := func(h float64) float64 {
			moved := slices.Clone(x)
			for i, d := range direction {
				moved[i] += float32(h) * d
			}
			set(moved)
			return f()
		}
		const h = differenceStep
		got, want := dot(gradient, direction), (8*(at(h)-at(-h))-(at(2*h)-at(-2*h)))/(12*h)
		if d := math.Abs(got - want); !(d <= differenceBound*norm) {
			t.Errorf("%s: slope %g, differences say %g; the gradient's norm is %g", name, got, want, norm)
		}
	}
	set(x)
}
