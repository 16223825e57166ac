package bijection

import (
	"context"
	"math"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// TestLogLikelihoodOfMixtures: the density under a flow is that of the Gaussians that it was made
// for, to a thousandth of a nat. The rest is truncation (1e-5 for rk4 in 200 steps) and the
// rounding of states in float32: 1e-7 a step, times scores of about x/s² = 10, over about 100
// steps.
func TestLogLikelihoodOfMixtures(t *testing.T) {
	const n = 12
	for _, g := range numtest.Mixtures {
		for _, s := range []ode.Solver{ode.Fixed(ode.RK4, 200), ode.DormandPrince(1e-6, 1e-6)} {
			x, logp := g.States(n), make([]float64, n)
			start := append([]float32(nil), x...)
			if _, err := LogLikelihood(context.Background(), s.(ode.LogDetSolver), g, x, logp, n); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				want := g.LogDensity(start[i*g.D : (i+1)*g.D])
				if !numtest.Near(logp[i], want, 1e-3) {
					t.Errorf("%v, %d components in %d dimensions: log p(x%d) = %.6f, want %.6f",
						s, len(g.Means), g.D, i, logp[i], want)
				}
			}
		}
	}
}

// TestLogDetConverges: the integral converges with the order of the method, as the state does.
func TestLogDetConverges(t *testing.T) {
	// smooth: few steps are near the limit
	g := numtest.Mixture{D: 2, Means: [][]float64{{-1, -1}, {1, 0}, {0, 1}}, Stds: []float64{0.8, 0.9, 0.7}}
	const n = 6
	x := g.States(n)
	errorOf := func(solver func(steps int) ode.Solver, steps int) float64 {
		y, logp, sum := append([]float32(nil), x...), make([]float64, n), 0.0
		if _, err := LogLikelihood(context.Background(), solver(steps).(ode.LogDetSolver), g, y, logp, n); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			d := logp[i] - g.LogDensity(x[i*g.D:(i+1)*g.D])
			sum += d * d
		}
		return math.Sqrt(sum / n)
	}
	for _, c := range []struct {
		solver func(steps int) ode.Solver
		order  int
		steps  int
	}{
		{withTableau(ode.Euler), ode.Euler.Order, 400}, {withTableau(ode.Midpoint), ode.Midpoint.Order, 50},
		{withTableau(ode.Heun), ode.Heun.Order, 50}, {withTableau(ode.RK4), ode.RK4.Order, 8}, {ode.Adams2, 2, 100},
		{ode.ABM2, 2, 100},
	} {
		a, b := errorOf(c.solver, c.steps), errorOf(c.solver, 2*c.steps)
		if order := math.Log2(a / b); !numtest.Near(order, float64(c.order), 0.35) {
			t.Errorf("%v: error %.3g, %.3g in twice as many: order %.2f, want %d",
				c.solver(c.steps), a, b, order, c.order)
		}
	}
}

// TestBitsPerDimension compares with the definitions: 784 dimensions at the mode of N(0, I), and
// uniform bytes.
func TestBitsPerDimension(t *testing.T) {
	if got, want := LogNormal(make([]float32, 784)), -784*0.9189385332046727; !numtest.Near(got, want, 1e-9) {
		t.Errorf("log N(0) = %v, want %v", got, want)
	}
	if got := LogNormal([]float32{3, 4}) - LogNormal([]float32{0, 0}); !numtest.Near(got, -12.5, 1e-12) {
		t.Errorf("‖x‖² = 25 costs %v nats", got)
	}
	// Uniform bytes: density 1/2 on [-1,1] for each number, and 8 bits a byte.
	if got := BitsPerDimension(784*math.Log(0.5), 784, 7); !numtest.Near(got, 8, 1e-12) {
		t.Errorf("uniform bytes take %v bits", got)
	}
}

// TestSlowEnd: for data as narrow as a dequantised pixel, 40 equal steps of t miss log p by whole
// nats a dimension. Those of a slow end do not. With power 3 the last step begins 1.6e-5 before the
// data, a hundredth of its width.
func TestSlowEnd(t *testing.T) {
	const n = 8
	narrow := numtest.Mixture{D: 2, Means: [][]float64{{-0.99, 0.5}}, Stds: []float64{0.00226}}
	off := func(f ode.DivergenceField) (worst float64) {
		x, logp := narrow.States(n), make([]float64, n)
		start := append([]float32(nil), x...)
		_, err := LogLikelihood(context.Background(), ode.Fixed(ode.RK4, 40).(ode.LogDetSolver), f, x, logp, n)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			worst = max(worst, math.Abs(logp[i]-narrow.LogDensity(start[2*i:2*i+2])))
		}
		return worst
	}
	if e := off(narrow); e < 0.5 {
		t.Errorf("equal steps of t are off by %.3g nats: the test says nothing", e)
	}
	if e := off(ode.SlowEnd(narrow, 3)); e > 0.02 {
		t.Errorf("a slow end is off by %.3g nats", e)
	}
	// Power 1 is t itself.
	x, y, a, b := narrow.States(n), narrow.States(n), make([]float64, n), make([]float64, n)
	s := ode.Fixed(ode.RK4, 10).(ode.LogDetSolver)
	_, err1 := LogLikelihood(context.Background(), s, narrow, x, a, n)
	_, err2 := LogLikelihood(context.Background(), s, ode.SlowEnd(narrow, 1), y, b, n)
	if err1 != nil || err2 != nil || numtest.Distance(x, y) > 1e-5 {
		t.Errorf("power 1 is another time: %v, %v", x, y)
	}
	numtest.MustPanic(t, "power 0", func() { ode.SlowEnd(narrow, 0) })
}

// withTableau returns what makes solvers of a tableau.
func withTableau(tab *ode.Tableau) func(steps int) ode.Solver {
	return func(steps int) ode.Solver { return ode.Fixed(tab, steps) }
}
