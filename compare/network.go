package compare

import (
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/ode"
)

// rows is the number of states that a perceptron takes at once.
const rows = batchSize

// A learner holds the parameters of a model with their gradient and the moments of AdamW.
type learner struct {
	isa        kernels.ISA
	params     *nn.Params
	grad, m, v []float32
}

// newLearner makes a learner without parameters, and a builder that adds some.
func newLearner(isa kernels.ISA, seed uint64) (*learner, *nn.Builder) {
	l := &learner{isa: isa, params: &nn.Params{}}
	return l, &nn.Builder{ISA: isa, Params: l.params, Rand: rand.New(source(seed, streamInit, 0))}
}

// ready makes room for gradients and moments, when all parameters are there.
func (l *learner) ready() {
	n := l.params.Len()
	l.grad, l.m, l.v = make([]float32, n), make([]float32, n), make([]float32, n)
}

// The settings of AdamW. The learning rate rises over the first steps, and falls to zero along a
// cosine.
const (
	beta1, beta2 = 0.9, 0.99
	warmUp       = 50
	clip         = 1
)

// step moves the parameters along the gradient, and clears the gradient. step counts from 0.
func (l *learner) step(step, steps int, rate float64) {
	norm := math.Sqrt(l.isa.SumSquares(l.grad))
	rate *= min(float64(step+1)/warmUp, 1) * (1 + math.Cos(math.Pi*float64(step)/float64(steps))) / 2
	if norm-norm == 0 { // a gradient that is not finite is left out
		l.isa.AdamW(l.params.Values, l.m, l.v, l.grad, kernels.AdamWStep{
			LR: float32(rate), Beta1: beta1, Beta2: beta2, Eps: 1e-8,
			Bias1: float32(1 - math.Pow(beta1, float64(step+1))), Bias2: float32(1 - math.Pow(beta2, float64(step+1))),
			GradScale: float32(min(1, clip/max(norm, 1e-12))),
		})
	}
	clear(l.grad)
}

// The inputs of the perceptron of a field: those that stand for t, and all with the state.
const (
	timeInputs  = 5
	fieldInputs = 2 + timeInputs
)

// setTime writes the inputs for t: t itself, and sine and cosine of πt and 2πt.
func setTime(in []float32, t float64) {
	in[0] = float32(t)
	for k := 1; k <= 2; k++ {
		sin, cos := math.Sincos(math.Pi * float64(k) * t)
		in[2*k-1], in[2*k] = float32(sin), float32(cos)
	}
}

// A field is a perceptron of state and time. It predicts a velocity or another objective. It is an
// [ode.Field], an [ode.DivergenceField] and, after reserve, a [bijection.Dynamics].
type field struct {
	learner *learner
	net     *nn.MLP
	plain   *nn.MLPTape // without tangents
	// with those of the two coordinates; the first for Divergence, all for Evaluate
	traced  []*nn.MLPTape
	in, out []float32 // [3 blocks][rows][…], and gradients of the same
	dIn     []float32
	dOut    []float32
	div     []float32 // [rows]
}

func newField(l *learner, b *nn.Builder) *field {
	f := &field{learner: l, net: nn.NewMLP(b, "field", fieldInputs, width, width, width, 2)}
	f.plain, f.traced = f.net.NewTape(rows, 0), []*nn.MLPTape{f.net.NewTape(rows, 2)}
	f.in, f.out = make([]float32, 3*rows*fieldInputs), make([]float32, 3*rows*2)
	f.dIn, f.dOut = make([]float32, 3*rows*fieldInputs), make([]float32, 3*rows*2)
	f.div = make([]float32, rows)
	l.ready()
	return f
}

// reserve makes room for a number of calls of Evaluate.
func (f *field) reserve(calls int) {
	for len(f.traced) < calls {
		f.traced = append(f.traced, f.net.NewTape(rows, 2))
	}
}

// load writes the inputs of n states.
func (f *field) load(x []float32, n int, t func(i int) float64) {
	for i := range n {
		in := f.in[i*fieldInputs : (i+1)*fieldInputs]
		copy(in, x[2*i:2*i+2])
		setTime(in[2:], t(i))
	}
}

// Velocity implements [ode.Field], for the prediction of the perceptron.
func (f *field) Velocity(v, x, t []float32, _ []int) {
	for from := 0; from < len(t); from += rows {
		n := min(rows, len(t)-from)
		f.forward(v[2*from:2*(from+n)], x[2*from:], t[from:from+n])
	}
}

// forward computes a batch of at most rows states, ready for backward.
func (f *field) forward(v, x, t []float32) {
	n := len(t)
	f.load(x, n, func(i int) float64 { return float64(t[i]) })
	f.net.Forward(f.plain, v, f.in[:n*fieldInputs], n)
}

// backward adds the gradient of the parameters, for dv the gradient by the v of forward.
func (f *field) backward(dv []float32) { f.net.Backward(f.plain, f.learner.grad, nil, dv) }

// Divergence implements [ode.DivergenceField].
func (f *field) Divergence(v []float32, div []float64, x, t []float32, _ []int) {
	for from := 0; from < len(t); from += rows {
		n := min(rows, len(t)-from)
		f.load(x[2*from:], n, func(i int) float64 { return float64(t[from+i]) })
		f.trace(0, v[2*from:2*(from+n)], f.div[:n])
		for i, d := range f.div[:n] {
			div[from+i] = float64(d)
		}
	}
}

// Evaluate implements [bijection.Dynamics].
func (f *field) Evaluate(call int, v, div, x []float32, t float64) {
	f.load(x, len(div), func(int) float64 { return t })
	f.trace(call, v, div)
}

// trace computes velocities and the exact traces of their Jacobians, with the two unit vectors as
// tangents.
func (f *field) trace(call int, v, div []float32) {
	n := len(div)
	in, out := f.in[:3*n*fieldInputs], f.out[:3*n*2]
	clear(in[n*fieldInputs:])
	for i := range n {
		in[(n+i)*fieldInputs], in[(2*n+i)*fieldInputs+1] = 1, 1
	}
	f.net.Forward(f.traced[call], out, in, n)
	copy(v, out[:2*n])
	for i := range div {
		div[i] = out[2*(n+i)] + out[2*(2*n+i)+1]
	}
}

// Pull implements [bijection.Dynamics].
func (f *field) Pull(call int, dx, dv, dDiv []float32) {
	n := len(dDiv)
	dIn, dOut := f.dIn[:3*n*fieldInputs], f.dOut[:3*n*2]
	clear(dOut)
	copy(dOut, dv)
	for i, g := range dDiv {
		dOut[2*(n+i)], dOut[2*(2*n+i)+1] = g, g
	}
	f.net.Backward(f.traced[call], f.learner.grad, dIn, dOut)
	for i := range n {
		copy(dx[2*i:2*i+2], dIn[i*fieldInputs:])
	}
}

// A conditioner is the perceptron of a coupling layer.
type conditioner struct {
	learner *learner
	net     *nn.MLP
	tape    *nn.MLPTape
}

// Forward implements [bijection.Conditioner].
func (c *conditioner) Forward(y, x []float32, n int) { c.net.Forward(c.tape, y, x, n) }

// Backward implements [bijection.Conditioner].
func (c *conditioner) Backward(dx, dy []float32, _ int) {
	c.net.Backward(c.tape, c.learner.grad, dx, dy)
}

var _ interface {
	ode.Field
	ode.DivergenceField
	bijection.Dynamics
} = (*field)(nil)
