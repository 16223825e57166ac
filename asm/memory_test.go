//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// A target is an instruction set that routines are written for; routines_GOARCH_test.go lists them.
type target struct {
	name  string
	lanes int
	side  int // most vectors that element-wise routines take side by side
	have  bool
}

// supports reports whether this CPU has what a target needs.
func supports(target string) bool {
	for _, feature := range Needs(target) {
		if !cpuid.CPU.Supports(cpuid.ParseFeature(feature)) {
			return false
		}
	}
	return true
}

// An implementation is the routine of a target for work on arguments T.
type implementation[T any] struct {
	target
	run func(*T)
}

// eachTarget runs a test for every target's routine of a name.
func eachTarget[T any](t *testing.T, routines map[string][]implementation[T], name string, f func(t *testing.T, v implementation[T])) {
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

// guardBits is a NaN that no arithmetic makes. It lies round every operand, in the gaps between its
// rows, and in results before they are set: a routine that writes there changes it, and one that reads
// it and uses it makes a NaN.
const guardBits = 0x7fc5_a5a5

// A memory lends operands to one call. Two memories of the same seed are alike to the last bit.
type memory struct {
	rng   *rand.Rand
	value func(*rand.Rand) float32 // what operands are filled with; nil for what the lender says
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

// guards lends n guard words at a random distance of 0 to 15 elements from a cache line, with 16 guard
// words or more on either side.
func (m *memory) guards(n int) []float32 {
	first := (m.used+15)/16*16 + 16 + m.rng.IntN(16)
	m.used = first + n
	_ = m.words[m.used+16] // a memory that is too small shows here
	return m.words[first:m.used:m.used]
}

// integers lends n small integers. Sums and products of a few hundred of them are exact in float32, in
// any order and fused or not, so that assembly and Go agree to the last bit.
func (m *memory) integers(n int) []float32 {
	x := m.guards(n)
	m.fill(x)
	return x
}

func (m *memory) fill(x []float32) { m.draw(x, drawInteger) }

func drawInteger(rng *rand.Rand) float32 { return float32(rng.IntN(17) - 8) }

// draw fills an operand as the memory says, or else as its lender does.
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

// mustKeep runs a routine and fails when it changes its arguments, which callers use again.
func mustKeep[T comparable](t *testing.T, run func(*T), args *T) {
	t.Helper()
	before := *args
	if run(args); *args != before {
		t.Fatalf("arguments %+v became %+v", before, *args)
	}
}

func pointer(x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// mustAgree compares all of the memory after a routine (got) and after its Go loop (want), where before
// is the memory as it was. What the loop leaves alone must be as it was; what it sets may differ by tol
// times its size, or times 1 where it is smaller.
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
