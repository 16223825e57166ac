package ode_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/ode/odetest"
)

// withTableau returns what makes solvers of a tableau.
func withTableau(tab *ode.Tableau) func(steps int) ode.Solver {
	return func(steps int) ode.Solver { return ode.Fixed(tab, steps) }
}

// TestConvergenceOrder halves the step and measures the order each time. The first number of steps
// is where the first term of the error dominates. At the last number the error is still above 2e-7
// for at most 32 steps, and above 3e-6 for more: float32 rounds states of about 1 by 3e-8 (root
// mean square), and the roundings of steps add up like a random walk.
func TestConvergenceOrder(t *testing.T) {
	for _, c := range []struct {
		solver func(steps int) ode.Solver
		order  int
		steps  []int
	}{
		{withTableau(ode.Euler), ode.Euler.Order, []int{128, 256, 512, 1024}},
		{withTableau(ode.Midpoint), ode.Midpoint.Order, []int{32, 64, 128, 256}},
		{withTableau(ode.Heun), ode.Heun.Order, []int{32, 64, 128, 256}},
		{withTableau(ode.RK4), ode.RK4.Order, []int{8, 16, 32}},
		{ode.Adams2, 2, []int{64, 128, 256, 512}},
	} {
		for _, p := range numtest.Problems {
			for _, backward := range []bool{false, true} {
				if backward && p.Expands {
					continue
				}
				t.Run(fmt.Sprintf("%v/%s/backward=%v", c.solver(1), p.Name, backward), func(t *testing.T) {
					measureOrder(t, c.solver, c.order, p, c.steps, backward)
				})
			}
		}
	}
}

func measureOrder(
	t *testing.T, solver func(steps int) ode.Solver, want int, p numtest.Problem, steps []int, backward bool,
) {
	t0, t1 := 0., 1.
	if backward {
		t0, t1 = t1, t0
	}
	last := 0.0
	for i, n := range steps {
		x, _ := odetest.Solve(t, solver(n), fieldOf(p), p.At(t0), len(p.Start), t0, t1)
		e := numtest.Distance(x, p.At(t1))
		if order := math.Log2(last / e); i > 0 && !numtest.Near(order, float64(want), 0.2) {
			t.Errorf("%d to %d steps: error %.3g to %.3g, order %.2f, want %d", n/2, n, last, e, order, want)
		}
		last = e
	}
}

// TestABM2Order: halving the step divides the error by 4 or more. Predicting and correcting have
// errors of opposite signs, so that the order that is measured is above 2 where they still cancel.
// Errors below 3e-6 are those of rounding.
func TestABM2Order(t *testing.T) {
	for _, p := range numtest.Problems {
		last := 0.0
		for _, steps := range []int{128, 256, 512} {
			x, _ := odetest.Solve(t, ode.ABM2(steps), fieldOf(p), p.At(0), len(p.Start), 0, 1)
			e := numtest.Distance(x, p.At(1))
			if order := math.Log2(last / e); last > 0 && e > 3e-6 && order < 1.75 {
				t.Errorf("%s: %d to %d steps: error %.3g to %.3g, order %.2f, want 2", p.Name, steps/2, steps, last, e, order)
			}
			last = e
		}
	}
}

// TestFixedEvaluations counts evaluations in the field.
func TestFixedEvaluations(t *testing.T) {
	for name, stages := range map[string]int{"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "adams2": 1, "abm2": 1} {
		calls := 0
		count := ode.FieldFunc(func(v, _, _ []float32, _ []int) {
			calls++
			clear(v)
		})
		seven, err := ode.NewSolver(name, 7, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, stats := odetest.Solve(t, seven, count, make([]float32, 15), 5, 0, 1)
		want := ode.Stats{
			States: 5, Calls: 7 * stages,
			Evaluations: ode.Tally{Total: 35 * stages, Max: 7 * stages},
			Steps:       ode.Tally{Total: 35, Max: 7},
		}
		if calls != 7*stages || stats != want || stats.MeanEvaluations() != float64(7*stages) {
			t.Errorf("%s: %d calls, %+v, want %+v", name, calls, stats, want)
		}
	}
}

// TestFixedTimes checks what the field is given: the times of the stages, and the place of each
// state.
func TestFixedTimes(t *testing.T) {
	var times []float32
	f := ode.FieldFunc(func(v, x, at []float32, index []int) {
		if len(v) != 6 || len(x) != 6 || fmt.Sprint(index) != "[0 1 2]" ||
			len(at) != 3 || at[0] != at[1] || at[0] != at[2] {
			t.Errorf("field got v %d, x %d, t %v, index %v", len(v), len(x), at, index)
		}
		times = append(times, at[0])
		clear(v)
	})
	odetest.Solve(t, ode.Fixed(ode.RK4, 2), f, make([]float32, 6), 3, 1, 0)
	if got := fmt.Sprint(times); got != "[1 0.75 0.75 0.5 0.5 0.25 0.25 0]" {
		t.Errorf("times %s", got)
	}
}

// TestReversedField: going back along a field is the same as going forth along the negative field.
// It is the same to the bit when times are binary fractions.
func TestReversedField(t *testing.T) {
	// Dopri5's stages are at other times
	for _, tab := range []*ode.Tableau{ode.Euler, ode.Midpoint, ode.Heun, ode.RK4} {
		for _, p := range numtest.Problems {
			forth := fieldOf(p)
			mirrored := ode.FieldFunc(func(v, x, at []float32, index []int) {
				back := make([]float32, len(at))
				for i := range at {
					back[i] = 1 - at[i]
				}
				forth(v, x, back, index)
				for i := range v {
					v[i] = -v[i]
				}
			})
			a, _ := odetest.Solve(t, ode.Fixed(tab, 32), forth, p.At(1), len(p.Start), 1, 0)
			b, _ := odetest.Solve(t, ode.Fixed(tab, 32), mirrored, p.At(1), len(p.Start), 0, 1)
			if !numtest.SameBits(a, b) {
				t.Errorf("%s, %s: back %v, mirrored %v", tab.Name, p.Name, a, b)
			}
		}
	}
}

// TestRoundTrip goes from 0 to 1 and back. The error of either way is about the tolerance
// (TestToleranceKept), or smaller with 64 steps of RK4. The measured distance is at most 2e-5.
func TestRoundTrip(t *testing.T) {
	for _, s := range []ode.Solver{ode.Fixed(ode.RK4, 64), ode.DormandPrince(1e-6, 1e-6)} {
		for _, p := range numtest.Problems {
			there, _ := odetest.Solve(t, s, fieldOf(p), p.At(0), len(p.Start), 0, 1)
			back, _ := odetest.Solve(t, s, fieldOf(p), there, len(p.Start), 1, 0)
			if e := numtest.Distance(back, p.At(0)); e > 3e-5 {
				t.Errorf("%v, %s: %v comes back as %v, off by %.3g", s, p.Name, p.At(0), back, e)
			}
		}
	}
}

// TestFixedLinearity: the solution of a linear equation is linear in the start. A step rounds by
// about 2⁻²⁴ of |x| < 30.
func TestFixedLinearity(t *testing.T) {
	p := numtest.Problems[0]
	rapid.Check(t, func(r *rapid.T) {
		start := rapid.SliceOfN(rapid.Float32Range(-10, 10), 4, 4).Draw(r, "start")
		x := []float32{start[0], start[1], start[2], start[3], start[0] + start[2], start[1] + start[3]}
		if _, err := ode.Fixed(ode.RK4, 16).Solve(context.Background(), fieldOf(p), x, 3, 0, 1); err != nil {
			r.Fatal(err)
		}
		for j := range 2 {
			if sum := float64(x[j]) + float64(x[2+j]); !numtest.Near(sum, float64(x[4+j]), 5e-5) {
				r.Errorf("the sum goes to %v, the summands to %v together", x[4+j], sum)
			}
		}
	})
}

func TestFixedObserver(t *testing.T) {
	var seen []string
	var last []float32
	s := ode.Fixed(ode.Midpoint, 4)
	watched := s.Observed(func(step int, t float64, x []float32) {
		seen = append(seen, fmt.Sprintf("%d:%v", step, t))
		last = append(last[:0], x...)
	})
	p := numtest.Problems[0]
	plain, _ := odetest.Solve(t, s, fieldOf(p), p.At(0), len(p.Start), 1, 2)
	x, _ := odetest.Solve(t, watched, fieldOf(p), p.At(0), len(p.Start), 1, 2)
	if got := strings.Join(seen, " "); got != "0:1 1:1.25 2:1.5 3:1.75 4:2" {
		t.Errorf("saw %s", got)
	}
	if !numtest.SameBits(x, plain) || !numtest.SameBits(last, x) {
		t.Errorf("result %v, observed %v, last shown %v", plain, x, last)
	}
}

// TestAdams2Steps takes three steps of dx/dt = t, whose velocities are known: 0, 1/3 and 2/3. So x
// moves by 0, (3/2·1/3 − 1/2·0)/3 and (3/2·2/3 − 1/2·1/3)/3, together 4/9. The second call must
// start afresh.
func TestAdams2Steps(t *testing.T) {
	clock := ode.FieldFunc(func(v, _, at []float32, _ []int) { copy(v, at) })
	s := ode.Adams2(3)
	for range 2 {
		x, _ := odetest.Solve(t, s, clock, []float32{1, 2}, 2, 0, 1)
		if !numtest.Near(float64(x[0]), 1+4./9, 1e-6) || !numtest.Near(float64(x[1]), 2+4./9, 1e-6) {
			t.Errorf("1 and 2 went to %v, want them 4/9 further", x)
		}
	}
}

// TestABM2Steps compares with the formulas of the method, written down one after the other, for a
// field that depends on the state and steps that grow. The second call must start afresh.
func TestABM2Steps(t *testing.T) {
	v := func(x, t float64) float64 { return math.Sin(3*x) + t*t }
	times := []float64{0, 0.1, 0.25, 0.5, 1}
	x, predicted := 0.3, 0.3
	var vs []float64
	for i := range times[1:] {
		vs = append(vs, v(predicted, times[i]))
		h := times[i+1] - times[i]
		if i > 0 {
			x += (times[i] - times[i-1]) * (vs[i] + vs[i-1]) / 2
		}
		predicted = x + h*vs[i]
		if i > 0 {
			predicted += h * h / (times[i] - times[i-1]) / 2 * (vs[i] - vs[i-1])
		}
	}
	field := ode.FieldFunc(func(out, x, at []float32, _ []int) {
		for i := range x {
			out[i] = float32(v(float64(x[i]), float64(at[i])))
		}
	})
	s := ode.ABM2(len(times)-1).(*ode.FixedSteps).Spaced(func(i, _ int, _, _ float64) float64 { return times[i] }, "growing")
	for range 2 {
		got, _ := odetest.Solve(t, s, field, []float32{0.3}, 1, 0, 1)
		if !numtest.Near(float64(got[0]), predicted, 1e-6) {
			t.Errorf("0.3 went to %v, want %v", got[0], predicted)
		}
	}
}

func TestFixedNotFinite(t *testing.T) {
	x := []float32{0, 2, 0}
	blowUp := ode.FieldFunc(func(v, x, _ []float32, _ []int) {
		for i := range x {
			v[i] = 1e30 * x[i] * x[i]
		}
	})
	_, err := ode.Fixed(ode.Euler, 5).Solve(context.Background(), blowUp, x, 3, 0, 1)
	const says = "state 1 is not finite: take more than 5 steps"
	if !errors.Is(err, ode.ErrNotFinite) || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v", err)
	}
}
