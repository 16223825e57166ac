package ode_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// TestLogDetNumbers: each number of a state is integrated by itself, and the integral of the way
// back is the negative one of the way there. The integrals of a state are the same to the bit
// whatever else is in the batch.
func TestLogDetNumbers(t *testing.T) {
	g := numtest.Mixtures[3]
	const n = 7
	for _, name := range ode.SolverNames() {
		plain, err := ode.NewSolver(name, 60, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		s := plain.(ode.LogDetSolver)
		det := func(x []float32, n int, t0, t1 float64) []float64 {
			t.Helper()
			logDet := make([]float64, 2*n)
			if _, err := s.SolveLogDet(context.Background(), g, x, logDet, n, t0, t1); err != nil {
				t.Fatal(err)
			}
			return logDet
		}
		x := g.States(n)
		start := append([]float32(nil), x...)
		down := det(x, n, 1, 0)
		for i := range n {
			one := append([]float32(nil), start[i*g.D:(i+1)*g.D]...)
			if alone := det(one, 1, 1, 0); alone[0] != down[2*i] || alone[1] != down[2*i+1] {
				t.Errorf("%s: state %d: %v alone, %v in a batch", name, i, alone, down[2*i:2*i+2])
			}
			// Exact for fixed steps; the error control sees both numbers.
			if !numtest.Near(down[2*i+1], 2*down[2*i], 1e-12*math.Abs(down[2*i])) {
				t.Errorf("%s: twice the divergence integrates to %v and %v", name, down[2*i], down[2*i+1])
			}
		}
		// The local error of euler is h²/2·|d(∇·v)/dt|, about 20/60² a step: 0.3 in all steps. The
		// other methods are far better.
		bound := map[string]float64{"euler": 1, "midpoint": 0.02, "heun": 0.02, "adams2": 0.05, "abm2": 0.02}[name]
		up := det(x, n, 0, 1)
		for i := range up {
			if !numtest.Near(up[i], -down[i], max(bound, 2e-3)) {
				t.Errorf("%s: %v there, %v back", name, down[i], up[i])
			}
		}
	}
}

// everyLogDetSolver returns the solvers of this package, which all integrate a divergence.
func everyLogDetSolver(t testing.TB) []ode.LogDetSolver {
	var able []ode.LogDetSolver
	for _, name := range ode.SolverNames() {
		s, ok := named(t, name).(ode.LogDetSolver)
		if !ok {
			t.Fatalf("%s does not integrate a divergence", name)
		}
		able = append(able, s)
	}
	return able
}

// TestLogDetNotFinite: a divergence that is not a number is an error.
func TestLogDetNotFinite(t *testing.T) {
	for _, s := range everyLogDetSolver(t) {
		g := divergenceFunc(func(v []float32, div []float64, _, _ []float32, _ []int) {
			clear(v)
			div[0] = math.NaN()
		})
		logDet := make([]float64, 1)
		_, err := s.SolveLogDet(context.Background(), g, []float32{1}, logDet, 1, 1, 0)
		if !errors.Is(err, ode.ErrNotFinite) {
			t.Errorf("%v: %v", s, err)
		}
		numtest.MustPanic(t, "3 numbers for 2 states", func() {
			_, _ = s.SolveLogDet(context.Background(), g, make([]float32, 2), make([]float64, 3), 2, 1, 0)
		})
	}
}

type divergenceFunc func(v []float32, div []float64, x, t []float32, index []int)

func (f divergenceFunc) Divergence(v []float32, div []float64, x, t []float32, index []int) {
	f(v, div, x, t, index)
}

// TestLogDetAllocations: after a first call nothing is allocated.
func TestLogDetAllocations(t *testing.T) {
	const n, d = 4, 50
	x, logDet := make([]float32, n*d), make([]float64, n)
	var g ode.DivergenceField = divergenceFunc(func(v []float32, div []float64, x, _ []float32, _ []int) {
		for i := range v {
			v[i] = -2 * x[i]
		}
		for i := range div {
			div[i] = -2 * d
		}
	})
	for _, s := range everyLogDetSolver(t) {
		got := testing.AllocsPerRun(5, func() {
			for i := range x {
				x[i] = float32(i)
			}
			if _, err := s.SolveLogDet(context.Background(), g, x, logDet, n, 0, 1); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%v: %v allocations", s, got)
		}
		// the divergence is constant: any method is exact
		if !numtest.Near(logDet[n-1], -2*d, 1e-9) {
			t.Errorf("%v: log det %v, want %d", s, logDet[n-1], -2*d)
		}
	}
}
