// Package kernelstest helps the tests of packages that compute with kernels.
package kernelstest

import (
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/internal/race"
	"github.com/fmimg/fmimg/kernels"
)

// EachISA runs a test once for each instruction set of the build. An instruction set that the
// machine lacks is a visible skip. Under the race detector, only the best one runs: others are
// slow, and kernels start no goroutines.
func EachISA(t *testing.T, f func(t *testing.T, isa kernels.ISA)) {
	t.Helper()
	for _, isa := range kernels.Built() {
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := kernels.Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			if race.Enabled && isa != kernels.Best() {
				t.Skip("slow under the race detector, and kernels start no goroutines")
			}
			f(t, isa)
		})
	}
}

// Normals returns n standard normal numbers.
func Normals(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
