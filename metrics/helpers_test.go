package metrics

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// together calls do for all indices at once, the last one first.
func together(n int, do func(i int)) error {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(n - 1 - i) })
	}
	all.Wait()
	return nil
}

// normals returns n rows of d standard normal numbers.
func normals(rng *rand.Rand, n, d int) Features {
	return Features{N: n, D: d, Data: kernelstest.Normals(rng, n*d)}
}

// rows returns features with the given rows.
func rows(all ...[]float32) Features {
	f := Features{N: len(all), D: len(all[0])}
	for _, row := range all {
		f.Data = append(f.Data, row...)
	}
	return f
}

// gaussianOf returns the mean and covariance of features.
func gaussianOf(t testing.TB, f Features) Gaussian {
	t.Helper()
	var m Moments
	if err := m.Add(f, Compute{}); err != nil {
		t.Fatal(err)
	}
	g, err := m.Gaussian()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// mustBeNear fails unless got lies within tol of want.
func mustBeNear(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %.12g, want %.12g within %.3g", what, got, want, tol)
	}
}

// mustFail fails unless err says all of the parts.
func mustFail(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q does not say %q", what, err, part)
		}
	}
}

// mustPanic fails unless f panics with a message that holds all the parts.
func mustPanic(t *testing.T, what string, f func(), parts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		message, _ := recover().(string)
		for _, part := range parts {
			if !strings.Contains(message, part) {
				t.Errorf("%s: panic %q, want one that says %q", what, message, part)
			}
		}
	}()
	f()
}
