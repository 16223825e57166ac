package flow

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

func TestInterpolateEndPoints(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(r, "n")
		x0 := rapid.SliceOfN(rapid.Float32Range(-1e6, 1e6), n, n).Draw(r, "x0")
		x1 := rapid.SliceOfN(rapid.Float32Range(-1e6, 1e6), n, n).Draw(r, "x1")
		xt := make([]float32, n)
		Interpolate(xt, x0, x1, Linear{}.At(0))
		for i := range xt {
			if xt[i] != x0[i] {
				r.Fatalf("x_0 = %v is not the noise %v", xt, x0)
			}
		}
		Interpolate(xt, x0, x1, Linear{}.At(1))
		for i := range xt {
			if xt[i] != x1[i] {
				r.Fatalf("x_1 = %v is not the data %v", xt, x1)
			}
		}
	})
}

func TestTargetVelocityIsDerivative(t *testing.T) {
	x0, x1 := numtest.Normals(50, 1), numtest.Normals(50, 2)
	before, after, u := make([]float32, 50), make([]float32, 50), make([]float32, 50)
	const h = 1. / 64
	for name, s := range paths {
		for _, at := range []float64{0.25, 0.5, 0.875} {
			Interpolate(before, x0, x1, s.At(at-h))
			Interpolate(after, x0, x1, s.At(at+h))
			TargetVelocity(u, x0, x1, s.At(at))
			for i := range u {
				// Differences miss by h²/6 of the third derivative, which at these times is below
				// 37 for α and 34 for σ, of vp, times |x| < 4 for both: 0.0116; float32 rounds by
				// 4·2⁻²⁴/h.
				got := (float64(after[i]) - float64(before[i])) / (2 * h)
				if !numtest.Near(got, float64(u[i]), 0.0117) {
					t.Errorf("%s, t = %v: u = %v, differences give %v", name, at, u[i], got)
				}
			}
		}
	}
}

func TestLinearTarget(t *testing.T) {
	x0, x1 := numtest.Normals(10, 3), numtest.Normals(10, 4)
	u := make([]float32, 10)
	TargetVelocity(u, x0, x1, Linear{}.At(0.3))
	for i := range u {
		if want := float32(float64(x1[i]) - float64(x0[i])); u[i] != want {
			t.Errorf("u = %v, want x1 − x0 = %v", u[i], want)
		}
	}
}

func TestConditionalPairs(t *testing.T) {
	const n, d = 5, 3
	x0, x1 := numtest.Normals(n*d, 5), numtest.Normals(n*d, 6)
	times := []float32{0, 0.1, 0.5, 0.75, 1}
	xt, u := make([]float32, n*d), make([]float32, n*d)
	ConditionalPairs(xt, u, x0, x1, times, Cosine{})
	wantX, wantU := make([]float32, d), make([]float32, d)
	for i, at := range times {
		c := Cosine{}.At(float64(at))
		Interpolate(wantX, x0[i*d:(i+1)*d], x1[i*d:(i+1)*d], c)
		TargetVelocity(wantU, x0[i*d:(i+1)*d], x1[i*d:(i+1)*d], c)
		if !numtest.SameBits(xt[i*d:(i+1)*d], wantX) || !numtest.SameBits(u[i*d:(i+1)*d], wantU) {
			t.Errorf("state %d at t = %v: got %v, %v, want %v, %v",
				i, at, xt[i*d:(i+1)*d], u[i*d:(i+1)*d], wantX, wantU)
		}
	}
}

func TestPathLengths(t *testing.T) {
	four, five := make([]float32, 4), make([]float32, 5)
	numtest.MustPanic(t, "Interpolate", func() { Interpolate(four, four, five, Coefficients{}) })
	numtest.MustPanic(t, "TargetVelocity", func() { TargetVelocity(four, five, four, Coefficients{}) })
	numtest.MustPanic(t, "ConditionalPairs, x0", func() {
		ConditionalPairs(four, four, five, four, make([]float32, 2), Linear{})
	})
	numtest.MustPanic(t, "ConditionalPairs, t", func() {
		ConditionalPairs(five, five, five, five, make([]float32, 2), Linear{})
	})
	ConditionalPairs(nil, nil, nil, nil, nil, Linear{})
}

// TestMarginalVelocity checks the theory of training. The mean of u_t among the pairs that pass
// through x is the velocity that numtest.GaussianField has for the distributions. With x0 ~ N(0,1)
// and x1 ~ N(m,s²) it is a line in x, which least squares find.
func TestMarginalVelocity(t *testing.T) {
	const n, m, s, at = 200_000, 1.5, 0.5, 0.6
	r := rand.New(rand.NewPCG(7, 7))
	x0, x1, times := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		x0[i], x1[i], times[i] = float32(r.NormFloat64()), float32(m+s*r.NormFloat64()), at
	}
	xt, u := make([]float32, n), make([]float32, n)
	ConditionalPairs(xt, u, x0, x1, times, Linear{})

	var sx, su, sxx, sxu float64
	for i := range n {
		x, v := float64(xt[i])-m*at, float64(u[i])-m
		sx, su, sxx, sxu = sx+x, su+v, sxx+x*x, sxu+x*v
	}
	variance := (1-at)*(1-at) + at*at*s*s // of x_t
	slope, want := sxu/sxx, (at*s*s-(1-at))/variance
	// Around the line u scatters with at most its own deviation √(1+s²) = 1.12, so the slope's
	// standard error is below 1.12/√(n·variance) = 0.005, and that of both means below 0.0025; 5 of
	// them.
	if !numtest.Near(slope, want, 0.025) || !numtest.Near(sx/n, 0, 0.0125) || !numtest.Near(su/n, 0, 0.0125) {
		t.Errorf("slope %v, want %v; means %v and %v, want 0", slope, want, sx/n, su/n)
	}
	field := numtest.GaussianField(m, s)
	v := make([]float32, 2)
	field(v, []float32{m*at - 1, m*at + 1}, []float32{at, at}, nil)
	if got := float64(v[1]-v[0]) / 2; !numtest.Near(got, want, 1e-6) {
		t.Errorf("gaussianField has slope %v, want %v", got, want)
	}
}
