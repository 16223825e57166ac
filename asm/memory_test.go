//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// A target is an instruction set that routines are written for. routines_GOARCH_test.go lists the
// targets.
type target struct {
	name  string
	lanes int
	side  int  // most vectors that element-wise routines take side by side
	have  bool // whether this CPU has it
}

// supports reports whether this CPU has the features that a target needs.
func supports(target string) bool {
	for _, feature := range Needs(target) {
		if !cpuid.CPU.Supports(cpuid.ParseFeature(feature)) {
			return false
		}
	}
	return true
}

// An implementation is the routine of one target, with arguments T.
type implementation[T any] struct {
	target
	run func(*T)
}

// eachTarget runs a test for each implementation of the named routine.
func eachTarget[T any](
	t *testing.T, routines map[string][]implementation[T], name string, f func(t *testing.T, v implementation[T]),
) {
	t.Helper()
	if len(routines[name]) == 0 {
		t.Errorf("no routine %s", name)
	}
	for _, v := range routines[name] {
		t.Run(name+v.name, func(t *testing.T) {
			v.need(t)
			f(t, v)
		})
	}
}

// need skips the test, visibly, on a CPU that lacks the target.
func (x target) need(t *testing.T) {
	t.Helper()
	if !x.have {
		t.Skipf("this CPU has no %s", x.name)
	}
}

// guardBits is a NaN that arithmetic does not make, the guard word. Guard words lie around each
// operand, in the gaps between its rows, and in results before they are set. A routine that writes
// there changes a guard word, and a routine that uses a guard word makes a NaN.
const guardBits = 0x7fc5_a5a5

// A memory lends operands to one call. Two memories with the same seed are equal to the last bit.
type memory struct {
	rng   *rand.Rand
	value func(*rand.Rand) float32 // draws the values of operands; nil for the choice of the lender
	words []float32
	used  int
}

func newMemory(seed uint64) *memory { return newMemoryFrom(rand.NewPCG(seed, 0), 1<<14) }

func newMemoryFrom(source rand.Source, words int) *memory {
	const line = 64
	room := make([]float32, words+line/4)
	skip := -uintptr(pointer(room)) % line / 4
	m := &memory{rng: rand.New(source), words: room[skip:][:words]}
	for i := range m.words {
		m.words[i] = math.Float32frombits(guardBits)
	}
	return m
}

// guards lends n guard words, 0 to 15 elements at random from the beginning of a cache line, with
// at least 16 guard words on either side.
func (m *memory) guards(n int) []float32 {
	first := (m.used+15)/16*16 + 16 + m.rng.IntN(16)
	m.used = first + n
	_ = m.words[m.used+16] // panics if the memory is too small
	return m.words[first:m.used:m.used]
}

// integers lends n small integers. Sums and products of a few hundred small integers are exact in
// float32, in any order and fused or not, so assembly and Go agree to the last bit.
func (m *memory) integers(n int) []float32 {
	x := m.guards(n)
	m.fill(x)
	return x
}

func (m *memory) fill(x []float32) { m.draw(x, drawInteger) }

func drawInteger(rng *rand.Rand) float32 { return float32(rng.IntN(17) - 8) }

// draw fills an operand by the memory's value function, or else by the given one.
func (m *memory) draw(x []float32, value func(*rand.Rand) float32) {
	if m.value != nil {
		value = m.value
	}
	for i := range x {
		x[i] = value(m.rng)
	}
}

// normals lends n normal deviates.
func (m *memory) normals(n int) []float32 {
	x := m.guards(n)
	m.fillNormals(x)
	return x
}

func (m *memory) fillNormals(x []float32) {
	m.draw(x, func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) })
}

// mustKeep runs a routine and fails if it changes its arguments, because callers use them again.
func mustKeep[T comparable](t *testing.T, run func(*T), args *T) {
	t.Helper()
	before := *args
	if run(args); *args != before {
		t.Fatalf("arguments %+v became %+v", before, *args)
	}
}

func pointer(x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// mustAgree compares all memory after a routine (got) with all memory after its Go loop (want);
// before is the memory before the call. Words that the loop does not change must be the same. Words
// that it changes may differ by tol times their size, or by tol where their size is below 1.
func mustAgree(t *testing.T, what any, got, want, before *memory, tol float64) {
	t.Helper()
	for i, w := range want.words {
		g, bits := got.words[i], math.Float32bits(w)
		if math.Float32bits(g) == bits {
			continue
		}
		if bits == math.Float32bits(before.words[i]) {
			t.Fatalf("%+v: word %d changed from %g to %g", what, i, w, g)
		}
		if d := math.Abs(float64(g) - float64(w)); !(d <= tol*max(math.Abs(float64(w)), 1)) {
			t.Fatalf("%+v: word %d is %g, the Go loop makes %g", what, i, g, w)
		}
	}
}
