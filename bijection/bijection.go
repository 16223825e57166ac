package bijection

import (
	"fmt"

	"github.com/fmimg/fmimg/internal/states"
)

// A Bijection is an invertible layer of a normalizing flow, over a batch of states. Towards noise
// it is y = f(x), and log|det ∂f/∂x| is known for each state. Towards data it is the inverse. All
// methods work in place. A Bijection has its own memory, so one goroutine may use it at a time.
type Bijection interface {
	// Normalise moves len(logDet) states towards noise, and adds their log|det ∂f/∂x| to logDet.
	Normalise(x []float32, logDet []float64)
	// Generate moves n states towards data. It is the inverse of Normalise.
	Generate(y []float32, n int)
	// Backward goes back through the last Normalise, whose results y are. It replaces y by x, and
	// dy by dx, where dy and dx are the gradients of the loss by y and x. dLogDet is the gradient
	// by logDet. Backward adds to the gradients of parameters.
	Backward(y, dy []float32, dLogDet []float64)
}

// An Initialiser is a layer whose first parameters depend on data.
type Initialiser interface {
	// Initialise sets the parameters from n states, and moves the states as Normalise does then.
	Initialise(x []float32, n int)
}

// A Chain is a sequence of layers. The first is that at the data.
type Chain []Bijection

// Normalise implements [Bijection]. Determinants multiply, so log-determinants add up.
func (c Chain) Normalise(x []float32, logDet []float64) {
	for _, layer := range c {
		layer.Normalise(x, logDet)
	}
}

// Generate implements [Bijection].
func (c Chain) Generate(y []float32, n int) {
	for i := len(c) - 1; i >= 0; i-- {
		c[i].Generate(y, n)
	}
}

// Backward implements [Bijection]. Layers compute their states again from the noise, so none keeps
// them.
func (c Chain) Backward(y, dy []float32, dLogDet []float64) {
	for i := len(c) - 1; i >= 0; i-- {
		c[i].Backward(y, dy, dLogDet)
	}
}

// Initialise implements [Initialiser]. Each layer sees the results of the layers before it.
func (c Chain) Initialise(x []float32, n int) {
	unused := make([]float64, n)
	for _, layer := range c {
		if l, ok := layer.(Initialiser); ok {
			l.Initialise(x, n)
		} else {
			layer.Normalise(x, unused)
		}
	}
}

// A NormalizingFlow is the distribution of states of d numbers that the layers make of standard
// normal noise,
//
//	log p(x) = log N(f(x); 0, I) + log|det ∂f/∂x|
//
// (Rezende and Mohamed 2015, "Variational Inference with Normalizing Flows", equation 7; Dinh et
// al. 2017, "Density estimation using Real NVP", equation 3).
type NormalizingFlow struct {
	Layers Chain

	logDet, dLogDet []float64
	dx              []float32
}

// LogProb sets logp to log p(x) of len(logp) states, in nats, and moves x to their noise.
func (f *NormalizingFlow) LogProb(logp []float64, x []float32) {
	clear(logp)
	f.Layers.Normalise(x, logp)
	d := states.Size(len(x), len(logp))
	for i := range logp {
		logp[i] += LogNormal(x[i*d : (i+1)*d])
	}
}

// Sample moves n states of standard normal noise to data.
func (f *NormalizingFlow) Sample(x []float32, n int) { f.Layers.Generate(x, n) }

// Gradient adds the gradients of share·Σ_i −log p(x_i), for n states x, to those of the parameters.
// It returns Σ_i −log p(x_i) in nats. x stays as it is, but for rounding.
func (f *NormalizingFlow) Gradient(x []float32, n int, share float64) float64 {
	f.logDet, f.dLogDet, f.dx = states.Sized(f.logDet, n), states.Sized(f.dLogDet, n), states.Sized(f.dx, len(x))
	f.LogProb(f.logDet, x)
	sum := 0.0
	for i, logp := range f.logDet {
		sum -= logp
		f.dLogDet[i] = -share
	}
	for i, z := range x {
		f.dx[i] = float32(share * float64(z)) // the gradient of −log N
	}
	f.Layers.Backward(x, f.dx, f.dLogDet)
	return sum
}

// A Permute is a layer that puts number order[i] of a state in place i. Its determinant is 1.
type Permute struct {
	order []int
	state []float32
}

// NewPermute makes the layer. It panics when order is not a permutation of 0 to len(order)−1.
func NewPermute(order []int) *Permute {
	seen := make([]bool, len(order))
	for _, i := range order {
		if i < 0 || i >= len(order) || seen[i] {
			panic(fmt.Sprintf("bijection: %v is not a permutation", order))
		}
		seen[i] = true
	}
	return &Permute{order, make([]float32, len(order))}
}

// Normalise implements [Bijection].
func (p *Permute) Normalise(x []float32, _ []float64) {
	p.each(x, func(to, from []float32) {
		for i, at := range p.order {
			to[i] = from[at]
		}
	})
}

// Generate implements [Bijection].
func (p *Permute) Generate(y []float32, _ int) {
	p.each(y, func(to, from []float32) {
		for i, at := range p.order {
			to[at] = from[i]
		}
	})
}

// Backward implements [Bijection].
func (p *Permute) Backward(y, dy []float32, dLogDet []float64) {
	p.Generate(y, len(dLogDet))
	p.Generate(dy, len(dLogDet))
}

// each calls move for each state of x. move writes the state, from a copy of what it was.
func (p *Permute) each(x []float32, move func(to, from []float32)) {
	d := len(p.order)
	for i := 0; i < len(x); i += d {
		copy(p.state, x[i:i+d])
		move(x[i:i+d], p.state)
	}
}

// A Leading applies layers to the first Size numbers of a state. The other numbers go straight to
// the noise. So a multi-scale flow factors out half of its numbers at each scale (Dinh et al. 2017,
// section 3.6).
type Leading struct {
	Size   int
	Layers Chain

	x, dx []float32
}

// Normalise implements [Bijection].
func (p *Leading) Normalise(x []float32, logDet []float64) {
	p.x = p.take(p.x, x, len(logDet))
	p.Layers.Normalise(p.x, logDet)
	p.put(x, p.x)
}

// Generate implements [Bijection].
func (p *Leading) Generate(y []float32, n int) {
	p.x = p.take(p.x, y, n)
	p.Layers.Generate(p.x, n)
	p.put(y, p.x)
}

// Backward implements [Bijection].
func (p *Leading) Backward(y, dy []float32, dLogDet []float64) {
	p.x, p.dx = p.take(p.x, y, len(dLogDet)), p.take(p.dx, dy, len(dLogDet))
	p.Layers.Backward(p.x, p.dx, dLogDet)
	p.put(y, p.x)
	p.put(dy, p.dx)
}

// Initialise implements [Initialiser].
func (p *Leading) Initialise(x []float32, n int) {
	p.x = p.take(p.x, x, n)
	p.Layers.Initialise(p.x, n)
	p.put(x, p.x)
}

// take returns the first numbers of each of n states.
func (p *Leading) take(part, x []float32, n int) []float32 {
	part = states.Sized(part, n*p.Size)
	d := states.Size(len(x), n)
	for i := range n {
		copy(part[i*p.Size:(i+1)*p.Size], x[i*d:])
	}
	return part
}

// put writes the first numbers of each state back.
func (p *Leading) put(x, part []float32) {
	n := len(part) / p.Size
	d := states.Size(len(x), n)
	for i := range n {
		copy(x[i*d:], part[i*p.Size:(i+1)*p.Size])
	}
}
