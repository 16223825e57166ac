package nn

import (
	"cmp"
	"math"
	"slices"

	"github.com/fmimg/fmimg/kernels"
)

// A Muon steps the matrices among a network's parameters along the orthogonal matrix nearest to their momentum
// (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): all directions of a layer learn
// equally fast, where a gradient has a few large ones. What is no matrix, and layers between few channels, are left
// to another optimiser, for which steps are scaled to be of one size with AdamW's (Liu et al. 2025, "Muon is scalable
// for LLM training", equation 4), so that both share a learning rate.
type Muon struct {
	ISA      kernels.ISA
	Matrices []*Param // the parameters that it steps, the dearest first
}

// A MuonStep is what a step's numbers depend on.
type MuonStep struct {
	LR        float32 // learning rate
	Momentum  float32 // decay of the gradient's running sum
	Decay     float32 // weight decay, decoupled, times the rate
	GradScale float32 // factor on the gradient, from clipping
}

// smallestSide is the least number of channels on each side of a layer that is a matrix for Muon: the first and last
// layer of a network have fewer.
const smallestSide = 8

// NewMuon picks the matrices of a network.
func NewMuon(p *Params, isa kernels.ISA) *Muon {
	m := &Muon{ISA: isa}
	for _, param := range p.List {
		if param.Layout == HWIO && param.Shape[0] >= smallestSide && param.Shape[1] >= smallestSide {
			m.Matrices = append(m.Matrices, param)
		}
	}
	slices.SortStableFunc(m.Matrices, func(a, b *Param) int { return cmp.Compare(cost(b), cost(a)) })
	return m
}

// cost is proportional to the work of a step.
func cost(p *Param) int {
	rows, cols := sides(p)
	return p.Len() * min(rows, cols)
}

// sides returns the shape of a parameter as a matrix in memory: taps and input channels x output channels.
func sides(p *Param) (rows, cols int) { return p.Len() / p.Shape[0], p.Shape[0] }

// A MuonWork is the working memory of one goroutine, for matrices of every shape of a network.
type MuonWork struct {
	scratch kernels.Scratch
	matmul  kernels.MatMul
	buffers map[[2]int]*muonBuffers // by rows and columns
}

// NewWork makes working memory, which steps do not add to.
func (m *Muon) NewWork() *MuonWork {
	w := &MuonWork{matmul: kernels.MatMul{ISA: m.ISA}, buffers: map[[2]int]*muonBuffers{}}
	for _, p := range m.Matrices {
		rows, cols := sides(p)
		if w.buffers[[2]int{rows, cols}] == nil {
			b := newMuonBuffers(rows, cols)
			w.buffers[[2]int{rows, cols}] = b
			w.orthogonalise(b) // lets the memory of products grow
		}
	}
	return w
}

// muonBuffers are for matrices of one shape.
type muonBuffers struct {
	x, next      kernels.Map // rows x cols
	gram, square kernels.Map // the smaller side, squared
}

func newMuonBuffers(rows, cols int) *muonBuffers {
	matrix := func(rows, cols int) kernels.Map { return kernels.NewDense(1, 1, rows, cols) }
	side := min(rows, cols)
	return &muonBuffers{matrix(rows, cols), matrix(rows, cols), matrix(side, side), matrix(side, side)}
}

// Step steps one of the matrices: values, momentum and grad are the network's flat vectors.
func (m *Muon) Step(w *MuonWork, p *Param, values, momentum, grad []float32, h MuonStep) {
	rows, cols := sides(p)
	b := w.buffers[[2]int{rows, cols}]
	x, moment := b.x.Flat(), p.Of(momentum)
	for i, g := range p.Of(grad)[:len(x)] {
		g *= h.GradScale
		v := float32(h.Momentum*moment[i]) + g
		moment[i] = v
		x[i] = g + float32(h.Momentum*v) // Nesterov's: one step ahead
	}
	w.orthogonalise(b)
	rate := h.LR * float32(0.2*math.Sqrt(float64(max(rows, cols))))
	keep := 1 - float32(h.LR*h.Decay)
	own := p.Of(values)
	for i, step := range b.x.Flat()[:len(own)] {
		own[i] = float32(keep*own[i]) - float32(rate*step)
	}
}

// newtonSchulz are the coefficients of the quintic p(s) = a·s + b·s³ + c·s⁵ that Muon iterates on singular values:
// five times bring any between about 0.01 and 1 into [0.7, 1.2] (Jordan et al. 2024).
var newtonSchulz = [3]float32{3.4445, -4.7750, 2.0315}

const newtonSchulzSteps = 5

// orthogonalise replaces x by a matrix of the same singular vectors whose singular values are about 1. With G the
// product of x with itself over the longer side, a step is x·(a + b·G + c·G²), or from the left for a wide x.
func (w *MuonWork) orthogonalise(b *muonBuffers) {
	tall := b.x.W >= b.x.C
	scale := 1 / max(math.Sqrt(w.matmul.ISA.SumSquares(b.x.Flat())), 1e-20)
	scaleBy(b.x.Flat(), float32(scale))
	for range newtonSchulzSteps {
		if tall {
			b.gram.Clear()
			w.matmul.AddTransposedTimes(&w.scratch, b.gram, b.x, b.x)
		} else {
			w.matmul.TimesTransposed(&w.scratch, b.gram, b.x, b.x)
		}
		w.matmul.Times(&w.scratch, b.square, b.gram, b.gram)
		quintic(b.gram, b.square)
		if tall {
			w.matmul.Times(&w.scratch, b.next, b.x, b.gram)
		} else {
			w.matmul.Times(&w.scratch, b.next, b.gram, b.x)
		}
		b.x, b.next = b.next, b.x
	}
}

// quintic replaces G by a + b·G + c·G².
func quintic(gram, square kernels.Map) {
	g, g2, side := gram.Flat(), square.Flat(), gram.C
	for i, v := range g {
		g[i] = float32(newtonSchulz[1]*v) + float32(newtonSchulz[2]*g2[i])
	}
	for i := range side {
		g[i*side+i] += newtonSchulz[0]
	}
}

func scaleBy(x []float32, factor float32) {
	for i := range x {
		x[i] *= factor
	}
}
