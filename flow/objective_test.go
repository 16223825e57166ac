package flow

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

var objectives = []Objective{PredictVelocity, PredictNoise, PredictData}

func TestParseObjective(t *testing.T) {
	for i, name := range ObjectiveNames() {
		if o, err := ParseObjective(name); err != nil || o != objectives[i] || o.String() != name {
			t.Errorf("%s is read as %v, %v", name, o, err)
		}
	}
	if o, err := ParseObjective("epsilon"); err == nil {
		t.Errorf("epsilon is read as %v", o)
	}
}

// TestPartsAreExact finds the parts of a state from the true answer for each objective. The
// divisors are at least 0.005 at these times. So answers of 1e2 are off by their rounding in
// float32, 2⁻²⁴·1e2/0.005.
func TestPartsAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.Float64Range(0.08, 0.99).Draw(r, "t")
		x0 := rapid.SliceOfN(rapid.Float32Range(-2, 2), 3, 3).Draw(r, "x0")
		x1 := rapid.SliceOfN(rapid.Float32Range(-2, 2), 3, 3).Draw(r, "x1")
		x, p, got, want := make([]float32, 3), make([]float32, 3), make([]float32, 3), make([]float32, 3)
		for name, s := range paths {
			c := s.At(at)
			Interpolate(x, x0, x1, c)
			for _, o := range objectives {
				Target(p, x0, x1, c, o)
				for _, other := range objectives {
					c.Parts(o).of(other).Apply(got, x, p)
					Target(want, x0, x1, c, other)
					for i := range got {
						if !numtest.Near(float64(got[i]), float64(want[i]), 0x1p-24*1e2/0.005) {
							r.Errorf("%s, t = %v: %v from %v is %v, want %v", name, at, other, o, got, want)
							break
						}
					}
				}
			}
		}
	})
}

// TestPartsAddUp: at all times, with the ends, noise and data add up to x whatever was predicted.
// The velocity is that of noise and data unless it was predicted itself. Nothing is infinite.
func TestPartsAddUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.OneOf(rapid.Just(0.), rapid.Just(1.), rapid.Float64Range(0, 1),
			rapid.Float64Range(0, 0.01), rapid.Float64Range(0.99, 1)).Draw(r, "t")
		for name, s := range paths {
			c := s.At(at)
			for _, o := range objectives {
				p := c.Parts(o)
				x := Part{c.Sigma*p.Noise.X + c.Alpha*p.Data.X, c.Sigma*p.Noise.P + c.Alpha*p.Data.P}
				v := Part{c.DSigma*p.Noise.X + c.DAlpha*p.Data.X, c.DSigma*p.Noise.P + c.DAlpha*p.Data.P}
				// Parts are at most 1/least, and a velocity 50 times that at the end of vp.
				if !numtest.Near(x.X, 1, 1e-12) || !numtest.Near(x.P, 0, 1e-12) {
					r.Errorf("%s from %v at %v: noise and data make %+v of x", name, o, at, x)
				}
				same := numtest.Near(v.X, p.Velocity.X, 1e-9) && numtest.Near(v.P, p.Velocity.P, 1e-9)
				if o == PredictVelocity && p.Velocity != (Part{P: 1}) || o != PredictVelocity && !same {
					r.Errorf("%s from %v at %v: velocity %+v, that of noise and data %+v", name, o, at, p.Velocity, v)
				}
				for _, part := range []Part{p.Velocity, p.Noise, p.Data} {
					if !(math.Abs(part.X)+math.Abs(part.P) <= 2*51/least) {
						r.Errorf("%s from %v at %v: %+v", name, o, at, p)
					}
				}
			}
		}
	})
}

// TestPartsAtEnds: without a signal x is noise, and without noise it is data.
func TestPartsAtEnds(t *testing.T) {
	for _, name := range exactPaths {
		for _, o := range objectives {
			first, last := paths[name].At(0).Parts(o), paths[name].At(1).Parts(o)
			if o != PredictNoise && (first.Noise.X != 1 || first.Noise.P != 0) {
				t.Errorf("%s from %v: noise at 0 is %+v", name, o, first.Noise)
			}
			if o != PredictData && (last.Data.X != 1 || last.Data.P != 0) {
				t.Errorf("%s from %v: data at 1 is %+v", name, o, last.Data)
			}
		}
		// At one end a prediction says nothing about the other part.
		if p := paths[name].At(0).Parts(PredictNoise).Data; p.X != 0 || p.P != 0 {
			t.Errorf("%s: data from noise at 0 is %+v", name, p)
		}
		if p := paths[name].At(1).Parts(PredictData).Noise; p.X != 0 || p.P != 0 {
			t.Errorf("%s: noise from data at 1 is %+v", name, p)
		}
	}
}

// TestLossWeight: the weight turns the loss of predictions into the loss of another objective.
func TestLossWeight(t *testing.T) {
	const n = 40
	x0, x1, off := numtest.Normals(n, 1), numtest.Normals(n, 2), numtest.Normals(n, 3)
	x, truth, p := make([]float32, n), make([]float32, n), make([]float32, n)
	other, otherTruth := make([]float32, n), make([]float32, n)
	for name, s := range paths {
		for _, at := range []float64{0.1, 0.4, 0.7, 0.9} {
			c := s.At(at)
			Interpolate(x, x0, x1, c)
			for _, o := range objectives {
				Target(truth, x0, x1, c, o)
				for i := range p {
					p[i] = truth[i] + off[i]
				}
				for _, to := range objectives {
					Target(otherTruth, x0, x1, c, to)
					c.Parts(o).of(to).Apply(other, x, p)
					got, want := c.LossWeight(o, to)*MSE(nil, p, truth), MSE(nil, other, otherTruth)
					// Each number is off by 2⁻²⁴ of values below 1e3, relative to errors of 1 on
					// average.
					if !numtest.Near(got, want, 1e-4*want) {
						t.Errorf("%s, t = %v: weighted loss of %v %v, of its %v %v", name, at, o, got, to, want)
					}
				}
			}
			got, want := c.LossWeight(PredictNoise, PredictData), math.Exp(-c.LogSNR())
			if !numtest.Near(got, want, 1e-12*want) {
				t.Errorf("%s, t = %v: noise as data weighs %v, want 1/SNR = %v", name, at, got, want)
			}
		}
	}
}

// TestGuidanceCommutes: guided predictions have the guided velocities.
func TestGuidanceCommutes(t *testing.T) {
	const n, w = 60, 2.5
	x, with, without := numtest.Normals(n, 1), numtest.Normals(n, 2), numtest.Normals(n, 3)
	guide := func(a, b []float32) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = b[i] + w*(a[i]-b[i])
		}
		return out
	}
	constant := func(p []float32) ode.Field {
		return ode.FieldFunc(func(v, _, _ []float32, _ []int) { copy(v, p) })
	}
	times := []float32{0, 0.1, 0.5, 0.8, 0.9, 1}
	for name, s := range paths {
		for _, o := range objectives {
			velocity := func(p []float32) []float32 {
				v := make([]float32, n)
				VelocityOf(constant(p), s, o).Velocity(v, x, times, nil)
				return v
			}
			a, b := velocity(guide(with, without)), guide(velocity(with), velocity(without))
			for i := range a {
				// A velocity is at most 51/least of numbers below 4; |w|+|1−w| roundings of that.
				va, vb := math.Abs(float64(velocity(with)[i])), math.Abs(float64(velocity(without)[i]))
				tol := 0x1p-22 * (1 + va + vb) * 4
				if !numtest.Near(float64(a[i]), float64(b[i]), tol) {
					t.Errorf("%s, %v: velocity %v of the guided prediction, %v of guided velocities",
						name, o, a[i], b[i])
				}
			}
		}
	}
}

// leastSquares returns the coefficients of features that fit targets best, by the normal equations.
func leastSquares(features [][]float64, targets []float32) []float64 {
	k := len(features)
	a := make([][]float64, k)
	for i := range a {
		a[i] = make([]float64, k+1)
		for j := range k {
			for s := range targets {
				a[i][j] += features[i][s] * features[j][s]
			}
		}
		for s, y := range targets {
			a[i][k] += features[i][s] * float64(y)
		}
	}
	for i := range k { // Gauss and Jordan; the matrix is positive definite
		for j := range k {
			if j == i {
				continue
			}
			f := a[j][i] / a[i][i]
			for l := range a[j] {
				a[j][l] -= f * a[i][l]
			}
		}
	}
	w := make([]float64, k)
	for i := range w {
		w[i] = a[i][k] / a[i][i]
	}
	return w
}

// TestOneFieldForAll trains a network of each objective on x1 ~ N(m, s²). The best predictor is a
// line in x there, and least squares fit it. All networks have the velocity of the theory, v = α'·m
// + (σσ' + αα's²)/(σ² + α²s²)·(x − α·m).
func TestOneFieldForAll(t *testing.T) {
	const n, m, s = 20_000, 0.6, 0.5
	x0, x1 := numtest.Normals(n, 1), numtest.Normals(n, 2)
	for i := range x1 {
		x1[i] = m + s*x1[i]
	}
	x, target := make([]float32, n), make([]float32, n)
	ones, line := make([]float64, n), make([]float64, n)
	for name, path := range paths {
		for _, at := range []float64{0.1, 0.3, 0.5, 0.8, 0.95} {
			c := path.At(at)
			Interpolate(x, x0, x1, c)
			for i := range x {
				ones[i], line[i] = 1, float64(x[i])
			}
			variance := c.Sigma*c.Sigma + c.Alpha*c.Alpha*s*s
			slope := (c.Sigma*c.DSigma + c.Alpha*c.DAlpha*s*s) / variance
			var fields [3][2]float64 // intercept and slope of the velocity
			for i, o := range objectives {
				Target(target, x0, x1, c, o)
				w := leastSquares([][]float64{ones, line}, target)
				v := c.Parts(o).Velocity
				fields[i] = [2]float64{v.P * w[0], v.X + v.P*w[1]}
				// The velocity scatters around its line by |D|·s/√variance. The standard error of
				// the slope is that over √(n·variance). The error of the line at 0 is at most that
				// of the mean and of the slope together. The bound is 5 of them.
				scatter := c.turn() * s / math.Sqrt(variance) / math.Sqrt(n)
				slopeTol := 5 * scatter / math.Sqrt(variance)
				zeroTol := 5*scatter + slopeTol*c.Alpha*m
				if !numtest.Near(fields[i][1], slope, slopeTol) ||
					!numtest.Near(fields[i][0], c.DAlpha*m-slope*c.Alpha*m, zeroTol) {
					t.Errorf("%s, t = %v, from %v: v = %v, want [%v %v]",
						name, at, o, fields[i], c.DAlpha*m-slope*c.Alpha*m, slope)
				}
				// Least squares are linear in the target, of which x is a part. So the fields agree
				// far better than the data scatters: up to the rounding of targets in float32,
				// 2⁻²⁴·4, grown by at most 1/0.02.
				if !numtest.Near(fields[i][0], fields[0][0], 2e-5) || !numtest.Near(fields[i][1], fields[0][1], 2e-5) {
					t.Errorf("%s, t = %v: from %v v = %v, from velocity %v", name, at, o, fields[i], fields[0])
				}
			}
		}
	}
}

func TestVelocityOf(t *testing.T) {
	called := 0
	noise := ode.FieldFunc(func(v, x, at []float32, index []int) {
		called++
		if fmt.Sprint(x, at, index) != "[1 2] [0.5 0.25] [3 7]" {
			t.Errorf("asked about %v, %v, %v", x, at, index)
		}
		copy(v, []float32{0.5, 1})
	})
	v, x, at := make([]float32, 2), []float32{1, 2}, []float32{0.5, 0.25}
	VelocityOf(noise, Linear{}, PredictNoise).Velocity(v, x, at, []int{3, 7})
	// x1 = (x − (1−t)·x0)/t is 1.5 and 5; v = x1 − x0.
	if v[0] != 1 || v[1] != 4 || called != 1 {
		t.Errorf("v = %v after %d calls", v, called)
	}
}

// TestVelocityWithin: data beyond the bounds is clipped while there is more noise than signal. This
// changes no prediction without error, and nothing else.
func TestVelocityWithin(t *testing.T) {
	const n = 30
	x0, x1 := numtest.Normals(n, 1), numtest.Normals(n, 2)
	for i := range x1 {
		x1[i] = max(-1, min(1, x1[i]))
	}
	x, p, off := make([]float32, n), make([]float32, n), make([]float32, n)
	plain, within := make([]float32, n), make([]float32, n)
	for name, path := range paths {
		for _, at := range []float32{0.12, 0.4, 0.45, 0.9} {
			c := path.At(float64(at))
			Interpolate(x, x0, x1, c)
			for _, o := range objectives {
				Target(p, x0, x1, c, o)
				for _, by := range []float32{0, 0.5} {
					for i := range off {
						off[i] = p[i] + by
					}
					predict := ode.FieldFunc(func(v, _, _ []float32, _ []int) { copy(v, off) })
					VelocityOf(predict, path, o).Velocity(plain, x, []float32{at}, nil)
					VelocityWithin(predict, path, o, -1, 1).Velocity(within, x, []float32{at}, nil)
					clips := by != 0 && o == PredictNoise && c.Sigma > c.Alpha
					// x is rounded by 2⁻²⁴·4, α'/α² of which is velocity: 2e-3 where α = 0.014, the
					// least here.
					if change := numtest.Distance(plain, within); (change > 2e-3) != clips {
						t.Errorf("%s, t = %v, from %v off by %v: the velocity changes by %.3g", name, at, o, by, change)
					}
				}
			}
		}
	}
	noise := ode.FieldFunc(func(v, _, _ []float32, _ []int) { copy(v, []float32{0, float32(math.NaN())}) })
	v := make([]float32, 2)
	VelocityWithin(noise, Linear{}, PredictNoise, -1, 1).Velocity(v, []float32{1, 1}, []float32{0.25}, nil)
	// x1 would be 4, and is 1: v = (x1 − x)/(1−t).
	if v[0] != 0 || !math.IsNaN(float64(v[1])) {
		t.Errorf("v = %v", v)
	}
}

// shrinking is the prediction −0.6·x·(1+t) of states of two numbers, with its divergence.
type shrinking struct{}

func (shrinking) Divergence(v []float32, div []float64, x, t []float32, _ []int) {
	for i, at := range t {
		rate := -0.6 * (1 + float64(at))
		v[2*i], v[2*i+1] = float32(rate*float64(x[2*i])), float32(rate*float64(x[2*i+1]))
		div[i] = 2 * rate
	}
}

// TestDivergenceOf compares the divergence of converted predictions with differences of the
// velocity. The velocity is linear in x here, so differences err by rounding only: 2⁻²⁴ of numbers
// up to 10², over h.
func TestDivergenceOf(t *testing.T) {
	const h = 1. / 16
	for _, o := range objectives {
		f := DivergenceOf(shrinking{}, VariancePreserving{0.1, 20}, o)
		velocity := func(x ...float32) []float32 {
			v := make([]float32, 2)
			f.Divergence(v, make([]float64, 1), x, []float32{0.6}, []int{0})
			return v
		}
		div := make([]float64, 1)
		f.Divergence(make([]float32, 2), div, []float32{0.3, -0.8}, []float32{0.6}, []int{0})
		want := (velocity(0.3+h, -0.8)[0] - velocity(0.3-h, -0.8)[0] +
			velocity(0.3, -0.8+h)[1] - velocity(0.3, -0.8-h)[1]) / (2 * h)
		if !numtest.Near(div[0], float64(want), 1e-3*(1+math.Abs(float64(want)))) {
			t.Errorf("%v: divergence %v, differences give %v", o, div[0], want)
		}
	}
}
