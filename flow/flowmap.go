package flow

import (
	"fmt"

	"github.com/fmimg/fmimg/ode"
)

// A FlowMap is the mean velocity of the jumps of a flow: the state that is x at time t is
//
//	X_{t→t+δ}(x) = x + δ·u(x, t, δ)
//
// at time t+δ, so that u is the mean of v(x_s, s) over s from t to t+δ along the trajectory (Boffi et al. 2024, "Flow
// map matching", section 2; Geng et al. 2025, "Mean flows for one-step generative modeling", equation 3). A
// field needs many small steps where a flow map needs a few large ones.
//
// MeanVelocity is as [ode.Field.Velocity], for jumps of length d[i].
type FlowMap interface {
	MeanVelocity(u, x, t, d []float32, index []int)
}

// A FlowMapFunc is a function used as a [FlowMap].
type FlowMapFunc func(u, x, t, d []float32, index []int)

// MeanVelocity calls f.
func (f FlowMapFunc) MeanVelocity(u, x, t, d []float32, index []int) { f(u, x, t, d, index) }

// Jumps returns a solver that takes n equal jumps, and JumpField the field to give it.
//
// A jump is a step of Euler's method whose velocity is the mean over the step, so the solver is that of
// Euler's method; only with a flow map its steps are exact.
func Jumps(n int) ode.Solver {
	if n < 1 {
		panic(fmt.Sprintf("flow: %d jumps", n))
	}
	return ode.Fixed(jump, n)
}

// jump is Euler's method by another name.
var jump = &ode.Tableau{
	Name: "flow-map", Order: ode.Euler.Order, A: ode.Euler.A, B: ode.Euler.B, C: ode.Euler.C,
}

// JumpField returns the mean velocities of jumps of length d as a field, for a solver that takes steps of that
// length: [Jumps](n) from t0 to t1 takes those of (t1-t0)/n. It is for one goroutine.
func JumpField(m FlowMap, d float64) ode.Field { return &jumpField{m: m, d: float32(d)} }

type jumpField struct {
	m       FlowMap
	d       float32
	lengths []float32
}

// Velocity implements [ode.Field].
func (f *jumpField) Velocity(v, x, t []float32, index []int) {
	for len(f.lengths) < len(t) {
		f.lengths = append(f.lengths, f.d)
	}
	f.m.MeanVelocity(v, x, t, f.lengths[:len(t)], index)
}

// MeanVelocity sets u = (x1−x0)/d, the mean velocity of a jump of length d from x0 to x1: what a flow map is trained
// to answer. All have the same length; u may be x0 or x1.
func MeanVelocity(u, x0, x1 []float32, d float64) { blend(u, x0, x1, -1/d, 1/d) }
