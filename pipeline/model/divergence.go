package model

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/pipeline"
)

// A diverger evaluates what a network predicts, v, and its divergence ∇·v = tr J with J = ∂v/∂x,
// for the states of one call of a solver. It implements [ode.DivergenceField]. Where v is noise or
// data, [flow.DivergenceOf] makes a velocity of it.
type diverger struct {
	net      Replica // has a backward pass
	imageLen int
	// ctx ends an exact divergence, which takes hundreds of passes. The results are meaningless
	// then.
	ctx context.Context
	y   []int32 // class of each state; nil for a network without classes

	// probes are the directions ε of Hutchinson's estimates, [n, count, imageLen], with entries ±1.
	probes []float32
	count  int // probes of a state; 0: the divergence is exact

	// Buffers for the states of one call.
	classes []int32
	dv, dx  []float32
}

// newDiverger makes a diverger for calls of up to n states. probes is the number of probes for each
// state, or 0 for exact divergences.
func newDiverger(net Replica, n, imageLen, probes int) *diverger {
	return &diverger{
		net: net, imageLen: imageLen, count: probes, probes: make([]float32, n*probes*imageLen),
		classes: make([]int32, n), dv: make([]float32, n*imageLen), dx: make([]float32, n*imageLen),
	}
}

// draw sets the probes of state i. They depend on the seed and the image alone. They stay the same
// along the trajectory, so that the solver integrates one function.
func (g *diverger) draw(i int, seed uint64, image int) {
	var rng rand.PCG
	for p := range g.count {
		pipeline.Seed(&rng, seed, pipeline.StreamProbe, image, p)
		signs(g.probe(i, p), &rng)
	}
}

func (g *diverger) probe(state, p int) []float32 {
	return g.probes[(state*g.count+p)*g.imageLen:][:g.imageLen]
}

// signs fills x with independent Rademacher numbers: 1 or -1, one from each bit of the stream.
func signs(x []float32, rng *rand.PCG) {
	var bits uint64
	for i := range x {
		if i%64 == 0 {
			bits = rng.Uint64()
		}
		x[i] = float32(1 - 2*int(bits&1))
		bits >>= 1
	}
}

// Divergence implements [ode.DivergenceField].
func (g *diverger) Divergence(v []float32, div []float64, x, t []float32, index []int) {
	n := len(t)
	var y []int32
	if g.y != nil {
		y = g.classes[:n]
		for i, k := range index {
			y[i] = g.y[k]
		}
	}
	g.net.Forward(v, x, t, y)
	clear(div)
	if g.count == 0 {
		g.exact(div, n)
	} else {
		g.estimate(div, index)
	}
}

// exact adds up the diagonal of J, a row of J for each dimension. Images do not depend on each
// other, so one backward pass gives that row for every image.
func (g *diverger) exact(div []float64, n int) {
	dv, dx := g.dv[:n*g.imageLen], g.dx[:n*g.imageLen]
	clear(dv)
	for j := range g.imageLen {
		if g.ctx != nil && g.ctx.Err() != nil {
			return
		}
		for i := range n {
			dv[i*g.imageLen+j] = 1
		}
		g.net.Backward(dx, dv, nil)
		for i := range n {
			div[i] += float64(dx[i*g.imageLen+j])
			dv[i*g.imageLen+j] = 0
		}
	}
}

// estimate sets the divergences to εᵀJε, whose expectation is tr J (Hutchinson 1990). One backward
// pass for each probe gives εᵀJ.
func (g *diverger) estimate(div []float64, index []int) {
	n := len(index)
	dv, dx := g.dv[:n*g.imageLen], g.dx[:n*g.imageLen]
	for p := range g.count {
		for i, k := range index {
			copy(dv[i*g.imageLen:], g.probe(k, p))
		}
		g.net.Backward(dx, dv, nil)
		for i, k := range index {
			div[i*g.count+p] = dotProduct(g.probe(k, p), dx[i*g.imageLen:(i+1)*g.imageLen])
		}
	}
}

// dotProduct returns x·y, with products and sums in float64.
func dotProduct(x, y []float32) float64 {
	var sum float64
	for i, v := range x {
		sum += float64(float64(v) * float64(y[i]))
	}
	return sum
}
