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

// TestToleranceKept: the error at the end follows the tolerance, though the errors of steps add up
// and may grow on the way. The measured ratio is 0.1 to 8.
func TestToleranceKept(t *testing.T) {
	for _, p := range numtest.Problems {
		for _, span := range [][2]float64{{0, 1}, {1, 0}} {
			for _, tol := range []float64{1e-3, 1e-4, 1e-5, 1e-6} {
				s, start := ode.DormandPrince(tol, tol), p.At(span[0])
				x, stats := odetest.Solve(t, s, fieldOf(p), start, len(p.Start), span[0], span[1])
				if e := numtest.Distance(x, p.At(span[1])); e > 10*tol {
					t.Errorf("%s, %v, tolerance %g: error %.3g, %+v", p.Name, span, tol, e, stats)
				}
			}
		}
	}
}

// TestStepsFollowTolerance: the error of a step is that of the weaker method, proportional to h^5.
// So the number of steps is proportional to tol^(−1/5). It is measured over a long time, where the
// first and last steps do not count.
func TestStepsFollowTolerance(t *testing.T) {
	p := numtest.Problem{D: 2, Rate: numtest.Problems[0].Rate, Exact: numtest.Problems[0].Exact}
	p.Start = [][]float64{{1, 0}}
	undamped := p.Rate
	p.Rate = func(v, x []float64, t float64) {
		undamped(v, x, t)
		v[0], v[1] = v[0]+0.3*x[0], v[1]+0.3*x[1]
	}
	steps := func(tol float64) float64 {
		_, stats := odetest.Solve(t, ode.DormandPrince(tol, tol), fieldOf(p), p.At(0), 1, 0, 50)
		return float64(stats.Steps.Total)
	}
	for _, tol := range []float64{1e-3, 1e-4, 1e-5} {
		if exponent := math.Log10(steps(tol/10) / steps(tol)); !numtest.Near(exponent, 0.2, 0.02) {
			t.Errorf("tolerance %g: %v steps, a tenth of it: %v; exponent %.3f, want 1/5",
				tol, steps(tol), steps(tol/10), exponent)
		}
	}
}

// TestBatchIndependence: a state's solution and work are the same to the bit alone and in any
// batch.
func TestBatchIndependence(t *testing.T) {
	p := numtest.Problems[2]
	// Each state has its own speed, found by index, so that states need very different numbers of
	// steps.
	fieldOf := func(speed []float32) ode.FieldFunc {
		inner := fieldOf(p)
		return func(v, x, at []float32, index []int) {
			inner(v, x, at, index)
			for i, k := range index {
				for j := range p.D {
					v[i*p.D+j] *= speed[k]
				}
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(r, "n")
		x := rapid.SliceOfN(rapid.Float32Range(-5, 5), n*p.D, n*p.D).Draw(r, "x")
		speed := rapid.SliceOfN(rapid.Float32Range(-8, 8), n, n).Draw(r, "speed")
		s := ode.DormandPrince(1e-4, 1e-4)
		var alone []float32
		var merged ode.Stats
		for i := range n {
			xi, stats := odetest.Solve(t, s, fieldOf(speed[i:i+1]), x[i*p.D:(i+1)*p.D], 1, 0, 1)
			alone = append(alone, xi...)
			merged = merged.Merge(stats)
		}
		together, stats := odetest.Solve(t, s, fieldOf(speed), x, n, 0, 1)
		if !numtest.SameBits(together, alone) {
			r.Errorf("together %v, alone %v", together, alone)
		}
		merged.Calls = stats.Calls
		if stats != merged || stats.Calls != stats.Evaluations.Max {
			r.Errorf("together %+v, alone %+v", stats, merged)
		}
	})
}

// TestEvaluationsFSAL counts evaluations in the field: two for the first step size, and for each
// try of a step six. There are seven stages, of which the first is known.
func TestEvaluationsFSAL(t *testing.T) {
	rejected := 0
	for _, p := range numtest.Problems {
		inner := fieldOf(p)
		counts := make([]int, len(p.Start))
		f := ode.FieldFunc(func(v, x, at []float32, index []int) {
			for _, k := range index {
				counts[k]++
			}
			inner(v, x, at, index)
		})
		_, stats := odetest.Solve(t, ode.DormandPrince(1e-3, 1e-3), f, p.At(0), len(p.Start), 0, 1)
		total, most := 0, 0
		for _, c := range counts {
			total, most = total+c, max(most, c)
			if c%6 != 2 {
				t.Errorf("%s: a state took %d evaluations", p.Name, c)
			}
		}
		if want := 2*stats.States + 6*(stats.Steps.Total+stats.Rejected.Total); total != want {
			t.Errorf("%s: %d evaluations for %+v, want %d", p.Name, total, stats, want)
		}
		if (stats.Evaluations != ode.Tally{total, most}) {
			t.Errorf("%s: counted %d, at most %d, got %+v", p.Name, total, most, stats)
		}
		rejected += stats.Rejected.Total
	}
	if rejected == 0 {
		t.Error("no step was rejected, so the test says nothing about those")
	}
}

// TestFirstSameAsLastIsUsed follows one state by a field that remembers its calls. The first stage
// of a step is not asked for. It must be the velocity at the point where the step starts, also
// after rejections.
func TestFirstSameAsLastIsUsed(t *testing.T) {
	p := numtest.Problems[5]
	inner := fieldOf(p)
	type call struct{ t, x, v float32 }
	var calls []call
	f := ode.FieldFunc(func(v, x, at []float32, index []int) {
		inner(v, x, at, index)
		calls = append(calls, call{at[0], x[0], v[0]})
	})
	x, stats := odetest.Solve(t, ode.DormandPrince(1e-5, 1e-5), f, []float32{2}, 1, 0, 1)
	if stats.Rejected.Total == 0 {
		t.Fatal("no step was rejected")
	}
	from := calls[0]
	for try := 2; try < len(calls); try += 6 {
		// The second stage is x + h/5·k1 at t + h/5, the seventh the step's end. Rounding of x, t
		// and v by 2⁻²⁴ each.
		second, end := calls[try], calls[try+5]
		got, want := float64(second.x-from.x), float64(second.t-from.t)*float64(from.v)
		if !numtest.Near(got, want, 0x1p-22*(2+math.Abs(float64(from.v)))) {
			t.Errorf("step from %v: the second stage is %v away, want %v", from, got, want)
		}
		if next := try + 6; next == len(calls) {
			if end.x != x[0] || end.t != 1 {
				t.Errorf("the last stage is at %v, the solution is %v", end, x)
			}
			// accepted, as the next step's second stage is beyond its end
		} else if calls[next].t > end.t {
			from = end
		}
	}
}

// TestNoGrowthAfterRejection runs into a jump, before which steps have no error at all. After a
// rejected and an accepted step, the next step is not larger than the accepted one.
func TestNoGrowthAfterRejection(t *testing.T) {
	var times []float64
	jump := ode.FieldFunc(func(v, _, at []float32, _ []int) {
		times = append(times, float64(at[0]))
		v[0] = 0
		if at[0] > 0.6 {
			v[0] = 100
		}
	})
	odetest.Solve(t, ode.DormandPrince(1e-3, 1e-3), jump, []float32{1}, 1, 0, 1)
	var starts, sizes []float64
	for try := 2; try < len(times); try += 6 { // stages at start + h/5, …, start + h
		h := (times[try+5] - times[try]) / 0.8
		starts, sizes = append(starts, times[try+5]-h), append(sizes, h)
	}
	seen := false
	for i := 2; i < len(starts); i++ {
		rejected, accepted := starts[i-1] < starts[i-2]+sizes[i-2]/2, starts[i] > starts[i-1]+sizes[i-1]/2
		if rejected && accepted {
			seen = true
			if sizes[i] > sizes[i-1]*1.0001 {
				t.Errorf("steps of %v, rejected, %v and %v", sizes[i-2], sizes[i-1], sizes[i])
			}
		}
	}
	if !seen {
		t.Errorf("no step was rejected: %v", sizes)
	}
}

// TestMaxSteps: a span that takes five steps (see TestAnySpan) can be crossed with five, and not
// with four.
func TestMaxSteps(t *testing.T) {
	still := ode.FieldFunc(func(v, _, _ []float32, _ []int) { clear(v) })
	for most, want := range map[int]error{4: ode.ErrTooMany, 5: nil} {
		s := ode.Adaptive(ode.Dopri5, ode.AdaptiveOptions{RTol: 1e-3, ATol: 1e-3, MaxSteps: most})
		stats, err := s.Solve(context.Background(), still, []float32{1}, 1, 0, 1)
		if !errors.Is(err, want) || stats.Steps.Max != most {
			t.Errorf("at most %d steps: %+v, %v", most, stats, err)
		}
	}
}

// TestProbe: the second evaluation is after an Euler step in the direction of time. The size of
// that step is a hundredth of |x|/|v|.
func TestProbe(t *testing.T) {
	for _, span := range [][2]float64{{0, 1}, {1, 0}} {
		var times, states []float32
		f := ode.FieldFunc(func(v, x, at []float32, _ []int) {
			times, states = append(times, at[0]), append(states, x[0])
			v[0] = 4 * x[0]
		})
		odetest.Solve(t, ode.DormandPrince(1e-3, 1e-3), f, []float32{2}, 1, span[0], span[1])
		h := 0.01 / 4 * (span[1] - span[0])
		dt, dx := float64(times[1]-times[0]), float64(states[1]-states[0])
		if !numtest.Near(dt, h, 1e-6) || !numtest.Near(dx, h*8, 1e-6) {
			t.Errorf("from %v: the probe moves t by %v and x by %v, want %v and %v", span[0], dt, dx, h, h*8)
		}
	}
}

// TestAnySpan: where nothing moves, steps grow tenfold from a ten-thousandth of the span. So five
// steps cross it, whatever t0 and t1 are: the last step ends at t1, and not a rounding before t1.
func TestAnySpan(t *testing.T) {
	still := ode.FieldFunc(func(v, _, _ []float32, _ []int) { clear(v) })
	rapid.Check(t, func(r *rapid.T) {
		t0 := rapid.Float64Range(-10, 10).Draw(r, "t0")
		t1 := rapid.Float64Range(-10, 10).Filter(func(t1 float64) bool { return math.Abs(t1-t0) > 1e-6 }).Draw(r, "t1")
		_, stats := odetest.Solve(t, ode.DormandPrince(1e-3, 1e-3), still, []float32{1}, 1, t0, t1)
		if stats.Steps.Total != 5 {
			r.Errorf("from %v to %v: %+v", t0, t1, stats)
		}
	})
}

// TestEasyFields: a field of zeros and a constant field take a few steps only, and have exact
// solutions.
func TestEasyFields(t *testing.T) {
	for _, speed := range []float32{0, 3} {
		f := ode.FieldFunc(func(v, _, _ []float32, _ []int) {
			for i := range v {
				v[i] = speed
			}
		})
		x, stats := odetest.Solve(t, ode.DormandPrince(1e-5, 1e-5), f, []float32{0, 1, -2, 4}, 2, 0, 1)
		for i, x0 := range []float32{0, 1, -2, 4} {
			if !numtest.Near(float64(x[i]), float64(x0+speed), 1e-6) {
				t.Errorf("speed %v: %v moves to %v", speed, x0, x[i])
			}
		}
		if stats.Steps.Max > 8 || stats.Rejected.Total > 0 {
			t.Errorf("speed %v: %+v", speed, stats)
		}
	}
}

func TestAdaptiveErrors(t *testing.T) {
	constant := func(value func(t float32) float32) ode.FieldFunc {
		return func(v, x, at []float32, index []int) {
			for i, k := range index {
				v[i] = x[i]
				if k == 2 {
					v[i] = value(at[i])
				}
			}
		}
	}
	later := func(value float32) func(at float32) float32 {
		return func(at float32) float32 {
			if at > 0.5 {
				return value
			}
			return 1
		}
	}
	nan, loose := float32(math.NaN()), ode.AdaptiveOptions{ATol: 1e-4}
	for _, c := range []struct {
		name    string
		field   ode.Field
		options ode.AdaptiveOptions
		want    error
		says    string
	}{
		{"NaN at the start", constant(func(float32) float32 { return nan }), loose, ode.ErrNotFinite, "state 2"},
		{"NaN on the way", constant(later(nan)), loose, ode.ErrNotFinite, "near t = 0."},
		{"a jump", constant(later(1e12)), loose, ode.ErrTooSmall, "raise the tolerance"},
		{"many steps", constant(func(at float32) float32 { return float32(math.Sin(1000 * float64(at))) }),
			ode.AdaptiveOptions{ATol: 1e-6, MaxSteps: 30}, ode.ErrTooMany, "state 2 took too many steps, 30"},
	} {
		s, x := ode.Adaptive(ode.Dopri5, c.options), []float32{1, 1, 1, 1}
		stats, err := s.Solve(context.Background(), c.field, x, 4, 0, 1)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if stats.States != 4 || stats.Evaluations.Max != stats.Calls || stats.Evaluations.Total > 4*stats.Calls {
			t.Errorf("%s: %+v", c.name, stats)
		}
	}
}

// TestOverflow: a velocity that carries a state beyond float32 is an error, not an infinite
// solution.
func TestOverflow(t *testing.T) {
	f := ode.FieldFunc(func(v, _, _ []float32, _ []int) {
		for i := range v {
			v[i] = 3e38
		}
	})
	_, err := ode.DormandPrince(1e-3, 1e-3).Solve(context.Background(), f, []float32{3e38}, 1, 0, 1)
	if !errors.Is(err, ode.ErrNotFinite) {
		t.Errorf("error %v", err)
	}
}

// TestFrames: an observer of an adaptive solver sees every state at the times of the frames. Dense
// output has an error like that of the solution, and does not change the solution.
func TestFrames(t *testing.T) {
	const tol, parts = 1e-5, 7
	for _, p := range numtest.Problems {
		for _, span := range [][2]float64{{0, 1}, {1, 0}} {
			s := ode.Adaptive(ode.Dopri5, ode.AdaptiveOptions{RTol: tol, ATol: tol, Frames: parts})
			plain, stats := odetest.Solve(t, s, fieldOf(p), p.At(span[0]), len(p.Start), span[0], span[1])
			next := 0
			var last []float32
			watched := s.Observed(func(step int, at float64, x []float32) {
				want := span[0] + (span[1]-span[0])*float64(step)/parts
				if step != next || !numtest.Near(at, want, 1e-15) {
					t.Errorf("%s: frame %d at %v, want %d at %v", p.Name, step, at, next, want)
				}
				if e := numtest.Distance(x, p.At(at)); e > 10*tol {
					t.Errorf("%s, %v: frame %d misses by %.3g", p.Name, span, step, e)
				}
				last = append(last[:0], x...)
				next++
			})
			x, watchedStats := odetest.Solve(t, watched, fieldOf(p), p.At(span[0]), len(p.Start), span[0], span[1])
			if next != parts+1 || !numtest.SameBits(x, plain) || !numtest.SameBits(last, x) || stats != watchedStats {
				t.Errorf("%s: %d frames; solution %v, observed %v, last frame %v", p.Name, next, plain, x, last)
			}
		}
	}
}

// TestFramesNumber: the steps of NewSolver are the number of parts, with a default.
func TestFramesNumber(t *testing.T) {
	for steps, want := range map[int]int{5: 6, 1: 2, 0: 21, -1: 21} {
		s, err := ode.NewSolver("dopri5", steps, 1e-3)
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		s = s.Observed(func(int, float64, []float32) { frames++ })
		odetest.Solve(t, s, gaussian(1, 2), []float32{0.5}, 1, 0, 1)
		if frames != want {
			t.Errorf("%d steps: %d frames, want %d", steps, frames, want)
		}
	}
}

// TestLastFrame: the last frame is the solution to the bit, in every number of a larger batch.
func TestLastFrame(t *testing.T) {
	var last []float32
	s := ode.DormandPrince(1e-3, 1e-3).Observed(func(_ int, _ float64, x []float32) { last = append(last[:0], x...) })
	x, _ := odetest.Solve(t, s, gaussian(1, 2), numtest.Normals(20_000, 1), 4, 0, 1)
	if !numtest.SameBits(x, last) {
		t.Error("the last frame differs from the solution")
	}
}

// TestGaussianTransport carries noise to N(1.5, 0.5²) along the closed-form field, with every
// solver.
func TestGaussianTransport(t *testing.T) {
	const n, d = 6, 50
	x0 := numtest.Normals(n*d, 1)
	// About twice the measured errors: truncation, and for rk4 rounding.
	bounds := map[string]float64{"euler": 0.03, "midpoint": 5e-6, "heun": 3e-4, "rk4": 5e-7, "dopri5": 1e-5}
	for name, bound := range bounds {
		s, err := ode.NewSolver(name, 40, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := odetest.Solve(t, s, gaussian(1.5, 0.5), x0, n, 0, 1)
		want := make([]float32, n*d)
		for i := range want {
			want[i] = 1.5 + 0.5*x0[i]
		}
		if e := numtest.Distance(x, want); e > bound {
			t.Errorf("%v: misses m + s·x0 by %.3g", s, e)
		}
		back, _ := odetest.Solve(t, s, gaussian(1.5, 0.5), x, n, 1, 0)
		if e := numtest.Distance(back, x0); e > 4*bound { // 1/s times the error of both ways
			t.Errorf("%v: misses x0 on the way back by %.3g", s, e)
		}
	}
}

// TestFieldSeesIndex: when finished states are gone, index still names the others, in order.
func TestFieldSeesIndex(t *testing.T) {
	smallest := 4
	f := ode.FieldFunc(func(v, x, at []float32, index []int) {
		if len(index) != len(at) || len(x) != len(at)*2 || len(v) != len(x) {
			t.Errorf("v %d, x %d, t %d, index %d", len(v), len(x), len(at), len(index))
		}
		for i, k := range index {
			if i > 0 && index[i-1] >= k {
				t.Errorf("index %v", index)
			}
			rate := float32(1 + 20*(k%2)) // the odd ones take longer
			v[2*i], v[2*i+1] = -rate*x[2*i+1], rate*x[2*i]
		}
		smallest = min(smallest, len(index))
	})
	x, stats := odetest.Solve(t, ode.DormandPrince(1e-5, 1e-5), f, []float32{1, 0, 1, 0, 1, 0, 1, 0}, 4, 0, 1)
	for k := range 4 {
		if want := math.Cos(float64(1 + 20*(k%2))); !numtest.Near(float64(x[2*k]), want, 1e-3) {
			t.Errorf("state %d: %v, want %v", k, x[2*k], want)
		}
	}
	if smallest != 2 {
		t.Errorf("at least %d states were asked for, %s", smallest, fmt.Sprintf("%+v", stats))
	}
}
