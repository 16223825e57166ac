package flow

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// Coefficients are those of a path at one time, x_t = Sigma·x0 + Alpha·x1, and their derivatives by
// t.
type Coefficients struct {
	Alpha, Sigma   float64
	DAlpha, DSigma float64
}

// LogSNR returns log(α²/σ²), the logarithm of the signal-to-noise ratio. It is −Inf without signal
// and +Inf without noise.
func (c Coefficients) LogSNR() float64 { return 2 * (math.Log(c.Alpha) - math.Log(c.Sigma)) }

// A Schedule gives the coefficients of a path from noise to data. (Alpha, Sigma) goes from (0, 1)
// at t = 0 to (1, 0) at t = 1, exactly or nearly, see [CheckSchedule]. [ParseSchedule] knows the
// schedules of this package by name.
type Schedule interface {
	At(t float64) Coefficients
}

// Linear is the straight path with constant speed: α_t = t, σ_t = 1−t, so u_t = x1 − x0 (Liu et al.
// 2023, "Flow Straight and Fast", equation 1; Lipman et al. 2023, equation 20 with σ_min = 0).
type Linear struct{}

// At returns the coefficients at time t.
func (Linear) At(t float64) Coefficients {
	return Coefficients{Alpha: t, Sigma: 1 - t, DAlpha: 1, DSigma: -1}
}

// String returns "linear".
func (Linear) String() string { return "linear" }

// Interpolate sets xt = σ·x0 + α·x1. All have the same length; xt may be x0 or x1.
func Interpolate(xt, x0, x1 []float32, c Coefficients) {
	blend(xt, x0, x1, c.Sigma, c.Alpha)
}

// TargetVelocity sets u = σ'·x0 + α'·x1, the derivative of [Interpolate] by t. All have the same
// length; u may be x0 or x1.
func TargetVelocity(u, x0, x1 []float32, c Coefficients) {
	blend(u, x0, x1, c.DSigma, c.DAlpha)
}

// TowardsData returns σ'/σ·(x − α·x1) + α'·x1 as a part of a state x and the data x1: the velocity
// of x on its path to x1 (Lipman et al. 2023, theorem 3). On the path from x0 to x1 it equals
// [TargetVelocity]. Where σ = 0 all paths to x1 meet in α·x1, and their noises cannot be told
// apart: it is α'·x1 there, the mean of their velocities.
func (c Coefficients) TowardsData() Part {
	if c.Sigma == 0 {
		return Part{P: c.DAlpha}
	}
	rate := c.DSigma / c.Sigma
	return Part{X: rate, P: c.DAlpha - float64(rate*c.Alpha)}
}

// ConditionalVelocity sets u = u_t(x|x1), see [Coefficients.TowardsData]. All have the same length;
// u may be x or x1.
func ConditionalVelocity(u, x, x1 []float32, c Coefficients) { c.TowardsData().Apply(u, x, x1) }

// ConditionalPairs makes training pairs from a batch of len(t) states: xt, which the network sees
// together with t, and u, its target. State i is on the path from x0 to x1 at time t[i]. The four
// vectors hold len(t) states of the same size.
func ConditionalPairs(xt, u, x0, x1, t []float32, s Schedule) {
	d := states.Size(len(x1), len(t))
	if len(xt) != len(x1) || len(u) != len(x1) || len(x0) != len(x1) {
		panic(fmt.Sprintf("flow: lengths differ: xt %d, u %d, x0 %d, x1 %d", len(xt), len(u), len(x0), len(x1)))
	}
	for i, ti := range t {
		c := s.At(float64(ti))
		lo, hi := i*d, (i+1)*d
		Interpolate(xt[lo:hi], x0[lo:hi], x1[lo:hi], c)
		TargetVelocity(u[lo:hi], x0[lo:hi], x1[lo:hi], c)
	}
}

// blend sets y = a·x0 + b·x1, rounded to float32 once.
func blend(y, x0, x1 []float32, a, b float64) {
	if len(x0) != len(y) || len(x1) != len(y) {
		panic(fmt.Sprintf("flow: lengths differ: result %d, x0 %d, x1 %d", len(y), len(x0), len(x1)))
	}
	for i := range y {
		y[i] = float32(float64(a*float64(x0[i])) + float64(b*float64(x1[i])))
	}
}
