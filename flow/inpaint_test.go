package flow

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// correlated is the field that carries noise to N(0, Σ), Σ = [1 ρ; ρ 1]. It is v = (tΣ −
// (1−t)I)·(t²Σ + (1−t)²I)⁻¹·x. The matrix is symmetric, so the pullback is the velocity of another
// x.
type correlated struct {
	rho float64
	t   []float32
}

func (c *correlated) Velocity(v, x, t []float32, _ []int) {
	c.t = append(c.t[:0], t...)
	c.Pullback(v, x)
}

func (c *correlated) Pullback(y, x []float32) {
	for i := range c.t {
		at := float64(c.t[i])
		// In the basis (1,1), (1,−1), Σ has the variances 1 ± ρ.
		a, b := float64(x[2*i]+x[2*i+1]), float64(x[2*i]-x[2*i+1])
		rate := func(variance float64) float64 {
			return (at*variance - (1 - at)) / (at*at*variance + (1-at)*(1-at))
		}
		a, b = a*rate(1+c.rho), b*rate(1-c.rho)
		y[2*i], y[2*i+1] = float32((a+b)/2), float32((a-b)/2)
	}
}

const (
	inpainted = 1500
	rho       = 0.8
	given     = 1.5
)

// conditional draws the second number given the first and returns its mean and variance.
func conditional(
	t *testing.T, draw func(x []float32, known Known, noise func(state, draw int, eps []float32)),
) (mean, variance float64) {
	t.Helper()
	x := make([]float32, 2*inpainted)
	known := Known{Data: make([]float32, 2*inpainted), Mask: make([]bool, 2*inpainted)}
	for i := range inpainted {
		known.Data[2*i], known.Mask[2*i] = given, true
		Noise(x[2*i:2*i+2], 5, uint64(i))
	}
	draw(x, known, func(state, draw int, eps []float32) {
		var p rand.PCG
		Seed(&p, 5, uint64(state), uint64(draw))
		Gaussian(eps, &p)
	})
	var s1, s2 float64
	for i := range inpainted {
		if x[2*i] != given {
			t.Fatalf("the known number is %v, not %v", x[2*i], float32(given))
		}
		s1, s2 = s1+float64(x[2*i+1]), s2+float64(x[2*i+1])*float64(x[2*i+1])
	}
	mean = s1 / inpainted
	return mean, s2/inpainted - mean*mean
}

// TestResamplingIsConditional: given the first number, the second is N(ρ·a, 1 − ρ²) = N(1.2, 0.36).
// Resampling comes nearer to it the more often steps are taken. Steps that are taken once fit the
// known number only a little. The standard errors are 0.6/√1500 = 0.016. What remains of the mean
// is the bias of 20 steps, 0.06.
func TestResamplingIsConditional(t *testing.T) {
	moments := func(times int) (mean, variance float64) {
		return conditional(t, func(x []float32, known Known, noise func(state, draw int, eps []float32)) {
			r := Resampling{Path: Linear{}, Steps: 20, Times: times}
			if err := r.Solve(context.Background(), &correlated{rho: rho}, x, inpainted, known, noise); err != nil {
				t.Fatal(err)
			}
		})
	}
	m1, _ := moments(1)
	m20, v20 := moments(20)
	if want := rho * given; !numtest.Near(m20, want, 0.11) || !numtest.Near(v20, 1-rho*rho, 0.08) {
		t.Errorf("mean %.3f, variance %.3f, want %.3f and %.3f", m20, v20, want, 1-rho*rho)
	}
	if math.Abs(m1-rho*given) < 0.2 {
		t.Errorf("steps taken once draw a mean of %.3f: the test does not see resampling", m1)
	}
}

// TestGuideIsConditional: the guide for unit variance is exact for these data, but for the bound of
// its weight.
func TestGuideIsConditional(t *testing.T) {
	m, v := conditional(t, func(x []float32, known Known, _ func(state, draw int, eps []float32)) {
		f := Guide(&correlated{rho: rho}, known)
		if _, err := ode.Fixed(ode.Midpoint, 100).Solve(context.Background(), f, x, inpainted, 0, 1); err != nil {
			t.Fatal(err)
		}
		for i := range inpainted {
			if math.Abs(float64(x[2*i]-given)) > 0.2 {
				t.Fatalf("the guide leaves the known number at %v", x[2*i])
			}
			x[2*i] = given
		}
	})
	if !numtest.Near(m, rho*given, 0.1) || !numtest.Near(v, 1-rho*rho, 0.15) {
		t.Errorf("mean %.3f, variance %.3f, want %.3f and %.3f", m, v, rho*given, 1-rho*rho)
	}
}

// TestRenoiseLeavesTheMarginal: a step back along the path keeps the variance of the distribution.
func TestRenoiseLeavesTheMarginal(t *testing.T) {
	const n = 4000
	a, b := Linear{}.At(0.4), Linear{}.At(0.7)
	var s2 float64
	for i := range n {
		e := make([]float32, 4)
		Noise(e, 3, uint64(i))
		x := []float32{float32(0.7*2*float64(e[0]) + 0.3*float64(e[1]))} // data N(0, 4)
		renoise(x, e[2:3], a, b)
		s2 += float64(x[0]) * float64(x[0])
	}
	// Variance 0.4²·4 + 0.6² = 1, estimated to √(2/4000) = 0.022.
	if got := s2 / n; !numtest.Near(got, 1, 0.09) {
		t.Errorf("variance %.3f, want 1", got)
	}
}

// An observer sees the noise, the states after each step, and the result.
func TestResamplingIsObserved(t *testing.T) {
	const steps = 3
	x, known := make([]float32, 4), Known{make([]float32, 4), []bool{true, false, false, false}}
	var seen []int
	r := Resampling{Path: Linear{}, Steps: steps, Times: 2, Observe: func(step int, at float64, states []float32) {
		if seen = append(seen, step); at != float64(step)/steps || len(states) != len(x) {
			t.Errorf("step %d at %v of %d numbers", step, at, len(states))
		}
		if step == steps && states[0] != known.Data[0] {
			t.Errorf("the last states do not have what is known: %v", states)
		}
	}}
	if err := r.Solve(t.Context(), &correlated{}, x, 2, known, func(_, _ int, eps []float32) { clear(eps) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, []int{0, 1, 2, 3}) {
		t.Errorf("steps %v", seen)
	}
}

func TestResamplingStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	resampling, x := Resampling{Path: Linear{}, Steps: 5, Times: 2}, make([]float32, 4)
	known := Known{make([]float32, 4), make([]bool, 4)}
	err := resampling.Solve(ctx, &correlated{}, x, 2, known, func(int, int, []float32) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	numtest.MustPanic(t, "a mask of another length", func() {
		_ = resampling.Solve(ctx, &correlated{}, x, 2, Known{known.Data, nil}, nil)
	})
}

func TestSlerp(t *testing.T) {
	a, b, y := []float32{2, 0}, []float32{0, 2}, make([]float32, 2)
	points := map[float64][2]float64{
		0: {2, 0}, 1: {0, 2}, 0.5: {math.Sqrt2, math.Sqrt2}, 1.0 / 3: {math.Sqrt(3), 1},
	}
	for s, want := range points {
		Slerp(y, a, b, s)
		if !numtest.Near(float64(y[0]), want[0], 1e-6) || !numtest.Near(float64(y[1]), want[1], 1e-6) {
			t.Errorf("%v of the way: %v, want %v", s, y, want)
		}
	}
	if Slerp(y, a, a, 0.3); y[0] != 2 || y[1] != 0 {
		t.Errorf("between a vector and itself: %v", y)
	}
	if Slerp(y, []float32{0, 0}, b, 0.5); y[1] != 1 {
		t.Errorf("from zero: %v", y)
	}
}
