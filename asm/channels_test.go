//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"strings"
	"testing"
	"unsafe"
)

// The maps that a walk takes, and the map that the result may overwrite.
const (
	mapX = 1 << iota
	mapY
	mapD
	inX // D may be X
	inY // D may be Y
)

// A walkRoutine is a walk, its Go loop and its operands.
type walkRoutine struct {
	name         string
	goLoop       func(*Channels)
	maps         int
	params, sums int
	formats      Formats // the maps that are bfloat16
}

// siluTol allows for two values of exp, each within 2 units in the last place (2.4e-7), and four
// roundings (2.4e-7) after them. The arguments of exp are the same to the bit.
const siluTol = 1e-6

// walkTolerances holds the tolerances of the walks that use exp. The other walks are exact, because
// their operands are integers.
var walkTolerances = map[string]float64{
	"AffineSiLU":   siluTol,
	"NormSiLUSums": 20 * 80 * siluTol, // sums of 20 terms of size 8·10, with SiLU's error
	"ExpSums":      20 * 5e-7,         // sums of 20 values of exp, relative to the largest
}

// tolerance returns the tolerance of a walk and of its variants.
func (r walkRoutine) tolerance() float64 {
	name, _, _ := strings.Cut(r.name, "BF16")
	return walkTolerances[name]
}

// A walkCase is a call of a walk.
type walkCase struct {
	n1, n0, c int
	over      int // inX or inY where the result overwrites an operand
}

func TestChannels(t *testing.T) {
	for _, r := range walkRoutines {
		eachTarget(t, channelsRoutines, r.name, func(t *testing.T, v implementation[Channels]) { testWalk(t, r, v) })
	}
}

// testWalk tests one to four lines of one to five pixels, with one to three vectors of channels.
// Where a routine takes several vectors side by side, it tests such numbers of vectors too.
func testWalk(t *testing.T, r walkRoutine, v implementation[Channels]) {
	counts := []int{1, 2, 3}
	if v.side > 1 {
		counts = append(counts, v.side, v.side+1, 2*v.side, 2*v.side+3)
	}
	for _, over := range []int{0, r.overwrites()} {
		for i := range 4 * 5 * len(counts) {
			c := walkCase{n1: i%4 + 1, n0: i/4%5 + 1, c: counts[i/20] * v.lanes, over: over}
			seed := uint64(i)
			got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
			c.lend(before, r)
			mustKeep(t, v.run, c.lend(got, r))
			r.goLoop(c.lend(want, r))
			mustAgree(t, c, got, want, before, r.tolerance())
		}
	}
}

// overwrites returns inX or inY if the result may overwrite that map, which has the same format.
func (r walkRoutine) overwrites() int {
	switch {
	case r.maps&inX != 0 && (r.formats&BF16X != 0) == (r.formats&BF16D != 0):
		return inX
	case r.maps&inY != 0 && (r.formats&BF16Y != 0) == (r.formats&BF16D != 0):
		return inY
	}
	return 0
}

// lend lends the operands: maps with gaps between pixels and lines, parameters and sums.
func (c walkCase) lend(m *memory, r walkRoutine) *Channels {
	args := &Channels{N0: c.n0, N1: c.n1, C: c.c, BF16: r.formats}
	if r.maps&mapX != 0 {
		args.X, args.LdX, args.StepX = c.lendMap(m, r.formats&BF16X != 0)
	}
	if r.maps&mapY != 0 {
		args.Y, args.LdY, args.StepY = c.lendMap(m, r.formats&BF16Y != 0)
	}
	if r.maps&mapD != 0 {
		args.D, args.LdD, args.StepD = c.lendMap(m, r.formats&BF16D != 0)
	}
	switch c.over {
	case inX:
		args.D, args.LdD, args.StepD = args.X, args.LdX, args.StepX
	case inY:
		args.D, args.LdD, args.StepD = args.Y, args.LdY, args.StepY
	}
	for i, p := range []*unsafe.Pointer{&args.P0, &args.P1, &args.P2, &args.P3}[:r.params] {
		x := m.integers(c.c)
		*p = pointer(x)
		for j := range x {
			if r.tolerance() > 0 && i%2 == 0 { // small factors, so that exp is not clamped
				x[j] /= 8
			}
		}
	}
	for _, s := range []*unsafe.Pointer{&args.S0, &args.S1}[:r.sums] {
		*s = pointer(m.guards(c.c)) // walks ignore the old content
	}
	return args
}

func (c walkCase) lendMap(m *memory, half bool) (p unsafe.Pointer, distance, step uintptr) {
	ld, gap := c.c+m.rng.IntN(4), m.rng.IntN(7)
	line := c.n0*ld + gap
	size := (c.n1-1)*line + (c.n0-1)*ld + c.c
	if half {
		x := m.halfGuards(size)
		for i := range c.n1 * c.n0 {
			m.drawHalf(x[i%c.n1*line+i/c.n1*ld:][:c.c], drawInteger)
		}
		return unsafe.Pointer(unsafe.SliceData(x)), uintptr(2 * ld), uintptr(2 * gap)
	}
	x := m.guards(size)
	for i := range c.n1 * c.n0 {
		m.fill(x[i%c.n1*line+i/c.n1*ld:][:c.c])
	}
	return pointer(x), uintptr(4 * ld), uintptr(4 * gap)
}

// SiLU of NaN is NaN, and SiLU of infinity is infinity.
func TestSiLUPropagates(t *testing.T) {
	t.Run("Go", func(t *testing.T) { testSiLUPropagates(t, 8, AffineSiLUGo) })
	eachTarget(t, channelsRoutines, "AffineSiLU", func(t *testing.T, v implementation[Channels]) {
		testSiLUPropagates(t, max(v.lanes, 8), v.run)
		testSiLUPropagates(t, 2*v.lanes*v.side, v.run)
	})
}

func testSiLUPropagates(t *testing.T, n int, run func(*Channels)) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x, ones, zeros, y := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	copy(x, []float32{nan, inf, -inf, 1e30, -1e30, 200, -200, -0.5})
	for i := range ones {
		ones[i] = 1
	}
	run(&Channels{X: pointer(x), D: pointer(y), P0: pointer(ones), P1: pointer(zeros), N0: 1, N1: 1, C: n})
	if !math.IsNaN(float64(y[0])) || y[1] != inf || y[2] != -inf || y[3] != 1e30 || y[5] != 200 {
		t.Errorf("SiLU of %v is %v", x[:6], y[:6])
	}
	// exp is clamped, so SiLU of a very negative z is z·e^-88: negligible beside other
	// activations.
	if !(math.Abs(float64(y[4])) < 1e-7) || !(math.Abs(float64(y[6])) < 1e-30) {
		t.Errorf("SiLU of %g and %g is %g and %g", x[4], x[6], y[4], y[6])
	}
}
