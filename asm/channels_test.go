//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"testing"
	"unsafe"
)

// Maps that a walk reads or writes, and how its result may lie over one of them.
const (
	mapX = 1 << iota
	mapY
	mapD
	inX // D may be X
	inY // D may be Y
)

// A walkRoutine is a walk, its Go loop and the maps it takes.
type walkRoutine struct {
	name         string
	goLoop       func(*Channels)
	maps         int
	params, sums int
	tol          float64
}

// siluTol allows for two values of exp, each within 2 units in the last place (2.4e-7), and four
// roundings (2.4e-7) behind them. The arguments of exp are the same to the bit.
const siluTol = 1e-6

// A sum of up to 20 terms of at most 8·10 in size, each with the error of SiLU.
const siluSumTol = 20 * 80 * siluTol

// expSumTol is that of a sum of up to 20 values of exp, relative to the largest.
const expSumTol = 20 * 5e-7

var walkRoutines = []walkRoutine{
	{"Moments", MomentsGo, mapX, 1, 2, 0},
	{"Affine", AffineGo, mapX | mapD | inX, 2, 0, 0},
	{"AffineSiLU", AffineSiLUGo, mapX | mapD | inX, 2, 0, siluTol},
	{"NormSums", NormSumsGo, mapX | mapY, 2, 2, 0},
	{"NormSiLUSums", NormSiLUSumsGo, mapX | mapY | mapD, 4, 2, siluSumTol},
	{"NormGrad", NormGradGo, mapX | mapY | mapD | inY, 3, 0, 0},
	{"NormGradAdd", NormGradAddGo, mapX | mapY | mapD, 3, 0, 0},
	{"ColumnSums", ColumnSumsGo, mapY, 0, 1, 0},
	{"Maxima", MaximaGo, mapX, 1, 1, 0},
	{"ExpSums", ExpSumsGo, mapX | mapD | inX, 2, 1, expSumTol},
	{"SoftmaxGrad", SoftmaxGradGo, mapX | mapY | mapD | inY, 2, 0, 0},
	{"AddMap", AddMapGo, mapY | mapD, 0, 0, 0},
}

// A walkCase is a call of a walk.
type walkCase struct {
	n1, n0, c int
	over      int // inX or inY where the result lies over an operand
}

func TestChannels(t *testing.T) {
	for _, r := range walkRoutines {
		eachTarget(t, channelsRoutines, r.name, func(t *testing.T, v implementation[Channels]) { testWalk(t, r, v) })
	}
}

// testWalk goes through one to four lines, one to five pixels, and one to three vectors of channels
// beside those that are taken together.
func testWalk(t *testing.T, r walkRoutine, v implementation[Channels]) {
	counts := []int{1, 2, 3}
	if v.side > 1 {
		counts = append(counts, v.side, v.side+1, 2*v.side, 2*v.side+3)
	}
	for _, over := range []int{0, r.maps & (inX | inY)} {
		for i := range 4 * 5 * len(counts) {
			c := walkCase{n1: i%4 + 1, n0: i/4%5 + 1, c: counts[i/20] * v.lanes, over: over}
			seed := uint64(i)
			got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
			c.lend(before, r)
			mustKeep(t, v.run, c.lend(got, r))
			r.goLoop(c.lend(want, r))
			mustAgree(t, c, got, want, before, r.tol)
		}
	}
}

// lend lends the operands: maps with gaps between pixels and lines, parameters and sums.
func (c walkCase) lend(m *memory, r walkRoutine) *Channels {
	args := &Channels{N0: c.n0, N1: c.n1, C: c.c}
	if r.maps&mapX != 0 {
		args.X, args.LdX, args.StepX = c.lendMap(m)
	}
	if r.maps&mapY != 0 {
		args.Y, args.LdY, args.StepY = c.lendMap(m)
	}
	if r.maps&mapD != 0 {
		args.D, args.LdD, args.StepD = c.lendMap(m)
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
			if r.tol > 0 && i%2 == 0 { // factors are small, so that no exp is clamped
				x[j] /= 8
			}
		}
	}
	for _, s := range []*unsafe.Pointer{&args.S0, &args.S1}[:r.sums] {
		*s = pointer(m.guards(c.c)) // sums begin anew, whatever was there
	}
	return args
}

func (c walkCase) lendMap(m *memory) (p unsafe.Pointer, distance, step uintptr) {
	ld, gap := c.c+m.rng.IntN(4), m.rng.IntN(7)
	line := c.n0*ld + gap
	x := m.guards((c.n1-1)*line + (c.n0-1)*ld + c.c)
	for i := range c.n1 * c.n0 {
		m.fill(x[i%c.n1*line+i/c.n1*ld:][:c.c])
	}
	return pointer(x), uintptr(4 * ld), uintptr(4 * gap)
}

// SiLU of NaN is NaN, and an infinite argument does not pass for a number.
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
	// The clamp of exp leaves z·e^-88 of a very negative z: nothing beside other activations.
	if !(math.Abs(float64(y[4])) < 1e-7) || !(math.Abs(float64(y[6])) < 1e-30) {
		t.Errorf("SiLU of %g and %g is %g and %g", x[4], x[6], y[4], y[6])
	}
}
