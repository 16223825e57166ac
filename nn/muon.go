package nn

import (
	"cmp"
	"math"
	"slices"

	"github.com/fmimg/fmimg/kernels"
)

// A Muon is an optimiser of the matrices among a network's parameters. It steps a matrix along the
// orthogonal matrix nearest to its momentum (Jordan et al. 2024, "Muon: an optimizer for hidden
// layers in neural networks"). So all directions of a layer learn equally fast, though its gradient
// is large along a few directions alone.
//
// Another optimiser must step the other parameters, and the weights of layers between few channels.
// Muon scales its steps to the size of AdamW's (Liu et al. 2025, "Muon is scalable for LLM
// training", equation 4), so that both share a learning rate.
type Muon struct {
	ISA      kernels.ISA
	Matrices []*Param // the parameters that it steps; the first takes the most work

	// Neurons evens out the size of the steps of a matrix's columns, which are its output channels
	// (Li et al. 2025, "NorMuon: Making Muon more efficient and scalable", algorithm 1).
	Neurons bool

	// Pairs rounds the factors of all products to bfloat16, as Jordan's own program does. It takes
	// effect in working memory that is made afterwards.
	Pairs bool
}

// A MuonStep is what a step's numbers depend on.
type MuonStep struct {
	LR        float32 // learning rate
	Momentum  float32 // decay of the gradient's running sum
	Decay     float32 // decoupled weight decay; a step takes LR·Decay of a weight
	GradScale float32 // factor on the gradient, from clipping
	Square    float32 // decay of the columns' mean squares, with Neurons
}

// smallestSide is the least number of channels on each side of a layer that Muon steps. The first
// and last layer of a network have fewer.
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

// cost is proportional to the work of a step of the parameter.
func cost(p *Param) int {
	rows, cols := sides(p)
	return p.Len() * min(rows, cols)
}

// sides returns the shape of a parameter as a matrix in memory. Its rows are the taps and input
// channels, its columns the output channels.
func sides(p *Param) (rows, cols int) { return p.Len() / p.Shape[0], p.Shape[0] }

// A MuonWork is the working memory of one goroutine. It has room for the matrices of a network.
type MuonWork struct {
	scratch kernels.Scratch
	matmul  kernels.MatMul
	buffers map[[2]int]*muonBuffers // by rows and columns
}

// NewWork makes working memory. Steps allocate nothing more.
func (m *Muon) NewWork() *MuonWork {
	w := &MuonWork{matmul: kernels.MatMul{ISA: m.ISA, Pairs: m.Pairs}, buffers: map[[2]int]*muonBuffers{}}
	for _, p := range m.Matrices {
		rows, cols := sides(p)
		if w.buffers[[2]int{rows, cols}] == nil {
			b := newMuonBuffers(rows, cols)
			w.buffers[[2]int{rows, cols}] = b
			w.orthogonalise(b) // so that the products take their memory now
		}
	}
	return w
}

// muonBuffers are the maps that a step of a matrix of one shape computes in.
type muonBuffers struct {
	x, next      kernels.Map // rows x cols
	gram, square kernels.Map // side x side, with the smaller side of x
	columns      []float64   // a number for each column of x
}

func newMuonBuffers(rows, cols int) *muonBuffers {
	side := min(rows, cols)
	return &muonBuffers{
		matrix(rows, cols), matrix(rows, cols), matrix(side, side), matrix(side, side), make([]float64, cols),
	}
}

// Step steps one of the matrices. values, momentum, squares and grad are the network's flat
// vectors. With Neurons the first numbers of the matrix in squares are the mean squares of its
// columns, and squares is not used otherwise.
func (m *Muon) Step(w *MuonWork, p *Param, values, momentum, squares, grad []float32, h MuonStep) {
	rows, cols := sides(p)
	b := w.buffers[[2]int{rows, cols}]
	x, moment := b.x.Flat(), p.Of(momentum)
	for i, g := range p.Of(grad)[:len(x)] {
		g *= h.GradScale
		v := float32(h.Momentum*moment[i]) + g
		moment[i] = v
		x[i] = g + float32(h.Momentum*v) // Nesterov's momentum, one step ahead
	}
	w.orthogonalise(b)
	if m.Neurons {
		b.evenOut(p.Of(squares)[:cols], h.Square)
	}
	rate := h.LR * float32(0.2*math.Sqrt(float64(max(rows, cols))))
	keep := 1 - float32(h.LR*h.Decay)
	own := p.Of(values)
	for i, step := range b.x.Flat()[:len(own)] {
		own[i] = float32(keep*own[i]) - float32(rate*step)
	}
}

// evenOut divides each column of x by the root of the running mean of its squares, and scales x so
// that its norm stays. squares are these means; decay is that of the running mean.
func (b *muonBuffers) evenOut(squares []float32, decay float32) {
	x, rows, cols := b.x.Flat(), b.x.W, b.x.C
	sums := b.columns[:cols]
	columnSquares(sums, x)
	before := sum(sums)
	for j, s := range sums {
		v := float32(decay*squares[j]) + float32((1-decay)*float32(s/float64(rows)))
		squares[j] = v
		sums[j] = 1 / (math.Sqrt(float64(v)) + 1e-10)
	}
	after := 0.0
	for i := 0; i < len(x); i += cols {
		for j, factor := range sums {
			v := x[i+j] * float32(factor)
			x[i+j] = v
			after += float64(float64(v) * float64(v))
		}
	}
	scale(x, x, float32(math.Sqrt(before/max(after, 1e-20))))
}

// columnSquares sets each sum to that of the squares of a column of x.
func columnSquares(sums []float64, x []float32) {
	clear(sums)
	for i := 0; i < len(x); i += len(sums) {
		for j := range sums {
			v := float64(x[i+j])
			sums[j] += float64(v * v)
		}
	}
}

// sum returns the sum of numbers, from the first to the last.
func sum(numbers []float64) float64 {
	total := 0.0
	for _, v := range numbers {
		total += v
	}
	return total
}

// newtonSchulz are the coefficients of the quintic p(s) = a·s + b·s³ + c·s⁵ that Muon applies to
// the singular values. Five times bring a value between about 0.01 and 1 into [0.7, 1.2] (Jordan et
// al. 2024).
var newtonSchulz = [3]float32{3.4445, -4.7750, 2.0315}

const newtonSchulzSteps = 5

// orthogonalise replaces x by a matrix with the same singular vectors, whose singular values are
// about 1. One step sets x to x·(a + b·G + c·G²) with G = xᵀ·x, if x is tall. A wide x has G =
// x·xᵀ, and the bracket on its left.
func (w *MuonWork) orthogonalise(b *muonBuffers) {
	tall := b.x.W >= b.x.C
	size := max(math.Sqrt(w.matmul.ISA.SumSquares(b.x.Flat())), 1e-20)
	scale(b.x.Flat(), b.x.Flat(), float32(1/size))
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
