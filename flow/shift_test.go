package flow

import (
	"math"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/ode/odetest"
)

// The share of noise after each step is that of the paper's formula, also on the way back, and on
// a part of the way that begins after some steps.
func TestShiftTimes(t *testing.T) {
	const steps = 8
	for _, s := range []float64{0.5, 1, 2, 3} {
		spacing := Shift(s)
		for i := range steps + 1 {
			sigma := 1 - float64(i)/steps
			want := 1 - s*sigma/(1+(s-1)*sigma)
			at := spacing(i, steps, 0, 1)
			if !numtest.Near(at, want, 1e-15) {
				t.Errorf("shift %v: t = %v after %d steps, want %v", s, at, i, want)
			}
			if back := spacing(steps-i, steps, 1, 0); !numtest.Near(back, want, 1e-15) {
				t.Errorf("shift %v, back: t = %v, want %v", s, back, want)
			}
			if i < 2 {
				continue
			}
			if part := spacing(i-2, steps-2, spacing(2, steps, 0, 1), 1); !numtest.Near(part, want, 1e-15) {
				t.Errorf("shift %v, from step 2: t = %v after %d steps, want %v", s, part, i, want)
			}
		}
		if t0, t1 := spacing(0, steps, 0.1, 0.7), spacing(steps, steps, 0.1, 0.7); t0 != 0.1 || t1 != 0.7 {
			t.Errorf("shift %v: from %v to %v", s, t0, t1)
		}
	}
}

// A shift does not lower the order of a solver: twice the steps divide the error by 2 to the order
// at least. In the field of a Gaussian the midpoint method has a higher one.
func TestShiftKeepsTheOrder(t *testing.T) {
	const m, s = 0.7, 0.4
	x := numtest.Normals(20, 1)
	exact := make([]float32, len(x))
	for i := range x {
		exact[i] = float32(m + s*float64(x[i]))
	}
	for _, c := range []struct {
		name         string
		steps, order int
	}{{"euler", 128, 1}, {"adams2", 64, 2}, {"abm2", 64, 2}, {"midpoint", 32, 2}, {"rk4", 4, 4}, {"ddim", 128, 1}} {
		last := 0.
		for k := range 3 {
			e := numtest.Distance(shiftedTo(t, c.name, c.steps<<k, x, gaussianPath(Linear{}, m, s)), exact)
			if order := math.Log2(last / e); k > 0 && order < float64(c.order)-0.3 {
				t.Errorf("%s, %d steps: error %.3g to %.3g, order %.2f, want %d or more", c.name, c.steps<<k, last, e, order, c.order)
			}
			last = e
		}
	}
}

// shiftedTo returns where a solver with a shift of 2 leads states.
func shiftedTo(t *testing.T, name string, steps int, x []float32, f ode.Field) []float32 {
	t.Helper()
	solver, err := ode.NewSolver(name, steps, 0)
	if name == "ddim" {
		solver, err = NewPathSolver(name, Linear{}, steps, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	shifted, ok := Shifted(solver, 2)
	if !ok || !strings.HasSuffix(shifted.String(), "steps, shift 2") {
		t.Fatalf("%v, %v", shifted, ok)
	}
	y, _ := odetest.Solve(t, shifted, f, x, len(x), 0, 1)
	return y
}

// A shift of 1 is the solver of equal steps but for the rounding of times. The solver that is
// shifted stays as it was.
func TestShiftOfOne(t *testing.T) {
	x, f := numtest.Normals(20, 1), gaussianPath(Linear{}, 0.7, 0.4)
	plain := ode.Adams2(8)
	if _, ok := Shifted(plain, 3); !ok {
		t.Fatal("adams2 has no shift")
	}
	one, _ := Shifted(plain, 1)
	a, _ := odetest.Solve(t, plain, f, x, 20, 0, 1)
	b, _ := odetest.Solve(t, one, f, x, 20, 0, 1)
	for i := range a {
		if !numtest.Near(float64(a[i]), float64(b[i]), 8*0x1p-22) {
			t.Errorf("equal steps lead to %v, a shift of 1 to %v", a[i], b[i])
		}
	}
}

// Solvers that choose their steps have no shift, and a shift is above 0.
func TestShiftRefuses(t *testing.T) {
	solver, err := ode.NewSolver("dopri5", 0, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	if same, ok := Shifted(solver, 2); ok || same != solver {
		t.Errorf("dopri5: %v, %v", same, ok)
	}
	for _, s := range []float64{0, -1, math.NaN()} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for a shift of %v", s)
				}
			}()
			Shift(s)
		}()
	}
}
