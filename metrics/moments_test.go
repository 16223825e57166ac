package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
)

// The points have the mean (1, 2) and the deviations (-1, -2), (0, 0), (1, 2).
func TestMomentsOfThreePoints(t *testing.T) {
	g := gaussianOf(t, rows([]float32{0, 0}, []float32{1, 2}, []float32{2, 4}))
	if want := []float64{1, 2}; !slices.Equal(g.Mean, want) {
		t.Errorf("mean %v, want %v", g.Mean, want)
	}
	if want := []float64{1, 2, 2, 4}; !slices.Equal(g.Covariance, want) {
		t.Errorf("covariance %v, want %v", g.Covariance, want)
	}
}

// The mean is 1e5 times the deviation. A plain sum of squares would lose all digits of float32, and
// ten of float64. The scatter around the mean loses d·n·2⁻⁵³, below 1e-10.
func TestMomentsAreStable(t *testing.T) {
	const n, d, offset = 3000, 20, 1 << 17
	rng := rand.New(rand.NewPCG(1, 1))
	small, large := normals(rng, n, d), Features{N: n, D: d, Data: make([]float32, n*d)}
	for i, v := range small.Data {
		small.Data[i] = float32(math.Round(float64(v)*64) / 64) // so that the sum below is exact
		large.Data[i] = small.Data[i] + offset
	}
	a, b := gaussianOf(t, small), gaussianOf(t, large)
	for i, v := range a.Covariance {
		mustBeNear(t, "covariance", b.Covariance[i], v, 1e-10)
	}
	for i, v := range a.Mean {
		mustBeNear(t, "mean", b.Mean[i], v+offset, 1e-10)
	}
}

// Moments of parts, merged, are those of the definition in two passes. Rounding is n·2⁻⁵³ of
// numbers near one.
func TestMomentsOfParts(t *testing.T) {
	const n, d, tol = 1201, 19, 1e-12
	f := normals(rand.New(rand.NewPCG(2, 1)), n, d)
	mean, covariance := make([]float64, d), make([]float64, d*d)
	for i := range n {
		for j, v := range f.Row(i) {
			mean[j] += float64(v) / n
		}
	}
	for i := range n {
		for j, v := range f.Row(i) {
			for k, w := range f.Row(i) {
				covariance[j*d+k] += (float64(v) - mean[j]) * (float64(w) - mean[k]) / (n - 1)
			}
		}
	}
	for _, cut := range []int{n, 1, 600, 1024} {
		var a, b, none Moments
		first, second := Features{cut, d, f.Data[:cut*d]}, Features{n - cut, d, f.Data[cut*d:]}
		for _, err := range []error{a.Add(first, Compute{}), b.Add(second, Compute{})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		a.Merge(&b)
		a.Merge(&none)
		none.Merge(&a)
		g, err := none.Gaussian()
		if err != nil || none.Count() != n {
			t.Fatalf("%d rows, %v", none.Count(), err)
		}
		for i, v := range mean {
			mustBeNear(t, "mean", g.Mean[i], v, tol)
		}
		for i, v := range covariance {
			mustBeNear(t, "covariance", g.Covariance[i], v, tol)
		}
	}
}

func TestMomentsDoNotDependOnWorkers(t *testing.T) {
	f := normals(rand.New(rand.NewPCG(3, 1)), 1100, 50)
	alone := gaussianOf(t, f)
	var m Moments
	if err := m.Add(f, Compute{ISA: kernels.Best(), Parallel: together}); err != nil {
		t.Fatal(err)
	}
	g, _ := m.Gaussian()
	if !slices.Equal(g.Mean, alone.Mean) || !slices.Equal(g.Covariance, alone.Covariance) {
		t.Error("the moments change with the number of workers")
	}
}

func TestMomentsErrors(t *testing.T) {
	var m Moments
	_, err := m.Gaussian()
	mustFail(t, "no rows", err, "0 rows", "2")
	if err := m.Add(rows([]float32{1, 2}), Compute{}); err != nil {
		t.Fatal(err)
	}
	_, err = m.Gaussian()
	mustFail(t, "one row", err, "1 rows")
	nan := float32(math.NaN())
	mustFail(t, "not a number", m.Add(rows([]float32{1, 2}, []float32{1, nan}), Compute{}), "row 1", "not finite")
	mustFail(t, "infinite", m.Add(rows([]float32{-float32(math.Inf(1)), 2}), Compute{}), "row 0", "not finite")
	mustPanic(t, "other rows", func() { _ = m.Add(rows([]float32{1, 2, 3}), Compute{}) }, "2", "3")
	wrong := Features{2, 2, make([]float32, 3)}
	mustPanic(t, "wrong shape", func() { _ = m.Add(wrong, Compute{}) }, "3 numbers", "2 rows of 2")
}
