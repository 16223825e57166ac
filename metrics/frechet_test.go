package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// diagonal returns a normal distribution of independent numbers.
func diagonal(mean, variance []float64) Gaussian {
	d := len(mean)
	g := Gaussian{mean, make([]float64, d*d)}
	for i, v := range variance {
		g.Covariance[i*d+i] = v
	}
	return g
}

// mustFrechet returns the distance of a and b, and checks that it is the distance of b and a too.
func mustFrechet(t *testing.T, a, b Gaussian) float64 {
	t.Helper()
	there, err := Frechet(a, b)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Frechet(b, a)
	if err != nil {
		t.Fatal(err)
	}
	// An eigenvalue of rounding alone is 2⁻⁵³ of the largest one. Its root is 1e-8 of the largest
	// root.
	mustBeNear(t, "back", back, there, 1e-6*(1+there))
	return there
}

// These distances are known in closed form. For 2x2 matrices tr √M = √(tr M + 2√det M), and M has
// the trace and determinant of Σ1·Σ2.
func TestFrechetClosedForms(t *testing.T) {
	of := func(mean []float64, covariance ...float64) Gaussian { return Gaussian{mean, covariance} }
	zero := []float64{0, 0}
	for _, c := range []struct {
		name string
		a, b Gaussian
		want float64
	}{
		{"equal", of([]float64{1, 2}, 2, 1, 1, 3), of([]float64{1, 2}, 2, 1, 1, 3), 0},
		{"shifted", of([]float64{1, 2}, 2, 1, 1, 3), of([]float64{4, -2}, 2, 1, 1, 3), 9 + 16},
		{"one dimension", of([]float64{1}, 4), of([]float64{3}, 25), 4 + 9},
		{"diagonal", diagonal([]float64{0, 0, 1}, []float64{1, 4, 9}), diagonal([]float64{0, 0, 0}, []float64{4, 4, 1}),
			1 + 1 + 0 + 4},
		// Both have the axes (1, 1) and (1, -1). Variances 3 and 1, and 12 and 4: (√12−√3)² +
		// (2−1)² = 3 + 1.
		{"commuting", of(zero, 2, 1, 1, 2), of(zero, 8, 4, 4, 8), 4},
		// Σ1·Σ2 has trace 2 + 8 and determinant 3·4.
		{"not commuting", of(zero, 2, 1, 1, 2), of(zero, 1, 0, 0, 4), 4 + 5 - 2*math.Sqrt(10+2*math.Sqrt(12))},
		{"a point", of(zero, 0, 0, 0, 0), of([]float64{3, 4}, 2, 0, 0, 7), 25 + 9},
		// Lines of variance 1 along x and 2 along the diagonal. Σ1·Σ2 has trace 1 and determinant
		// 0.
		{"singular", of(zero, 1, 0, 0, 0), of(zero, 1, 1, 1, 1), 1 + 2 - 2},
		{"lines across", of(zero, 9, 0, 0, 0), of(zero, 0, 0, 0, 4), 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustBeNear(t, "distance", mustFrechet(t, c.a, c.b), c.want, 1e-6)
		})
	}
}

// transformed returns the distribution of s·Q·x.
func transformed(g Gaussian, q *mat.Dense, s float64) Gaussian {
	d := len(g.Mean)
	var mean, c mat.Dense
	mean.Mul(q, mat.NewDense(d, 1, slices.Clone(g.Mean)))
	mean.Scale(s, &mean)
	c.Mul(q, mat.NewDense(d, d, slices.Clone(g.Covariance)))
	c.Mul(&c, q.T())
	c.Scale(s*s, &c)
	return Gaussian{mean.RawMatrix().Data, c.RawMatrix().Data}
}

// The distance does not change when both distributions are turned. It grows with the square of the
// scale. Its root is a metric and obeys the triangle inequality.
func TestFrechetInvariances(t *testing.T) {
	const d = 12
	rng := rand.New(rand.NewPCG(4, 1))
	random := func(n int) Gaussian { return gaussianOf(t, normals(rng, n, d)) }
	var qr mat.QR
	qr.Factorize(mat.NewDense(d, d, toFloat64(normals(rng, d, d).Data)))
	var q mat.Dense
	qr.QTo(&q)
	a, b, c := random(30), random(5), random(20) // b is singular: 5 rows span 4 dimensions
	want := mustFrechet(t, a, b)
	mustBeNear(t, "turned", mustFrechet(t, transformed(a, &q, 1), transformed(b, &q, 1)), want, 1e-6*want)
	mustBeNear(t, "scaled", mustFrechet(t, transformed(a, &q, 7), transformed(b, &q, 7)), 49*want, 49e-6*want)
	ab, bc, ac := math.Sqrt(want), math.Sqrt(mustFrechet(t, b, c)), math.Sqrt(mustFrechet(t, a, c))
	if ac > ab+bc || ab > ac+bc {
		t.Errorf("distances %g, %g and %g do not form a triangle", ab, bc, ac)
	}
}

func toFloat64(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// Two samples of N rows of N(0, I) differ by sampling alone. ‖μ1−μ2‖² is (2/N)·χ²_D, with mean 2D/N
// and deviation (2/N)√(2D). Near Σ = I the rest is ¼‖Σ1−Σ2‖². The elements of Σ1−Σ2 have the
// variances 4/N on the diagonal and 2/N elsewhere. So the rest has mean D(D+1)/2N and deviation
// √(D(D+1))/N. Terms of third order are smaller by 1/√N.
func TestFrechetOfSamples(t *testing.T) {
	const n, d = 4000., 8.
	rng := rand.New(rand.NewPCG(5, 1))
	got := mustFrechet(t, gaussianOf(t, normals(rng, n, d)), gaussianOf(t, normals(rng, n, d)))
	want, deviation := 2*d/n+d*(d+1)/(2*n), math.Hypot(2/n*math.Sqrt(2*d), math.Sqrt(d*(d+1))/n)
	mustBeNear(t, "distance of two samples", got, want, 4*deviation)
}

func TestFrechetErrors(t *testing.T) {
	good := diagonal([]float64{0, 0}, []float64{1, 1})
	for what, bad := range map[string]struct {
		g    Gaussian
		says string
	}{
		"NaN in the mean":       {diagonal([]float64{math.NaN(), 0}, []float64{1, 1}), "not finite"},
		"infinite covariance":   {diagonal([]float64{0, 0}, []float64{1, math.Inf(1)}), "not finite"},
		"a negative variance":   {diagonal([]float64{0, 0}, []float64{1, -1}), "positive semi-definite"},
		"not symmetric":         {Gaussian{[]float64{0, 0}, []float64{1, 0.5, 0, 1}}, "symmetric"},
		"an overflow":           {diagonal([]float64{1e200, 0}, []float64{1, 1}), "scale"},
		"no correlation of 1.5": {Gaussian{[]float64{0, 0}, []float64{1, 1.5, 1.5, 1}}, "positive semi-definite"},
	} {
		_, err := Frechet(bad.g, good)
		mustFail(t, what, err, bad.says)
		_, err = Frechet(good, bad.g)
		mustFail(t, what+" in the other", err, bad.says)
	}
	mustPanic(t, "other sizes", func() { _, _ = Frechet(good, diagonal([]float64{1}, []float64{1})) }, "2", "1")
	mustPanic(t, "a wrong shape", func() { _, _ = Frechet(good, Gaussian{[]float64{1, 2}, []float64{1}}) }, "2", "1")
}
