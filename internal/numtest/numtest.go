// Package numtest holds what the tests of numerical packages share.
package numtest

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
)

// Main is the TestMain of a package with property tests. It gives these a seed, so that every run
// tries the same cases (-rapid.seed overrides it) and needs no file to repeat a failure.
func Main(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	m.Run()
}

// Normals returns n standard normal numbers of a seed, from math/rand/v2's own sampler.
func Normals(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// MustPanic fails the test when f returns.
func MustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

// Near reports whether a and b differ by at most tol.
func Near(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

// SameBits reports whether a and b hold the same numbers, to the bit.
func SameBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// LogDeterminant returns log|det m| by elimination. It destroys m.
func LogDeterminant(m [][]float64) float64 {
	sum := 0.0
	for k := range m {
		pivot := k
		for i := k; i < len(m); i++ {
			if math.Abs(m[i][k]) > math.Abs(m[pivot][k]) {
				pivot = i
			}
		}
		m[k], m[pivot] = m[pivot], m[k]
		sum += math.Log(math.Abs(m[k][k]))
		for i := k + 1; i < len(m); i++ {
			f := m[i][k] / m[k][k]
			for j := k; j < len(m); j++ {
				m[i][j] -= f * m[k][j]
			}
		}
	}
	return sum
}
