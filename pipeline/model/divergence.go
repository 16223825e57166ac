package model

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/pipeline"
)

// A diverger is what a network predicts, a velocity say, with its divergence ∇·v = tr J, J = ∂v/∂x, for the states of one
// call of a solver. It implements [ode.DivergenceField]; [flow.DivergenceOf] makes a velocity of other predictions.
type diverger struct {
	net      Replica // of a replica with a backward pass
	imageLen int
	ctx      context.Context // ends an exact divergence, which takes hundreds of passes; its numbers mean nothing then
	y        []int32         // class of each state, nil for a network without

	// probes are the directions ε of Hutchinson's estimates, probe after probe of state after state: each entry ±1.
	// nil: the divergence is exact.
	probes []float32
	count  int // of probes of a state

	// Of the states under way.
	classes []int32
	dv, dx  []float32
}

// newDiverger makes a diverger for calls of up to n states with so many probes each, 0 for exact divergences.
func newDiverger(net Replica, n, imageLen, probes int) *diverger {
	return &diverger{
		net: net, imageLen: imageLen, count: probes, probes: make([]float32, n*probes*imageLen),
		classes: make([]int32, n), dv: make([]float32, n*imageLen), dx: make([]float32, n*imageLen),
	}
}

// draw makes the probes of state i those of an image of the seed's: they depend on nothing else, and do not change
// along the way, so that what a solver integrates is one function.
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

// exact adds up the diagonal of J, a row for each dimension: images do not see each other, so that one backward
// pass gives that row of every image.
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

// estimate sets the divergences to εᵀJε, whose expectation is tr J (Hutchinson 1990): J enters through one vector
// times it, (εᵀJ)·ε, which costs a backward pass for each probe.
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

// dotProduct returns x·y, summed in float64.
func dotProduct(x, y []float32) float64 {
	var sum float64
	for i, v := range x {
		sum += float64(float64(v) * float64(y[i]))
	}
	return sum
}
