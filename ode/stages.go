package ode

import (
	"context"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// stages are the velocities k_i of a step, each for the whole batch.
type stages [][]float32

// block is the number of sums that are computed at a time in float64: few enough for the
// first-level cache.
const block = 256

// sum sets s to h·Σ_j w[j]·k_j for the numbers from lo on. Stages with weight 0 are not read.
func (k stages) sum(s []float64, lo int, h float64, w []float64) {
	clear(s)
	for j, wj := range w {
		if wj == 0 {
			continue
		}
		hw := h * wj
		for i, v := range k[j][lo:][:len(s)] {
			s[i] += float64(hw * float64(v))
		}
	}
}

// combine sets y = x + h·Σ_j w[j]·k_j, where x stands at lo in the batch of k. It rounds to float32
// once.
func (k stages) combine(y, x []float32, lo int, h float64, w []float64) {
	var sums [block]float64
	for at := 0; at < len(x); at += block {
		s := sums[:min(block, len(x)-at)]
		k.sum(s, lo+at, h, w)
		xs, ys := x[at:][:len(s)], y[at:][:len(s)]
		for i := range s {
			ys[i] = float32(float64(xs[i]) + s[i])
		}
	}
}

// A tolerance is the error that a number x may have: abs + rel·|x|.
type tolerance struct{ rel, abs float64 }

// errorNorm returns the root mean square of e/tolerance over a state, where e = h·Σ_j w[j]·k_j
// estimates the error of a step from x to y. x stands at lo in the batch of k. The norm is NaN when
// y is not finite.
func (k stages) errorNorm(y, x []float32, lo int, h float64, w []float64, tol tolerance) float64 {
	var sums [block]float64
	var total float64
	for at := 0; at < len(x); at += block {
		e := sums[:min(block, len(x)-at)]
		k.sum(e, lo+at, h, w)
		xs, ys := x[at:][:len(e)], y[at:][:len(e)]
		for i := range e {
			scale := tol.abs + float64(tol.rel*max(math.Abs(float64(xs[i])), math.Abs(float64(ys[i]))))
			r := e[i] / scale
			total += float64(r*r) + float64(0*scale) // 0·Inf is NaN
		}
	}
	return math.Sqrt(total / float64(len(x)))
}

// norm returns the root mean square of e/tolerance at x.
func (tol tolerance) norm(e, x []float32) float64 {
	var total float64
	for i := range e {
		r := float64(e[i]) / (tol.abs + float64(tol.rel*math.Abs(float64(x[i]))))
		total += float64(r * r)
	}
	return math.Sqrt(total / float64(len(e)))
}

// buffers are the memory of a step of a batch.
type buffers struct {
	k     stages
	y     []float32 // states at a stage
	t     []float32 // times at a stage, one for each state
	index []int     // positions of the states in the first batch
	calls int
	dets  logDets
}

// reset makes room for s stages of n states of d numbers. It reuses the memory that is there.
func (b *buffers) reset(s, n, d int) {
	for len(b.k) < s {
		b.k = append(b.k, nil)
	}
	for i := range b.k[:s] {
		b.k[i] = states.Sized(b.k[i], n*d)
	}
	b.y, b.t, b.index = states.Sized(b.y, n*d), states.Sized(b.t, n), states.Sized(b.index, n)
	for i := range b.index {
		b.index[i] = i
	}
	b.calls = 0
}

// setTime gives all states the same time.
func (b *buffers) setTime(t float64) {
	for i := range b.t {
		b.t[i] = float32(t)
	}
}

// evaluate sets stage i of len(b.t) states to their velocities at x and the times b.t. With a
// divergence the field is that of dets, and f is not asked.
func (b *buffers) evaluate(ctx context.Context, f Field, i int, x []float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.calls++
	if l := &b.dets; l.f != nil {
		l.f.Divergence(b.k[i][:len(x)], l.k[i][:len(b.t)*l.m], x, b.t, b.index)
		return nil
	}
	f.Velocity(b.k[i][:len(x)], x, b.t, b.index)
	return nil
}
