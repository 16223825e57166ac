package nn

import (
	"fmt"

	"github.com/fmimg/fmimg/kernels"
)

// An MLP is a multi-layer perceptron over rows of numbers,
//
//	y = W_L·φ(… φ(W_1·x + b_1) …) + b_L,   φ = SiLU,
//
// for one worker. Its last layer starts at zero, so that y is 0 at first.
//
// It also carries tangents: a change ẋ of x becomes ẏ = ∂y/∂x·ẋ. A tangent goes through the same
// products with W as x does, but without bias, and times φ'(z) where x meets φ. So tangents are
// further blocks of rows. The backward pass differentiates both, and there second derivatives arise
// (reverse over forward):
//
//	z̄ = φ'(z)·ā + φ''(z)·Σ_k ż_k·ǡ_k,   ż̄_k = φ'(z)·ǡ_k
//
// A bar marks the gradient of the loss by the letter below it, a = φ(z), and k counts the tangents.
// With unit vectors for ẋ the ẏ hold ∂y/∂x, so that a loss may contain the trace of ∂y/∂x.
type MLP struct {
	isa             kernels.ISA
	params          *Params
	widths          []int // inputs, hidden layers, outputs
	weights, biases []*Param

	matmul  kernels.MatMul
	scratch kernels.Scratch
	dense   []kernels.Map // W of each layer as a matrix, [inputs][outputs]
	sums    []kernels.Map // gradient of W
}

// NewMLP makes a perceptron with the given numbers of inputs, of units in each hidden layer, and of
// outputs. Its parameters are name.0.weight, name.0.bias, name.1.weight, ….
func NewMLP(b *Builder, name string, widths ...int) *MLP {
	if len(widths) < 2 {
		panic(fmt.Sprintf("nn: perceptron %s has widths %v: inputs and outputs at least", name, widths))
	}
	m := &MLP{isa: b.ISA, params: b.Params, widths: widths, matmul: kernels.MatMul{ISA: b.ISA}}
	for i, in := range widths[:len(widths)-1] {
		out, first := widths[i+1], constant(0)
		if i+2 < len(widths) {
			first = b.uniform(in)
		}
		layer := fmt.Sprintf("%s.%d", name, i)
		m.weights = append(m.weights, b.param(layer+".weight", HWIO, first, out, in))
		m.biases = append(m.biases, b.param(layer+".bias", Plain, first, out))
		m.dense = append(m.dense, matrix(in, out))
		m.sums = append(m.sums, matrix(in, out))
	}
	return m
}

// An MLPTape is what one evaluation of an [MLP] leaves for its backward pass.
type MLPTape struct {
	rows     int           // rows of x in the last evaluation
	tangents int           // blocks of rows that follow those of x
	in       []kernels.Map // input of each layer
	pre      []kernels.Map // z of each layer; the last one is y
	slope    [][]float32   // φ'(z) of each hidden layer, [rows][width]
	bend     [][]float32   // φ''(z) of each hidden layer; empty without tangents
	grad     []kernels.Map // gradients of in; the last one is that of y
}

// NewTape makes a tape for evaluations of at most the given number of rows, with n tangents each.
func (m *MLP) NewTape(rows, n int) *MLPTape {
	t := &MLPTape{tangents: n}
	blocks := func(width int) kernels.Map { return matrix(rows*(1+n), width) }
	for i, width := range m.widths {
		t.grad = append(t.grad, blocks(width))
		if i == len(m.widths)-1 {
			break
		}
		t.in, t.pre = append(t.in, blocks(width)), append(t.pre, blocks(m.widths[i+1]))
		if i > 0 {
			t.slope = append(t.slope, make([]float32, rows*width))
			t.bend = append(t.bend, make([]float32, rows*width*min(n, 1)))
		}
	}
	return t
}

// of returns the part of a map that belongs to the last evaluation.
func (t *MLPTape) of(m kernels.Map) kernels.Map { return m.FirstPixels(t.rows * (1 + t.tangents)) }

// Forward sets y [blocks][n][outputs] from x [blocks][n][inputs]. Block 0 is x itself, the others
// are the tape's tangents.
func (m *MLP) Forward(t *MLPTape, y, x []float32, n int) {
	t.rows = n
	t.of(t.in[0]).Load(x)
	for i, w := range m.weights {
		m.dense[i].Load(w.Of(m.params.Values))
		z := t.of(t.pre[i])
		m.matmul.Times(&m.scratch, z, t.of(t.in[i]), m.dense[i])
		bias := m.biases[i].Of(m.params.Values)
		for row := range n {
			m.isa.Add(z.At(0, 0, row), bias)
		}
		if i+1 < len(m.weights) {
			m.activate(t, i)
		}
	}
	t.of(t.pre[len(t.pre)-1]).Store(y)
}

// activate sets the input of layer i+1 from z of layer i.
func (m *MLP) activate(t *MLPTape, i int) {
	z, a := t.of(t.pre[i]).Flat(), t.of(t.in[i+1]).Flat()
	size := t.rows * m.widths[i+1]
	slope, bend := t.slope[i][:size], t.bend[i]
	for k, v := range z[:size] {
		a[k] = -v
	}
	m.isa.Exp(a[:size], a[:size])
	for k, v := range z[:size] {
		s := 1 / (1 + a[k])
		rest := v * (1 - s)
		a[k] = v * s
		slope[k] = s + float32(s*rest)
		if t.tangents > 0 { // s·(1−s)·(2 + z·(1−2s))
			bend[k] = s * (1 - s) * (2 + float32(v*(1-s-s)))
		}
	}
	for b := 1; b <= t.tangents; b++ {
		dot, out := z[b*size:(b+1)*size], a[b*size:(b+1)*size]
		for k, v := range dot {
			out[k] = slope[k] * v
		}
	}
}

// Backward adds the gradient of the parameters to grad, a flat vector, and sets dx to the gradient
// of x unless dx is nil. dy is the gradient of the y that the tape's evaluation gave. dx and dy
// have blocks like x and y.
func (m *MLP) Backward(t *MLPTape, grad, dx, dy []float32) {
	last := len(m.weights) - 1
	t.of(t.grad[last+1]).Load(dy)
	for i := last; i >= 0; i-- {
		dz := t.of(t.grad[i+1])
		m.weightGrad(t, grad, i, dz)
		if i == 0 && dx == nil {
			return
		}
		m.dense[i].Load(m.weights[i].Of(m.params.Values))
		m.matmul.TimesTransposed(&m.scratch, t.of(t.grad[i]), dz, m.dense[i])
		if i > 0 {
			m.activationGrad(t, i-1)
		}
	}
	t.of(t.grad[0]).Store(dx)
}

// weightGrad adds the gradients of layer i's parameters.
func (m *MLP) weightGrad(t *MLPTape, grad []float32, i int, dz kernels.Map) {
	m.sums[i].Clear()
	m.matmul.AddTransposedTimes(&m.scratch, m.sums[i], t.of(t.in[i]), dz)
	m.isa.Add(m.weights[i].Of(grad), m.sums[i].Flat())
	bias := m.biases[i].Of(grad)
	for row := range t.rows {
		m.isa.Add(bias, dz.At(0, 0, row))
	}
}

// activationGrad turns the gradient of the input of layer i+1 into the gradient of z of layer i.
func (m *MLP) activationGrad(t *MLPTape, i int) {
	z, d := t.of(t.pre[i]).Flat(), t.of(t.grad[i+1]).Flat()
	size := t.rows * m.widths[i+1]
	slope, bend := t.slope[i][:size], t.bend[i]
	for k, s := range slope {
		d[k] *= s
	}
	for b := 1; b <= t.tangents; b++ {
		dot, dDot := z[b*size:(b+1)*size], d[b*size:(b+1)*size]
		for k, s := range slope {
			d[k] += float32(bend[k] * float32(dot[k]*dDot[k]))
			dDot[k] *= s
		}
	}
}
