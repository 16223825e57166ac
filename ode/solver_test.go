package ode_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/ode/odetest"
)

func TestMain(m *testing.M) { numtest.Main(m) }

// named returns the solver of a name, with 10 steps or a tolerance of 1e-4.
func named(t testing.TB, name string) ode.Solver {
	t.Helper()
	s, err := ode.NewSolver(name, 10, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fieldOf returns the field of a problem.
func fieldOf(p numtest.Problem) ode.FieldFunc { return p.Field() }

// gaussian returns the field that carries standard normal noise to N(m, s²).
func gaussian(m, s float64) ode.FieldFunc { return numtest.GaussianField(m, s) }

func TestNewSolver(t *testing.T) {
	for name, want := range map[string]string{
		"euler": "euler, 1 step", "midpoint": "midpoint, 1 step", "heun": "heun, 1 step", "rk4": "rk4, 1 step",
		"dopri5": "dopri5, rtol 1e-05, atol 1e-05",
	} {
		s, err := ode.NewSolver(name, 1, 1e-5)
		if err != nil || s.String() != want {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	for _, c := range []struct {
		name  string
		steps int
		tol   float64
		cure  string
	}{
		{"rk5", 1, 1e-5, "known are euler, midpoint, heun, rk4, adams2, abm2, dopri5"},
		{"", 1, 1e-5, "known are euler"},
		{"heun", 0, 1e-5, "at least 1"},
		{"heun", -3, 1e-5, "at least 1"},
		{"dopri5", 20, 0, "from 1e-7 to 1"},
		{"dopri5", 20, 1e-9, "from 1e-7 to 1"},
		{"dopri5", 20, 1.5, "from 1e-7 to 1"},
		{"dopri5", 20, math.NaN(), "from 1e-7 to 1"},
	} {
		if s, err := ode.NewSolver(c.name, c.steps, c.tol); err == nil || !strings.Contains(err.Error(), c.cure) {
			t.Errorf("%q, %d steps, tolerance %v: %v, %v", c.name, c.steps, c.tol, s, err)
		}
	}
}

func TestEverySolver(t *testing.T) {
	for _, name := range ode.SolverNames() {
		t.Run(name, func(t *testing.T) { odetest.Check(t, func() ode.Solver { return named(t, name) }) })
	}
}

// TestSameEverywhere compares with the bits that an amd64 found. It was also run on arm64, on 386
// and on amd64 of level 3. When these bits change, the numbers of all users' samples change.
func TestSameEverywhere(t *testing.T) {
	want := map[string]uint64{
		"euler":    0xb0c51ec6e7259fb1,
		"midpoint": 0xc63338e21815ab15,
		"heun":     0x1d84a4ffecc450f6,
		"rk4":      0x746ad8a6e88cd394,
		"adams2":   0x14c6651ba26cec73,
		"abm2":     0xea5280730d7db93f,
		"dopri5":   0x20d6d554c58c36c8,
	}
	for _, name := range ode.SolverNames() {
		if got := odetest.Hash(t, named(t, name)); got != want[name] {
			t.Errorf("%s: bits hash to %#x, want %#x", name, got, want[name])
		}
	}
}

func TestStatsMerge(t *testing.T) {
	stats := func(states, calls int, evaluations, steps, rejected ode.Tally) ode.Stats {
		return ode.Stats{
			States: states, Calls: calls, Evaluations: evaluations, Steps: steps, Rejected: rejected,
		}
	}
	tally := func(total, most int) ode.Tally { return ode.Tally{Total: total, Max: most} }
	a := stats(2, 8, tally(14, 8), tally(2, 1), tally(0, 0))
	b := stats(1, 14, tally(14, 14), tally(1, 1), tally(1, 1))
	want := stats(3, 22, tally(28, 14), tally(3, 1), tally(1, 1))
	if got := a.Merge(b); got != want || b.Merge(a) != want {
		t.Errorf("merged %+v, want %+v", got, want)
	}
	if got := (ode.Stats{}).MeanEvaluations(); got != 0 {
		t.Errorf("mean of nothing is %v", got)
	}
}

func TestEvaluationsPerStep(t *testing.T) {
	for name, want := range map[string]int{"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "adams2": 1, "abm2": 1} {
		if n, ok := ode.EvaluationsPerStep(name); n != want || !ok {
			t.Errorf("%s: %d evaluations, %v, want %d", name, n, ok, want)
		}
	}
	for _, name := range []string{"dopri5", "ddim"} {
		if n, ok := ode.EvaluationsPerStep(name); ok {
			t.Errorf("%s: %d evaluations", name, n)
		}
	}
}
