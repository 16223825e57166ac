package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// eachISA runs a test once for each instruction set of the build, and visibly skips the instruction
// sets that the machine lacks. TestInstructionSetsOfOtherBuilds skips those of other builds, once.
func eachISA(t *testing.T, f func(t *testing.T, isa ISA)) {
	for _, isa := range Built() {
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			f(t, isa)
		})
	}
}

// guard fills memory that an operation must not touch: a NaN that arithmetic does not make. An
// operation that writes there changes the guard, and an operation that uses it makes a NaN.
var guard = math.Float32frombits(0x7fc5_a5a5)

// testMap makes a map of the middle channels of a wider map. Its pixels are random, its halo is
// zero, and guard words fill the rest of the memory. intact reports the first element outside the
// pixels that changed.
func testMap(rng *rand.Rand, n, h, w, c, before, after, halo int) (m Map, intact func() error) {
	m = F32.newMap(n, h, w, before+c+after, halo).Channels(before, before+c)
	memory := m.data[:cap(m.data)]
	for i := range memory {
		memory[i] = guard
	}
	pixel := make([]bool, len(memory))         // which elements belong to a pixel, not to its halo
	rows, cols := m.Image/m.Row, m.Row/m.Pixel // with the halo
	for i := range n * rows * cols {
		k, y, x := i/(rows*cols), i/cols%rows-halo, i%cols-halo
		inside := y >= 0 && y < h && x >= 0 && x < w
		for j := range m.At(k, y, x) {
			at := m.index(k, y, x) + j
			memory[at], pixel[at] = 0, inside
			if inside {
				memory[at] = float32(rng.NormFloat64())
			}
		}
	}
	snapshot := slices.Clone(memory)
	return m, func() error {
		for i, v := range memory {
			if !pixel[i] && math.Float32bits(v) != math.Float32bits(snapshot[i]) {
				return fmt.Errorf("element %d outside the pixels of a map of shape %v changed from %g to %g",
					i, m.shape(), snapshot[i], v)
			}
		}
		return nil
	}
}

// testVector makes n random elements between guard words, offset elements after the beginning of a
// cache line.
func testVector(rng *rand.Rand, n, offset int) (x []float32, intact func() error) {
	const line = 16
	m, intact := testMap(rng, 1, 1, 1, n, line+offset, line, 0)
	return m.At(0, 0, 0), intact
}

// mustBeIntact fails the test when one of the checks does.
func mustBeIntact(t *testing.T, checks ...func() error) {
	t.Helper()
	for _, intact := range checks {
		if err := intact(); err != nil {
			t.Error(err)
		}
	}
}

func randoms(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// dense returns the pixels of a map side by side.
func dense(m Map) []float32 {
	out := make([]float32, m.N*m.H*m.W*m.C)
	m.Store(out)
	return out
}

// mustBeClose fails unless the relative L2 difference is below the bound.
func mustBeClose(t *testing.T, what string, got []float32, want []float64, bound float64) {
	t.Helper()
	mustBeNear(t, what, got, want, norm2(want), bound)
}

// mustBeNear fails unless the L2 difference is below the bound times size. It is for results that
// are small differences of terms of that size.
func mustBeNear(t *testing.T, what string, got []float32, want []float64, size, bound float64) {
	t.Helper()
	if len(got) < len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	diff := make([]float64, len(want))
	for i, v := range want {
		diff[i] = float64(got[i]) - v
	}
	if !(norm2(diff) <= bound*size) {
		t.Errorf("%s: relative error %.3g, want at most %g", what, norm2(diff)/size, bound)
	}
}

// mustBeSame fails unless two vectors are equal to the bit.
func mustBeSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], v)
		}
	}
}

func norm2[T float32 | float64](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func dot(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// mustPanic fails unless f panics with a message that contains all parts.
func mustPanic(t *testing.T, what string, f func(), parts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		message := fmt.Sprint(recover())
		for _, part := range parts {
			if !strings.Contains(message, part) {
				t.Errorf("%s: panic %q, want one that says %q", what, message, part)
			}
		}
	}()
	f()
}

// A variable is an input of an operation: how to read and set it, and the gradient that a backward
// pass computed.
type variable struct {
	name     string
	get      func() []float32
	set      func([]float32)
	gradient []float32
}

func mapVariable(name string, m Map, gradient []float32) variable {
	return variable{name, func() []float32 { return dense(m) }, m.Load, gradient}
}

func flatVariable(name string, x, gradient []float32) variable {
	return variable{name, func() []float32 { return slices.Clone(x) }, func(v []float32) { copy(x, v) }, gradient}
}

// The difference quotient (8·(f(h) - f(-h)) - (f(2h) - f(-2h)))/12h has the error
// h⁴·f⁽⁵⁾/30, some 3e-8 for derivatives of order one, and the rounding error of f, 1e-6
// relative, divided by h: 3e-5. A wrong term of a gradient is an error of at least 1e-2.
const (
	differenceStep  = 1. / 32
	differenceBound = 1e-3
)

// mustBeGradients compares ⟨gradient, δ⟩ of each variable with the difference quotient of f
// along normal directions δ. Both are about as large as the norm of the gradient, which therefore
// scales the bound.
func mustBeGradients(t *testing.T, rng *rand.Rand, f func() float64, variables ...variable) {
	t.Helper()
	for _, v := range variables {
		x := v.get()
		for range 3 {
			direction := randoms(rng, len(x))
			at := func(h float64) float64 {
				moved := slices.Clone(x)
				for i, d := range direction {
					moved[i] += float32(h) * d
				}
				v.set(moved)
				return f()
			}
			const h = differenceStep
			got, want := dot(v.gradient, direction), (8*(at(h)-at(-h))-(at(2*h)-at(-2*h)))/(12*h)
			size := norm2(v.gradient)
			if d := math.Abs(got - want); !(d <= differenceBound*size) {
				t.Errorf("%s: slope %g, differences say %g; the gradient's norm is %g", v.name, got, want, size)
			}
		}
		v.set(x)
	}
}
