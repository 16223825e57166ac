package flow

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/ode/odetest"
)

// gaussianOn returns the marginal velocity of a path from N(0,1) to N(m,s²) in closed form, as its
// slope and its value at x = 0. x_t ~ N(α·m, V), V = σ² + α²s².
func gaussianOn(c Coefficients, m, s float64) (slope, zero float64) {
	slope = (c.Sigma*c.DSigma + c.Alpha*c.DAlpha*s*s) / (c.Sigma*c.Sigma + c.Alpha*c.Alpha*s*s)
	return slope, c.DAlpha*m - slope*c.Alpha*m
}

// gaussianPath returns the field with the velocity of gaussianOn.
func gaussianPath(path Schedule, m, s float64) ode.FieldFunc {
	return func(v, x, t []float32, _ []int) {
		d := len(x) / len(t)
		for i := range x {
			slope, zero := gaussianOn(path.At(float64(t[i/d])), m, s)
			v[i] = float32(zero + slope*float64(x[i]))
		}
	}
}

// TestDDIMIsEuler: on the straight path DDIM is Euler's method. On any other path it is Euler's
// method for x/α over σ/α, whose derivative is the noise.
func TestDDIMIsEuler(t *testing.T) {
	const m, s = 0.7, 0.4
	x := numtest.Normals(20, 1)
	a, _ := odetest.Solve(t, DDIM(Linear{}, 8), gaussianPath(Linear{}, m, s), x, 20, 0, 1)
	b, _ := odetest.Solve(t, ode.Fixed(ode.Euler, 8), gaussianPath(Linear{}, m, s), x, 20, 0, 1)
	for i := range a {
		// a rounding of numbers below 4 a step
		if !numtest.Near(float64(a[i]), float64(b[i]), 8*0x1p-22) {
			t.Errorf("linear: DDIM goes to %v, Euler to %v", a[i], b[i])
		}
	}
	for name, path := range paths {
		const from, to = 0.3, 0.45
		c, next := path.At(float64(float32(from))), path.At(float64(float32(to)))
		got, _ := odetest.Solve(t, DDIM(path, 1), gaussianPath(path, m, s), x, 20, from, to)
		slope, zero := gaussianOn(c, m, s)
		for i, xi := range x {
			x := float64(xi)
			noise := c.Parts(PredictVelocity).Noise
			epsilon := noise.X*x + noise.P*(zero+slope*x)
			scaled := x/c.Alpha + (next.Sigma/next.Alpha-c.Sigma/c.Alpha)*epsilon
			// The velocity's rounding in float32, 2⁻²⁴·8, grows by at most 1/D, 1/0.6 here, and x/α
			// by rounding.
			if want := next.Alpha * scaled; !numtest.Near(float64(got[i]), want, 2e-6) {
				t.Errorf("%s: DDIM goes from %v to %v, Euler in σ/α to %v", name, xi, got[i], want)
			}
		}
	}
}

// TestDDIMOrder halves the step. Along the exact flow (x − α·m)/√V stays, so it carries x0 to m +
// s·x0, but for the ends of the path.
func TestDDIMOrder(t *testing.T) {
	const m, s = 0.7, 0.4
	for name, path := range paths {
		for _, span := range [][2]float64{{0, 1}, {1, 0}} {
			start := numtest.Normals(20, 2)
			first, last := path.At(span[0]), path.At(span[1])
			want := make([]float32, len(start))
			for i, x := range start {
				z := (float64(x) - first.Alpha*m) / math.Hypot(first.Sigma, first.Alpha*s)
				want[i] = float32(last.Alpha*m + z*math.Hypot(last.Sigma, last.Alpha*s))
			}
			before := 0.
			for _, n := range []int{64, 128, 256, 512} {
				x, _ := odetest.Solve(t, DDIM(path, n), gaussianPath(path, m, s), start, 20, span[0], span[1])
				e := numtest.Distance(x, want)
				if order := math.Log2(before / e); before > 0 && !numtest.Near(order, 1, 0.2) {
					t.Errorf("%s, %v: %d to %d steps: error %.3g to %.3g, order %.2f",
						name, span, n/2, n, before, e, order)
				}
				before = e
			}
		}
	}
}

// TestDDPMPosterior compares a step with the formulas of the paper for q(x_{k−1} | x_k, x_0), in
// its notation: ᾱ is α² and β_k = 1 − ᾱ_k/ᾱ_{k−1}.
func TestDDPMPosterior(t *testing.T) {
	for _, name := range []string{"vp(0.1,20)", "cosine"} { // those with σ² = 1 − α²
		for _, span := range [][2]float64{{0.1, 0.2}, {0.5, 0.53}, {0.9, 0.97}} {
			c, next := paths[name].At(span[0]), paths[name].At(span[1])
			bar, barNext := c.Alpha*c.Alpha, next.Alpha*next.Alpha
			beta := 1 - bar/barNext
			m := DDPM(paths[name], 1).(*mixingSolver).method.mix(c, next, 0)
			for _, x1 := range []float64{-1, 0.3} {
				const x = 0.8
				v := c.DSigma*(x-c.Alpha*x1)/c.Sigma + c.DAlpha*x1 // which tells x1
				mean := math.Sqrt(barNext)*beta/(1-bar)*x1 + math.Sqrt(1-beta)*(1-barNext)/(1-bar)*x
				if got := m.X*x + m.V*v; !numtest.Near(got, mean, 1e-12) {
					t.Errorf("%s, %v: mean %v, want %v", name, span, got, mean)
				}
			}
			if want := math.Sqrt((1 - barNext) / (1 - bar) * beta); !numtest.Near(m.Fresh, want, 1e-12) {
				t.Errorf("%s, %v: deviation %v, want %v", name, span, m.Fresh, want)
			}
		}
	}
}

// moments returns the mean and the deviation that the steps of a solver give to states of mean 0
// and deviation 1, in the field of a Gaussian. Every step is linear there, so both follow in closed
// form.
func moments(solver PathSolver, steps int, m, s float64) (mean, deviation float64) {
	p := solver.(*mixingSolver).method
	variance := 1.
	for i := range steps {
		from, to := ode.TimeOf(i, steps, 0, 1), ode.TimeOf(i+1, steps, 0, 1)
		c, next := p.path.At(from), p.path.At(to)
		step := p.mix
		if i == steps-1 && p.finish != nil {
			step = p.finish
		}
		k := step(c, next, to-from)
		slope, zero := gaussianOn(c, m, s)
		gain := k.X + k.V*slope
		mean, variance = gain*mean+k.V*zero, gain*gain*variance+k.Fresh*k.Fresh
	}
	return mean, math.Sqrt(variance)
}

// TestNoiseKeepsTheDistribution: with fresh noise, too, states end with the distribution of the
// data, and the error is of the order of the step. vp starts from N(α_0·m, …) rather than from
// noise, and ends with noise of 0.001.
func TestNoiseKeepsTheDistribution(t *testing.T) {
	const m, s = 0.7, 0.4
	solvers := map[string]func(path Schedule, steps int) PathSolver{
		"ddpm":  DDPM,
		"sde 1": func(path Schedule, steps int) PathSolver { return SDE(path, steps, 1) },
		"sde 4": func(path Schedule, steps int) PathSolver { return SDE(path, steps, 4) },
	}
	for name, path := range paths {
		for which, solver := range solvers {
			const steps = 1000
			mean, deviation := moments(solver(path, steps), steps, m, s)
			if !numtest.Near(mean, m, 0.02) || !numtest.Near(deviation, s, 0.02) {
				t.Errorf("%s, %s: %d steps give N(%.4f, %.4f²)", name, which, steps, mean, deviation)
			}
			if strings.HasPrefix(name, "vp") {
				continue // its ends bound the error from below
			}
			finer, finerDeviation := moments(solver(path, 2*steps), 2*steps, m, s)
			before, after := math.Hypot(mean-m, deviation-s), math.Hypot(finer-m, finerDeviation-s)
			if order := math.Log2(before / after); before > 1e-4 && !numtest.Near(order, 1, 0.3) {
				t.Errorf("%s, %s: error %.3g to %.3g with twice the steps, order %.2f",
					name, which, before, after, order)
			}
		}
	}
}

// keyedNoise returns the noise of a seed.
func keyedNoise(seed uint64) NoiseFunc {
	return func(z []float32, index, step int) {
		var p rand.PCG
		Seed(&p, seed, uint64(index), uint64(step))
		Gaussian(z, &p)
	}
}

// TestSampledMoments draws what TestNoiseKeepsTheDistribution computes. The standard errors of n
// states are s/√n for the mean and s/√2n for the deviation. The bound is 5 of them.
func TestSampledMoments(t *testing.T) {
	const n, m, s = 20_000, 0.7, 0.4
	for _, solver := range []PathSolver{DDPM(Cosine{}, 40), SDE(Linear{}, 40, 1.5)} {
		f := gaussianPath(solver.(*mixingSolver).method.path, m, s)
		x, _ := odetest.Solve(t, solver.WithNoise(keyedNoise(3)), f, numtest.Normals(n, 4), n, 0, 1)
		var sum, squares float64
		for _, v := range x {
			sum += float64(v)
		}
		for _, v := range x {
			squares += (float64(v) - sum/n) * (float64(v) - sum/n)
		}
		mean, deviation := moments(solver, 40, m, s)
		got := math.Sqrt(squares / n)
		if !numtest.Near(sum/n, mean, 5*s/math.Sqrt(n)) || !numtest.Near(got, deviation, 5*s/math.Sqrt(2*n)) {
			t.Errorf("%v: N(%v, %v²), want N(%v, %v²)", solver, sum/n, got, mean, deviation)
		}
	}
}

// TestNoiseByIndex: a state has the same trajectory alone and among others, when its noise depends
// on its index.
func TestNoiseByIndex(t *testing.T) {
	const n, d = 5, 7
	start := numtest.Normals(n*d, 5)
	for _, solver := range []PathSolver{DDPM(Cosine{}, 6), SDE(Cosine{}, 6, 1)} {
		f := gaussianPath(Cosine{}, 0.5, 0.5)
		all, _ := odetest.Solve(t, solver.WithNoise(keyedNoise(9)), f, start, n, 0, 1)
		for i := range n {
			moved := func(z []float32, index, step int) { keyedNoise(9)(z, index+i, step) }
			one, _ := odetest.Solve(t, solver.WithNoise(moved), f, start[i*d:(i+1)*d], 1, 0, 1)
			if !numtest.SameBits(one, all[i*d:(i+1)*d]) {
				t.Errorf("%v: state %d is %v alone, %v among others", solver, i, one, all[i*d:(i+1)*d])
			}
		}
		other, _ := odetest.Solve(t, solver.WithNoise(keyedNoise(10)), f, start, n, 0, 1)
		if numtest.SameBits(other, all) {
			t.Errorf("%v: another seed gives the same states", solver)
		}
	}
}

func TestNewPathSolver(t *testing.T) {
	for name, want := range map[string]string{
		"ddim": "ddim, 1 step", "ddpm": "ddpm, 1 step", "sde": "sde, noise level 0.5, 1 step",
	} {
		if s, err := NewPathSolver(name, Linear{}, 1, 0.5); err != nil || s.String() != want {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	for _, c := range []struct {
		name  string
		steps int
		level float64
		cure  string
	}{
		{"euler", 1, 1, "known are ddim, ddpm, sde"}, {"ddim", 0, 1, "at least 1"},
		{"sde", 9, -1, "from 0 to 100"}, {"sde", 9, math.NaN(), "from 0 to 100"},
	} {
		s, err := NewPathSolver(c.name, Linear{}, c.steps, c.level)
		if err == nil || !strings.Contains(err.Error(), c.cure) {
			t.Errorf("%+v: %v, %v", c, s, err)
		}
	}
	numtest.MustPanic(t, "no steps", func() { DDIM(Linear{}, 0) })
	numtest.MustPanic(t, "noise level", func() { SDE(Linear{}, 1, math.Inf(1)) })
	zero := ode.FieldFunc(func(v, _, _ []float32, _ []int) { clear(v) })
	numtest.MustPanic(t, "no noise", func() {
		_, _ = DDPM(Linear{}, 2).Solve(context.Background(), zero, make([]float32, 2), 1, 0, 1)
	})
	for _, c := range []struct {
		s      ode.Solver
		t0, t1 float64
		cure   string
	}{
		{DDPM(Linear{}, 2).WithNoise(patterned), 1, 0, "take ddim"},
		{DDIM(Linear{}, 2), -0.1, 1, "from 0 to 1"}, {DDIM(Linear{}, 2), 0, 1.1, "from 0 to 1"},
	} {
		_, err := c.s.Solve(context.Background(), zero, make([]float32, 2), 1, c.t0, c.t1)
		if err == nil || !strings.Contains(err.Error(), c.cure) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestSDEWithoutNoise: at level 0 the stochastic equation is the ordinary one. On the straight path
// its solver is Euler's method.
func TestSDEWithoutNoise(t *testing.T) {
	f := gaussianPath(Linear{}, 0.5, 0.5)
	a, _ := odetest.Solve(t, SDE(Linear{}, 9, 0), f, numtest.Normals(30, 1), 30, 0, 1)
	b, _ := odetest.Solve(t, ode.Fixed(ode.Euler, 9), f, numtest.Normals(30, 1), 30, 0, 1)
	for i := range a {
		if !numtest.Near(float64(a[i]), float64(b[i]), 9*0x1p-22) {
			t.Fatalf("%v, Euler %v", a, b)
		}
	}
}

// TestPathSolverObserver: the states that are shown last are the result.
func TestPathSolverObserver(t *testing.T) {
	var seen []string
	var last []float32
	watched := DDPM(Cosine{}, 2).WithNoise(patterned).Observed(func(step int, at float64, x []float32) {
		seen = append(seen, fmt.Sprintf("%d:%v", step, at))
		last = append(last[:0], x...)
	})
	x, stats := odetest.Solve(t, watched, gaussianPath(Cosine{}, 0.5, 0.5), numtest.Normals(6, 1), 2, 0, 1)
	two := ode.Tally{Total: 4, Max: 2}
	want := ode.Stats{States: 2, Calls: 2, Evaluations: two, Steps: two}
	if got := strings.Join(seen, " "); got != "0:0 1:0.5 2:1" || !numtest.SameBits(x, last) || stats != want {
		t.Errorf("saw %s, %+v, %v for %v", got, stats, last, x)
	}
}

// patterned is noise that every machine computes alike.
func patterned(z []float32, index, step int) {
	for i := range z {
		z[i] = float32((7*i+5*index+3*step)%11-5) / 4
	}
}

// named returns the solver of a name that takes 10 steps on the straight path.
func named(t testing.TB, name string) ode.Solver {
	t.Helper()
	s, err := NewPathSolver(name, Linear{}, 10, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	return s.WithNoise(patterned)
}

func TestEveryPathSolver(t *testing.T) {
	for _, name := range PathSolverNames() {
		t.Run(name, func(t *testing.T) { odetest.Check(t, func() ode.Solver { return named(t, name) }) })
	}
}

// TestPathSolversSameEverywhere compares with the bits that an amd64 found.
func TestPathSolversSameEverywhere(t *testing.T) {
	want := map[string]uint64{"ddim": 0xfc9c2b73bc6a8fc0, "ddpm": 0x4a75f01e79e8650e, "sde": 0x0fa51e913ad5ac3f}
	for _, name := range PathSolverNames() {
		if got := odetest.Hash(t, named(t, name)); got != want[name] {
			t.Errorf("%s: bits hash to %#x, want %#x", name, got, want[name])
		}
	}
}

func TestStepsFor(t *testing.T) {
	for name, want := range map[string]int{"euler": 8, "midpoint": 4, "rk4": 2, "ddim": 8, "ddpm": 8, "sde": 8} {
		if steps, err := StepsFor(name, 8); err != nil || steps != want {
			t.Errorf("%s: %d steps, %v, want %d", name, steps, err, want)
		}
	}
	for name, evaluations := range map[string]int{"rk4": 6, "midpoint": 0, "ddim": 0, "dopri5": 8} {
		if steps, err := StepsFor(name, evaluations); err == nil {
			t.Errorf("%s makes %d evaluations in %d steps", name, evaluations, steps)
		}
	}
}
