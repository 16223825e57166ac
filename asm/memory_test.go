//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/klauspost/cpuid/v2"

	"github.com/fmimg/fmimg/internal/bfloat16"
)

// A target is an instruction set that routines are written for. routines_GOARCH_test.go lists the
// targets.
type target struct {
	name  string
	lanes int
	side  int  // most vectors that element-wise routines take side by side
	have  bool // whether this CPU has it
}

// supports reports whether this CPU and its operating system have what a target needs.
func supports(target string) bool {
	for _, feature := range Needs(target) {
		if !cpuid.CPU.Supports(cpuid.ParseFeature(feature)) {
			return false
		}
	}
	return Permit(target) == nil
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
	half  []bool // the words that hold two elements of bfloat16
	used  int
}

func newMemory(seed uint64) *memory { return newMemoryFrom(rand.NewPCG(seed, 0), 1<<14) }

func newMemoryFrom(source rand.Source, words int) *memory {
	const line = 64
	room := make([]float32, words+line/4)
	skip := -uintptr(pointer(room)) % line / 4
	m := &memory{rng: rand.New(source), words: room[skip:][:words], half: make([]bool, words)}
	m.words[0] = math.Float32frombits(guardBits)
	for n := 1; n < words; n *= 2 {
		copy(m.words[n:], m.words[:n]) // faster than one at a time, which counts on an emulated CPU
	}
	return m
}

// bytes returns all memory.
func (m *memory) bytes() []byte { return unsafe.Slice((*byte)(pointer(m.words)), 4*len(m.words)) }

// guards lends n guard words, 0 to 15 elements at random from the beginning of a cache line, with
// at least 16 guard words on either side.
func (m *memory) guards(n int) []float32 {
	first := (m.used+15)/16*16 + 16 + m.rng.IntN(16)
	m.used = first + n
	_ = m.words[m.used+16] // panics if the memory is too small
	return m.words[first:m.used:m.used]
}

// halfGuards lends n elements of bfloat16, NaN each, as guards lends words.
func (m *memory) halfGuards(n int) []uint16 {
	words := m.guards((n + 1) / 2)
	for i := range words {
		words[i] = math.Float32frombits(guardBits>>16<<16 | guardBits>>16)
		m.half[m.used-1-i] = true
	}
	return unsafe.Slice((*uint16)(pointer(words)), n)
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

// drawHalf fills an operand of bfloat16.
func (m *memory) drawHalf(x []uint16, value func(*rand.Rand) float32) {
	wide := make([]float32, len(x))
	m.draw(wide, value)
	for i, v := range wide {
		x[i] = bfloat16.From(v)
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

// An entry is the same element of two or more memories, by its bits in binary32. unit is its
// relative precision: results that are rounded to bfloat16 may differ by a unit where they differ
// by less before.
type entry struct {
	got, want, before, size uint32
	unit                    float64
}

// same reports whether word i has the same bits in both.
func (m *memory) same(other *memory, i int) bool {
	return math.Float32bits(m.words[i]) == math.Float32bits(other.words[i])
}

// each calls f for the entries of word i.
func (m *memory) each(i int, f func(e entry), got, want, before, sizes *memory) {
	bits := func(m *memory) uint32 { return math.Float32bits(m.words[i]) }
	e := entry{bits(got), bits(want), bits(before), bits(sizes), 0}
	if !m.half[i] {
		f(e)
		return
	}
	f(entry{e.got << 16, e.want << 16, e.before << 16, e.size << 16, 0x1p-7})
	const upper = 0xffff_0000
	f(entry{e.got & upper, e.want & upper, e.before & upper, e.size & upper, 0x1p-7})
}

// mustAgree compares all memory after a routine (got) with all memory after its Go loop (want);
// before is the memory before the call. Elements that the loop does not change must be the same.
// Elements that it changes may differ by tol times their size, or by tol where their size is below
// 1.
func mustAgree(t *testing.T, what any, got, want, before *memory, tol float64) {
	t.Helper()
	if bytes.Equal(got.bytes(), want.bytes()) {
		return
	}
	for i := range want.words {
		if got.same(want, i) {
			continue
		}
		want.each(i, func(e entry) {
			g, w := math.Float32frombits(e.got), math.Float32frombits(e.want)
			if e.got == e.want {
				return
			}
			if e.want == e.before {
				t.Fatalf("%+v: word %d changed from %g to %g", what, i, w, g)
			}
			allowed := tol
			if tol > 0 {
				allowed += e.unit
			}
			if d := math.Abs(float64(g) - float64(w)); !(d <= allowed*max(math.Abs(float64(w)), 1)) {
				t.Fatalf("%+v: word %d is %g, the Go loop makes %g", what, i, g, w)
			}
		}, got, want, before, want)
	}
}
