package flow

import (
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// growth is the flow map of dx/dt = rate·x: X_{t→t+δ}(x) = x·exp(rate·δ).
func growth(rate float64) FlowMapFunc {
	return func(u, x, _, d []float32, _ []int) {
		size := len(x) / len(d)
		for i := range x {
			length := float64(d[i/size])
			u[i] = float32(float64(x[i]) * (math.Exp(rate*length) - 1) / length)
		}
	}
}

// TestJumpsCompose: any number of jumps of a flow map ends where the flow does. Euler's method with
// the field would be far off.
func TestJumpsCompose(t *testing.T) {
	const rate = 1.5
	start := numtest.Normals(12, 1)
	for _, n := range []int{1, 2, 4, 7} {
		x := slices.Clone(start)
		stats, err := Jumps(n).Solve(t.Context(), JumpField(growth(rate), 1/float64(n)), x, 4, 0, 1)
		if err != nil || stats.MeanEvaluations() != float64(n) || stats.States != 4 {
			t.Errorf("%d jumps: %+v, %v", n, stats, err)
		}
		for i, v := range x {
			// Each jump rounds δ, u and the state to 2⁻²⁴ relative, which e^1.5 < 4.5 magnifies:
			// 7·3·2⁻²⁴·4.5 < 6e-6.
			if want := float64(start[i]) * math.Exp(rate); !numtest.Near(float64(v), want, 6e-6*(1+math.Abs(want))) {
				t.Errorf("%d jumps: number %d is %v, want %v", n, i, v, want)
			}
		}
	}
}

// TestMeanVelocityOfALinearField: the mean velocity of a jump along a trajectory is that of the
// flow map. The trajectory is that of a solver whose error is below the rounding of float32.
func TestMeanVelocityOfALinearField(t *testing.T) {
	const rate, d = 1.5, 1. / 4
	field := ode.FieldFunc(func(v, x, _ []float32, _ []int) {
		for i := range x {
			v[i] = float32(rate * float64(x[i]))
		}
	})
	x0 := numtest.Normals(30, 2)
	x1, u, want, lengths := slices.Clone(x0), make([]float32, 30), make([]float32, 30), make([]float32, 3)
	if _, err := ode.Fixed(ode.RK4, 16).Solve(t.Context(), field, x1, 3, 0, d); err != nil {
		t.Fatal(err)
	}
	for i := range lengths {
		lengths[i] = d
	}
	growth(rate).MeanVelocity(want, x0, nil, lengths, nil)
	MeanVelocity(u, x0, x1, d)
	for i := range u {
		// (rate·h)⁵/120 a step of h = 1/64 is 6e-11; rounding x1 in 16 steps to 2⁻²⁴ divided by d
		// is 4e-6.
		if !numtest.Near(float64(u[i]), float64(want[i]), 4e-6*(1+math.Abs(float64(x1[i])))) {
			t.Errorf("number %d: mean velocity %v, want %v", i, u[i], want[i])
		}
	}
}

// TestJumpsObserved: an observer sees each jump, at the time where it ends.
func TestJumpsObserved(t *testing.T) {
	var times []float64
	x := []float32{1}
	s := Jumps(4).Observed(func(_ int, at float64, _ []float32) { times = append(times, at) })
	if _, err := s.Solve(t.Context(), JumpField(growth(1), 0.25), x, 1, 0, 1); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(times, []float64{0, 0.25, 0.5, 0.75, 1}) {
		t.Errorf("seen at %v", times)
	}
	if got := s.String(); got != "flow-map, 4 steps" {
		t.Errorf("it calls itself %q", got)
	}
	numtest.MustPanic(t, "no jumps", func() { Jumps(0) })
}
