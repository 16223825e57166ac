package flow

import (
	"fmt"

	"github.com/fmimg/fmimg/ode"
)

// A FlowMap is the mean velocity over jumps along a flow. The state that is x at time t is
//
//	X_{t→t+δ}(x) = x + δ·u(x, t, δ)
//
// at time t+δ, so u is the mean of v(x_s, s) over s from t to t+δ along the trajectory (Boffi et
// al. 2024, "Flow map matching", section 2; Geng et al. 2025, "Mean flows for one-step generative
// modeling", equation 3). A flow map needs a few large steps where a field needs many small ones.
//
// MeanVelocity does for jumps of length d[i] what [ode.Field.Velocity] does.
type FlowMap interface {
	MeanVelocity(u, x, t, d []float32, index []int)
}

// A FlowMapFunc is a function used as a [FlowMap].
type FlowMapFunc func(u, x, t, d []float32, index []int)

// MeanVelocity calls f.
func (f FlowMapFunc) MeanVelocity(u, x, t, d []float32, index []int) { f(u, x, t, d, index) }

// Jumps returns a solver that takes n equal jumps. It needs the field that [JumpField] returns.
//
// A jump is a step of Euler's method with the mean velocity over the step. So the solver is that of
// Euler's method. With a flow map its steps are exact.
func Jumps(n int) ode.Solver {
	if n < 1 {
		panic(fmt.Sprintf("flow: %d jumps", n))
	}
	return ode.Fixed(jump, n)
}

// jump is Euler's method under the name that users see.
var jump = &ode.Tableau{
	Name: "flow-map", Order: ode.Euler.Order, A: ode.Euler.A, B: ode.Euler.B, C: ode.Euler.C,
}

// JumpField returns the mean velocities of jumps of length d as a field. It is for a solver with
// steps of that length: [Jumps](n) from t0 to t1 takes steps of (t1−t0)/n. The field is for one
// goroutine.
func JumpField(m FlowMap, d float64) ode.Field { return &jumpsOfLength{m: m, d: float32(d)} }

type jumpsOfLength struct {
	m       FlowMap
	d       float32
	lengths []float32
}

// Velocity implements [ode.Field].
func (f *jumpsOfLength) Velocity(v, x, t []float32, index []int) {
	for len(f.lengths) < len(t) {
		f.lengths = append(f.lengths, f.d)
	}
	f.m.MeanVelocity(v, x, t, f.lengths[:len(t)], index)
}

// MeanVelocity sets u = (x1−x0)/d, the mean velocity of a jump of length d from x0 to x1. A flow
// map is trained to answer it. All have the same length; u may be x0 or x1.
func MeanVelocity(u, x0, x1 []float32, d float64) { blend(u, x0, x1, -1/d, 1/d) }
