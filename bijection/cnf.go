package bijection

import (
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// A Dynamics is a velocity field with its divergence, through which gradients go back: the
// right-hand side of a [CNF].
type Dynamics interface {
	// Evaluate sets v to the velocities of len(div) states x at time t, and div to their
	// divergences. It keeps what Pull needs, under the number of the call.
	Evaluate(call int, v, div, x []float32, t float64)
	// Pull goes back through a call of Evaluate. dv and dDiv are the gradients by its results. Pull
	// sets dx, the gradient by x, and adds to the gradients of parameters.
	Pull(call int, dx, dv, dDiv []float32)
}

// A CNF is a continuous normalizing flow: its layers are the moments of dx/dt = v(x, t), with noise
// at t = 0 and data at t = 1. Along a trajectory the density changes at the rate of the divergence
// (Chen et al. 2018, "Neural Ordinary Differential Equations", theorem 1), so
//
//	log p(x1) = log N(x0; 0, I) − ∫₀¹ div v(x_t, t) dt,   x_t on the way from x1 back to x0.
//
// It is trained by maximum likelihood through the steps of a solver. The equation is first
// discretised and then differentiated, so gradients are exact for the discretised flow.
type CNF struct {
	Method *ode.Tableau
	Steps  int // of equal size

	y, dx, dy []float32
	k, dk     [][]float32 // velocities at the stages of a step, and their gradients
	div, dDiv []float32
}

// Calls returns how many calls a [Dynamics] must keep: their numbers are 0 to Calls()−1.
func (c *CNF) Calls() int { return c.Steps * len(c.Method.B) }

// LogProb sets logp to log p(x) of len(logp) states, in nats, and moves x to their noise.
func (c *CNF) LogProb(f Dynamics, logp []float64, x []float32) {
	n := len(logp)
	d := c.reset(x, n)
	clear(logp)
	for step := range c.Steps {
		c.step(f, logp, x, step)
	}
	for i := range logp {
		logp[i] += LogNormal(x[i*d : (i+1)*d])
	}
}

// reset makes room for n states, and returns their size.
func (c *CNF) reset(x []float32, n int) int {
	stages := len(c.Method.B)
	if c.k == nil {
		c.k, c.dk = make([][]float32, stages), make([][]float32, stages)
	}
	for i := range stages {
		c.k[i], c.dk[i] = states.Sized(c.k[i], len(x)), states.Sized(c.dk[i], len(x))
	}
	c.y, c.dx, c.dy = states.Sized(c.y, len(x)), states.Sized(c.dx, len(x)), states.Sized(c.dy, len(x))
	c.div, c.dDiv = states.Sized(c.div, n), states.Sized(c.dDiv, n)
	return states.Size(len(x), n)
}

// size returns the size of a step, which goes back in time.
func (c *CNF) size() float64 { return -1 / float64(c.Steps) }

// step moves x one step towards noise. It adds the ∫ div dt of the step to logp. Time goes back, so
// this is negative for a flow that spreads.
func (c *CNF) step(f Dynamics, logp []float64, x []float32, step int) {
	h, stages := c.size(), len(c.Method.B)
	t := ode.TimeOf(step, c.Steps, 1, 0)
	for i := range stages {
		copy(c.y, x)
		for j, a := range c.Method.A[i] {
			addScaled(c.y, c.k[j], h*a)
		}
		f.Evaluate(step*stages+i, c.k[i], c.div, c.y, t+float64(c.Method.C[i]*h))
		for s, v := range c.div {
			logp[s] += float64(float64(h*c.Method.B[i]) * float64(v))
		}
	}
	for i, b := range c.Method.B {
		addScaled(x, c.k[i], h*b)
	}
}

// Gradient adds the gradients of share·Σ_i −log p(x_i), for n states x, to those of the parameters.
// It returns Σ_i −log p(x_i) in nats. It moves x to the noise.
func (c *CNF) Gradient(f Dynamics, x []float32, n int, share float64) float64 {
	logp := make([]float64, n)
	c.LogProb(f, logp, x)
	sum := 0.0
	for _, v := range logp {
		sum -= v
	}
	for i, z := range x {
		c.dx[i] = float32(share * float64(z))
	}
	for step := c.Steps - 1; step >= 0; step-- {
		c.back(f, step, share)
	}
	return sum
}

// back turns dx, the gradient by the state after a step, into the gradient by the state before it.
// A bar stands for gradients. With k_i the velocity at y_i = x + h·Σ_j a_ij·k_j,
//
//	k̄_i = h·b_i·x̄ + h·Σ_{l>i} a_li·ȳ_l,   x̄ ← x̄ + Σ_i ȳ_i,
//
// where ȳ_i is what [Dynamics] pulls back from k̄_i and from the gradient by the divergence.
func (c *CNF) back(f Dynamics, step int, share float64) {
	h, stages := c.size(), len(c.Method.B)
	for i, b := range c.Method.B {
		clear(c.dk[i])
		addScaled(c.dk[i], c.dx, h*b)
	}
	for i, b := range slices.Backward(c.Method.B) {
		for s := range c.dDiv {
			c.dDiv[s] = float32(-share * h * b)
		}
		f.Pull(step*stages+i, c.dy, c.dk[i], c.dDiv)
		addScaled(c.dx, c.dy, 1)
		for j, a := range c.Method.A[i] {
			addScaled(c.dk[j], c.dy, h*a)
		}
	}
}

// addScaled adds a·src to dst.
func addScaled(dst, src []float32, a float64) {
	if len(dst) != len(src) {
		panic(fmt.Sprintf("bijection: lengths differ: %d and %d", len(dst), len(src)))
	}
	if a == 0 {
		return
	}
	for i, v := range src {
		dst[i] += float32(float32(a) * v)
	}
}
