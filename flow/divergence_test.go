package flow

import (
	"context"
	"errors"
	"math"
	"testing"
)

// A mixture of Gaussians N(m_k, s_k²·I) of equal weights, in d dimensions, whose flow along the linear path is known.
type mixture struct {
	d int
	m [][]float64
	s []float64
}

// logDensity is log p1(x).
func (g mixture) logDensity(x []float32) float64 { return g.logMarginal(x, 1, nil) }

// logMarginal returns log p_t(x), where component k is N(t·m_k, (t·s_k)² + (1−t)²), and the weights of the components at x.
func (g mixture) logMarginal(x []float32, t float64, weights []float64) float64 {
	logs, total := make([]float64, len(g.m)), 0.0
	for k, m := range g.m {
		variance := t*t*g.s[k]*g.s[k] + (1-t)*(1-t)
		for j, v := range x {
			r := float64(v) - t*m[j]
			logs[k] -= (r*r/variance + math.Log(2*math.Pi*variance)) / 2
		}
		logs[k] -= math.Log(float64(len(g.m)))
		total += math.Exp(logs[k])
	}
	for k := range weights {
		weights[k] = math.Exp(logs[k]) / total
	}
	return math.Log(total)
}

// Divergence implements [DivergenceField]: v = Σ_k w_k·v_k with w_k the weight of component k at x, whose velocity is
// v_k = m_k + a_k·(x − t·m_k), a_k = (t·s_k² − (1−t))/variance; so ∇·v = Σ_k w_k·(d·a_k + (g_k − ḡ)·v_k), where
// g_k = ∇ log N_k and ḡ = Σ_k w_k·g_k.
func (g mixture) Divergence(v []float32, div []float64, x, t []float32, _ []int) {
	numbers := len(div) / len(t)
	w, mean := make([]float64, len(g.m)), make([]float64, g.d)
	for i := range t {
		at, xi, vi := float64(t[i]), x[i*g.d:(i+1)*g.d], make([]float64, g.d)
		g.logMarginal(xi, at, w)
		clear(mean)
		var trace float64
		pass := func(f func(k, j int, velocity, score, a float64)) {
			for k, m := range g.m {
				variance := at*at*g.s[k]*g.s[k] + (1-at)*(1-at)
				a := (at*g.s[k]*g.s[k] - (1 - at)) / variance
				for j := range g.d {
					r := float64(xi[j]) - at*m[j]
					f(k, j, m[j]+a*r, -r/variance, a)
				}
			}
		}
		pass(func(k, j int, velocity, score, _ float64) {
			vi[j] += w[k] * velocity
			mean[j] += w[k] * score
		})
		pass(func(k, j int, velocity, score, a float64) { trace += w[k] * (a + (score-mean[j])*velocity) })
		for j := range g.d {
			v[i*g.d+j] = float32(vi[j])
		}
		for k := range numbers { // a number is as good as another: twice the divergence in the second
			div[i*numbers+k] = float64(k+1) * trace
		}
	}
}

var mixtures = []mixture{
	{d: 1, m: [][]float64{{0.7}}, s: []float64{0.4}},
	{d: 3, m: [][]float64{{-1, 0.5, 2}}, s: []float64{0.6}},
	{d: 1, m: [][]float64{{-1.5}, {1}}, s: []float64{0.4, 0.3}},
	{d: 2, m: [][]float64{{-1, -1}, {1.5, 0}, {0, 2}}, s: []float64{0.5, 0.3, 0.4}},
}

// states returns n states round the first component's mean.
func (g mixture) states(n int) []float32 {
	x := normals(n*g.d, 9)
	for i := range x {
		x[i] = float32(g.m[0][i%g.d] + 1.2*g.s[0]*float64(x[i]))
	}
	return x
}

// The density of a flow is that of the Gaussians that it was made for, to a thousandth of a nat. What is left is
// truncation (of rk4 in 200 steps 1e-5) and float32's rounding of the states: 1e-7 a step, times scores of some
// x/s² = 10, over some 100 steps.
func TestLogLikelihoodOfMixtures(t *testing.T) {
	const n = 12
	for _, g := range mixtures {
		for _, s := range []Solver{Fixed(RK4, 200), DormandPrince(1e-6, 1e-6)} {
			x, logp := g.states(n), make([]float64, n)
			start := append([]float32(nil), x...)
			if _, err := LogLikelihood(context.Background(), s.(LogDetSolver), g, x, logp, n); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				want := g.logDensity(start[i*g.d : (i+1)*g.d])
				if !near(logp[i], want, 1e-3) {
					t.Errorf("%v, %d components in %d dimensions: log p(x%d) = %.6f, want %.6f", s, len(g.m), g.d, i, logp[i], want)
				}
			}
		}
	}
}

// The sum converges with the order of the method, like the state.
func TestLogDetConverges(t *testing.T) {
	g := mixture{d: 2, m: [][]float64{{-1, -1}, {1, 0}, {0, 1}}, s: []float64{0.8, 0.9, 0.7}} // smooth: few steps are near the limit
	const n = 6
	x := g.states(n)
	errorOf := func(solver func(steps int) Solver, steps int) float64 {
		y, logp, sum := append([]float32(nil), x...), make([]float64, n), 0.0
		if _, err := LogLikelihood(context.Background(), solver(steps).(LogDetSolver), g, y, logp, n); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			d := logp[i] - g.logDensity(x[i*g.d:(i+1)*g.d])
			sum += d * d
		}
		return math.Sqrt(sum / n)
	}
	for _, c := range []struct {
		solver func(steps int) Solver
		order  int
		steps  int
	}{
		{knownTableau(Euler).solver, Euler.Order, 400}, {knownTableau(Midpoint).solver, Midpoint.Order, 50},
		{knownTableau(Heun).solver, Heun.Order, 50}, {knownTableau(RK4).solver, RK4.Order, 8}, {Adams2, 2, 100},
	} {
		a, b := errorOf(c.solver, c.steps), errorOf(c.solver, 2*c.steps)
		if order := math.Log2(a / b); !near(order, float64(c.order), 0.35) {
			t.Errorf("%v: error %.3g, %.3g in twice as many: order %.2f, want %d", c.solver(c.steps), a, b, order, c.order)
		}
	}
}

// Each number of a state is integrated by itself, the way back undoes the way there, and a state's sums are the same to
// the bit whatever else is in the batch.
func TestLogDetNumbers(t *testing.T) {
	g := mixtures[3]
	const n = 7
	for _, name := range SolverNames() {
		plain, err := NewSolver(name, 60, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		s := plain.(LogDetSolver)
		det := func(x []float32, n int, t0, t1 float64) []float64 {
			t.Helper()
			logDet := make([]float64, 2*n)
			if _, err := s.SolveLogDet(context.Background(), g, x, logDet, n, t0, t1); err != nil {
				t.Fatal(err)
			}
			return logDet
		}
		x := g.states(n)
		start := append([]float32(nil), x...)
		down := det(x, n, 1, 0)
		for i := range n {
			one := append([]float32(nil), start[i*g.d:(i+1)*g.d]...)
			if alone := det(one, 1, 1, 0); alone[0] != down[2*i] || alone[1] != down[2*i+1] {
				t.Errorf("%s: state %d: %v alone, %v in a batch", name, i, alone, down[2*i:2*i+2])
			}
			// Exact for fixed steps; the error control sees both numbers.
			if !near(down[2*i+1], 2*down[2*i], 1e-12*math.Abs(down[2*i])) {
				t.Errorf("%s: twice the divergence integrates to %v and %v", name, down[2*i], down[2*i+1])
			}
		}
		// The local error of euler is h²/2·|d(∇·v)/dt|, some 20/60² a step: 0.3 in all. The others are far better.
		bound := map[string]float64{"euler": 1, "midpoint": 0.02, "heun": 0.02, "adams2": 0.05}[name]
		up := det(x, n, 0, 1)
		for i := range up {
			if !near(up[i], -down[i], max(bound, 2e-3)) {
				t.Errorf("%s: %v there, %v back", name, down[i], up[i])
			}
		}
	}
}

// everyLogDetSolver returns the solvers that integrate a divergence: those of a path do not.
func everyLogDetSolver(t testing.TB) []LogDetSolver {
	var able []LogDetSolver
	for _, s := range everySolver(t) {
		if s, ok := s.(LogDetSolver); ok {
			able = append(able, s)
		}
	}
	if len(able) != len(SolverNames()) {
		t.Fatalf("%d solvers integrate a divergence, of %v", len(able), SolverNames())
	}
	return able
}

// A divergence that is no number is an error, not a result.
func TestLogDetNotFinite(t *testing.T) {
	for _, s := range everyLogDetSolver(t) {
		g := divergenceFunc(func(v []float32, div []float64, _, _ []float32, _ []int) {
			clear(v)
			div[0] = math.NaN()
		})
		logDet := make([]float64, 1)
		if _, err := s.SolveLogDet(context.Background(), g, []float32{1}, logDet, 1, 1, 0); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%v: %v", s, err)
		}
		mustPanic(t, "3 numbers for 2 states", func() {
			_, _ = s.SolveLogDet(context.Background(), g, make([]float32, 2), make([]float64, 3), 2, 1, 0)
		})
	}
}

type divergenceFunc func(v []float32, div []float64, x, t []float32, index []int)

func (f divergenceFunc) Divergence(v []float32, div []float64, x, t []float32, index []int) {
	f(v, div, x, t, index)
}

// After a first call nothing is allocated.
func TestLogDetAllocations(t *testing.T) {
	const n, d = 4, 50
	x, logDet := make([]float32, n*d), make([]float64, n)
	var g DivergenceField = divergenceFunc(func(v []float32, div []float64, x, _ []float32, _ []int) {
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
		if !near(logDet[n-1], -2*d, 1e-9) { // the divergence is constant: any method is exact
			t.Errorf("%v: log det %v, want %d", s, logDet[n-1], -2*d)
		}
	}
}

// log N and bits are what their definitions say: 784 dimensions at the mode of N(0, I) and a density of 1/256 a byte.
func TestBitsPerDimension(t *testing.T) {
	if got, want := LogNormal(make([]float32, 784)), -784*0.9189385332046727; !near(got, want, 1e-9) {
		t.Errorf("log N(0) = %v, want %v", got, want)
	}
	if got := LogNormal([]float32{3, 4}) - LogNormal([]float32{0, 0}); !near(got, -12.5, 1e-12) {
		t.Errorf("‖x‖² = 25 costs %v nats", got)
	}
	// Uniform bytes: density 1/2 on [-1,1] for each number, and 8 bits a byte.
	if got := BitsPerDimension(784*math.Log(0.5), 784, 7); !near(got, 8, 1e-12) {
		t.Errorf("uniform bytes take %v bits", got)
	}
}

// Of data as narrow as a dequantised pixel, 40 equal steps of t miss log p by whole nats a dimension, and those of
// a slow end do not: with power 3 the last one ends 1.6e-5 before the data, a hundredth of its width.
func TestSlowEnd(t *testing.T) {
	const n = 8
	narrow := mixture{d: 2, m: [][]float64{{-0.99, 0.5}}, s: []float64{0.00226}}
	off := func(f DivergenceField) (worst float64) {
		x, logp := narrow.states(n), make([]float64, n)
		start := append([]float32(nil), x...)
		if _, err := LogLikelihood(context.Background(), Fixed(RK4, 40).(LogDetSolver), f, x, logp, n); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			worst = max(worst, math.Abs(logp[i]-narrow.logDensity(start[2*i:2*i+2])))
		}
		return worst
	}
	if e := off(narrow); e < 0.5 {
		t.Errorf("equal steps of t are off by %.3g nats: the test says nothing", e)
	}
	if e := off(SlowEnd(narrow, 3)); e > 0.02 {
		t.Errorf("a slow end is off by %.3g nats", e)
	}
	// Power 1 is t itself.
	x, y, a, b := narrow.states(n), narrow.states(n), make([]float64, n), make([]float64, n)
	s := Fixed(RK4, 10).(LogDetSolver)
	_, err1 := LogLikelihood(context.Background(), s, narrow, x, a, n)
	_, err2 := LogLikelihood(context.Background(), s, SlowEnd(narrow, 1), y, b, n)
	if err1 != nil || err2 != nil || distance(x, y) > 1e-5 {
		t.Errorf("power 1 is another time: %v, %v", x, y)
	}
	mustPanic(t, "power 0", func() { SlowEnd(narrow, 0) })
}
