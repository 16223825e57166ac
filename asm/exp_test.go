package asm

import (
	"math"
	"testing"
	"unsafe"
)

func TestExpGo(t *testing.T) { testExp(t, ExpGo) }

// testExp compares with float64: the error is at most 2 units in the last place over the whole
// range. The arguments are even steps, and the floats beside each multiple of ln 2 / 2, where the
// argument of the polynomial is largest or zero.
func testExp(t *testing.T, run func(*Vectors)) {
	const low, high, steps = -87, 88, 1 << 17
	x := make([]float32, 0, steps+2048)
	for i := range steps {
		x = append(x, low+float32(float64(high-low)*float64(i)/(steps-1)))
	}
	for k := math.Ceil(2 * low / math.Ln2); k <= 2*high/math.Ln2; k++ {
		v := float32(k * math.Ln2 / 2)
		x = append(x, math.Nextafter32(v, low), v, math.Nextafter32(v, high))
	}
	for len(x)%16 != 0 {
		x = append(x, 0)
	}
	y := runExp(run, x)
	for i, v := range x {
		want := math.Exp(float64(v))
		if e := math.Abs(float64(y[i])-want) / ulp(want); !(e <= 2) {
			t.Fatalf("exp(%g) = %g, %.2f units in the last place from %g", v, y[i], e, want)
		}
	}
	testExpSpecial(t, run)
}

// testExpSpecial checks NaN and arguments beyond the clamps.
func testExpSpecial(t *testing.T, run func(*Vectors)) {
	inf := math.Inf(1)
	low, high := float32(math.Exp(-87)), float32(math.Exp(88))
	x := []float32{float32(math.NaN()), float32(inf), float32(-inf), 88.1, -87.1, 1e30, -1e30, 0}
	want := []float32{0, high, low, high, low, high, low, 1}
	y := runExp(run, append(x, x...))
	for i, v := range y {
		j := i % len(x)
		if j == 0 && v == v {
			t.Errorf("exp(NaN) = %g", v)
		}
		if e := math.Abs(float64(v) - float64(want[j])); j > 0 && e > 2*ulp(float64(want[j])) {
			t.Errorf("exp(%g) = %g, want %g", x[j], v, want[j])
		}
	}
}

func runExp(run func(*Vectors), x []float32) []float32 {
	y := make([]float32, len(x))
	run(&Vectors{X: unsafe.Pointer(&y[0]), Y: unsafe.Pointer(&x[0]), N: len(x)})
	return y
}

// ulp returns the distance from v, a normal number, to the next float32.
func ulp(v float64) float64 {
	_, exponent := math.Frexp(v)
	return math.Ldexp(1, exponent-24)
}
