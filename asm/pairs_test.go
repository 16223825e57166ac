//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// A pairsRoutine is a tile of a product of pairs in assembly.
type pairsRoutine struct {
	target
	rows, cols int // at most
	dot        Dot
	run        func(*Pairs)
}

// isUnit reports whether the routine takes tiles of fewer rows too.
func (r pairsRoutine) isUnit() bool { return r.dot == TileDot }

// A pairsCase is a call of such a routine.
type pairsCase struct {
	rows, cols, width int // cols of the width are stored
	n2, n1, blocks    int
	unit, tiles       int
	bias, wide        bool
	residual          residual
	dot               Dot
}

func TestPairs(t *testing.T) {
	for _, r := range pairsRoutines {
		t.Run(fmt.Sprintf("%dx%d%s", r.rows, r.cols, r.name), func(t *testing.T) {
			r.need(t)
			seed := uint64(0)
			for c := range r.cases() {
				seed++
				testPairs(t, seed, c, r.run)
			}
		})
	}
}

// cases makes calls of all small counts, with and without bias and with each residual.
func (r pairsRoutine) cases() func(yield func(pairsCase) bool) {
	return func(yield func(pairsCase) bool) {
		step := 1
		if testing.Short() {
			step = 7
		}
		for i := 0; i < 2*3*3*2*2*3; i += step {
			c := pairsCase{
				rows: r.rows, cols: r.cols, width: r.cols, n2: i%2 + 1, n1: i/2%3 + 1, blocks: i/6%3 + 1,
				bias: i/18%2 == 1, wide: i/36%2 == 1, residual: residual(i / 72 % 3),
				unit: i*7%PairUnit + 1, tiles: i*5%4 + 1, dot: r.dot,
			}
			if r.isUnit() {
				c.rows = i*11%r.rows + 1
			}
			if r.lanes != 4 {
				c.width = r.cols - i%PairCols
			}
			if !yield(c) {
				return
			}
		}
	}
}

// drawWide draws numbers of very different sizes, of which some are too small to be normal, and
// zeros. Sums of products stay finite.
func drawWide(rng *rand.Rand) float32 {
	if rng.IntN(10) == 0 {
		return 0
	}
	return float32(math.Ldexp(1+rng.Float64(), rng.IntN(190)-140)) * float32(1-2*rng.IntN(2))
}

func drawNormal(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) }

func testPairs(t *testing.T, seed uint64, c pairsCase, run func(*Pairs)) {
	t.Helper()
	draw := []func(*rand.Rand) float32{drawNormal, drawWide}[seed%2]
	got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
	got.value, want.value, before.value = draw, draw, draw
	c.lend(before)
	mustKeep(t, run, c.lend(got))
	PairsGo(c.lend(want), c.cols)
	mustAgree(t, c, got, want, before, 0)
}

// lend lends the operands. Rows, windows and tiles of A overlap or leave gaps, at random.
func (c pairsCase) lend(m *memory) *Pairs {
	inner := 2 * c.unit * c.blocks // elements
	lda, s1 := 2*(1+m.rng.IntN(12)), inner+2*m.rng.IntN(3)
	s2 := 2 + 2*m.rng.IntN(c.n1*s1)
	args := &Pairs{
		LdA: uintptr(2 * lda), N2: c.n2, N1: c.n1, Blocks: c.blocks, Unit: c.unit, Inner: inner / 2,
		Step1: uintptr(2 * (s1 - inner)), Step2: uintptr(2 * (s2 - c.n1*s1)),
		Cols: c.width, N: c.tiles, Config: PairConfig(c.rows, c.unit), Dot: c.dot,
		Mask: [2]uintptr{1<<min(c.width, PairCols) - 1, 1<<max(c.width-PairCols, 0) - 1},
		Sums: pointer(newMemory(0).words[:2*PairUnit*2*PairCols]),
	}
	tile := 2 * m.rng.IntN(c.rows*lda)
	a := m.halfGuards((c.tiles-1)*tile + (c.rows-1)*lda + (c.n2-1)*s2 + (c.n1-1)*s1 + inner)
	m.drawHalf(a, drawNormal)
	args.A = unsafe.Pointer(&a[0])
	group := 2 * PairCols * inner / 2 * c.n2 * c.n1
	b := m.halfGuards(c.cols / PairCols * group)
	m.drawHalf(b, drawNormal)
	args.B, args.GroupB = unsafe.Pointer(&b[0]), uintptr(2*group)
	if c.bias {
		bias := m.guards(c.cols)
		m.fillNormals(bias)
		args.Bias = pointer(bias)
	}
	args.C, args.LdC = c.rowsOf(m, c.residual == residualIsResult)
	switch c.residual {
	case residualIsResult:
		args.R, args.LdR = args.C, args.LdC
	case ownResidual:
		args.R, args.LdR = c.rowsOf(m, true)
	}
	if c.wide {
		args.Wide = 1
	}
	c.lists(m, args, 2*tile)
	return args
}

// rowsOf lends the rows of all tiles with gaps between them, and fills them if filled is true.
func (c pairsCase) rowsOf(m *memory, filled bool) (first unsafe.Pointer, ld uintptr) {
	row := c.width + m.rng.IntN(4)
	n := (c.tiles*c.rows-1)*row + c.width
	if c.wide {
		x := m.guards(n)
		for i := range c.tiles * c.rows {
			if filled {
				m.fillNormals(x[i*row:][:c.width])
			}
		}
		return pointer(x), uintptr(4 * row)
	}
	x := m.halfGuards(n)
	for i := range c.tiles * c.rows {
		if filled {
			m.drawHalf(x[i*row:][:c.width], drawNormal)
		}
	}
	return unsafe.Pointer(&x[0]), uintptr(2 * row)
}

// lists makes the tiles, and one or two segments of each.
func (c pairsCase) lists(m *memory, args *Pairs, tileStep int) {
	var tiles []PairTile
	var segments []PairSegment
	for i := range c.tiles {
		tiles = append(tiles, PairTile{A: uintptr(i * tileStep)})
		add := func(from, to int) {
			if from < to {
				at := uintptr(i*c.rows + from)
				s := PairSegment{Row: from, Rows: to - from, C: at * args.LdC, R: at * args.LdR}
				segments = append(segments, s)
				tiles[i].Segments++
			}
		}
		cut := m.rng.IntN(c.rows)
		add(0, cut)
		add(min(cut+m.rng.IntN(2), c.rows-1), c.rows)
	}
	args.Tiles, args.Segments = unsafe.Pointer(&tiles[0]), unsafe.Pointer(&segments[0])
}

func FuzzPairs(f *testing.F) {
	routines := having(f, pairsRoutines, func(r pairsRoutine) target { return r.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, counts, unit, tiles uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		c := pairsCase{
			rows: r.rows, cols: r.cols, width: r.cols, n2: int(counts)%2 + 1, n1: int(counts)/2%3 + 1,
			blocks: int(counts)/6%4 + 1, unit: int(unit)%PairUnit + 1, tiles: int(tiles)%4 + 1, dot: r.dot,
		}
		if len(data) > 0 {
			c.bias, c.wide, c.residual = data[0]&1 == 1, data[0]&2 == 2, residual(data[0]>>2%3)
		}
		if r.isUnit() {
			c.rows = int(kind)%r.rows + 1
		}
		if r.lanes != 4 {
			c.width -= int(kind) / 16
		}
		lend := func() (*memory, *Pairs) {
			m := newMemoryFrom(&tape{bytes: data}, 1<<14)
			m.value = []func(*rand.Rand) float32{drawInteger, drawNumber, drawWide}[int(kind)%3]
			return m, c.lend(m)
		}
		before, _ := lend()
		got, args := lend()
		mustKeep(t, r.run, args)
		want, args := lend()
		PairsGo(args, c.cols)
		mustAgree(t, c, got, want, before, 0)
	})
}

func TestInterleave(t *testing.T) {
	eachTarget(t, interleaveRoutines, "Interleave", func(t *testing.T, v implementation[Interleave]) {
		for i := range 200 {
			testInterleave(t, uint64(i), v)
		}
	})
}

func testInterleave(t *testing.T, seed uint64, v implementation[Interleave]) {
	t.Helper()
	lend := func() (*memory, *Interleave) {
		m := newMemory(seed)
		lines, pairs, c := 1+m.rng.IntN(3), 1+m.rng.IntN(8), 1+m.rng.IntN(40)
		if v.lanes == 4 {
			c = PairCols * (1 + c%3)
		}
		pixels, groups := m.rng.IntN(2*pairs+1), (c+PairCols-1)/PairCols
		ld := c + m.rng.IntN(3)
		line := pixels*ld + m.rng.IntN(3)
		x := m.halfGuards((lines-1)*line + pixels*ld + c)
		for i := range lines * pixels {
			m.drawHalf(x[i/max(pixels, 1)*line+i%max(pixels, 1)*ld:][:c], drawNormal)
		}
		group := lines*pairs*PairCols + m.rng.IntN(3)
		return m, &Interleave{
			Src: unsafe.Pointer(&x[0]), LdSrc: uintptr(2 * ld), LineSrc: uintptr(2 * line), Lines: lines,
			Pixels: pixels, Pairs: pairs, Rest: pairs - (pixels+1)/2, C: c,
			Dst: pointer(m.guards(groups * group)), Group: uintptr(4 * group),
			Last: 1<<(c-(groups-1)*PairCols) - 1,
		}
	}
	before, _ := lend()
	got, args := lend()
	mustKeep(t, v.run, args)
	want, args := lend()
	InterleaveGo(args)
	mustAgree(t, *args, got, want, before, 0)
}

func TestTurn(t *testing.T) {
	eachTarget(t, turnRoutines, "Turn", func(t *testing.T, v implementation[Turn]) {
		for blocks := range 4 {
			lend := func() (*memory, *Turn) {
				m := newMemory(uint64(blocks))
				src, dst := PairCols+m.rng.IntN(9), PairCols*(blocks+1)+m.rng.IntN(9)
				x := m.guards(PairCols*(blocks+1)*src + PairCols)
				m.fillNormals(x)
				return m, &Turn{
					Src: pointer(x), LdSrc: uintptr(4 * src), Dst: pointer(m.guards(PairCols * dst)),
					LdDst: uintptr(4 * dst), Blocks: blocks + 1,
				}
			}
			before, _ := lend()
			got, args := lend()
			mustKeep(t, v.run, args)
			want, args := lend()
			TurnGo(args)
			mustAgree(t, *args, got, want, before, 0)
		}
	})
}

func TestPairPeakReturns(t *testing.T) {
	eachTarget(t, pairPeakRoutines, "PairPeak", func(_ *testing.T, v implementation[Pairs]) {
		v.run(&Pairs{N: 3, Config: PairConfig(PairUnit, PairUnit)})
	})
}

// The chains of TileDot begin at zero in each block, and its sums round once: a sum of three terms
// tells the order.
func TestPairsOrder(t *testing.T) {
	const huge, one = 0x7200, 0x3f80 // 2¹⁰¹ and 1
	a := []uint16{huge, one, one, huge}
	b := make([]uint16, 2*2*PairCols)
	for c := range PairCols {
		copy(b[2*c:], []uint16{one, one})
		copy(b[2*PairCols+2*c:], []uint16{one, one ^ 0x8000})
	}
	for _, c := range []struct {
		dot  Dot
		want float32
	}{
		{TileDot, 0},   // (2¹⁰¹ + 1) + (1 - 2¹⁰¹)
		{VectorDot, 1}, // ((1 + 2¹⁰¹) - 2¹⁰¹) + 1
	} {
		var sums [PairCols]float32
		tile, segment := PairTile{Segments: 1}, PairSegment{Rows: 1}
		PairsGo(&Pairs{
			A: unsafe.Pointer(&a[0]), N2: 1, N1: 1, Blocks: 1, Unit: 2, Inner: 2, B: unsafe.Pointer(&b[0]),
			C: unsafe.Pointer(&sums), Wide: 1, Cols: PairCols, Tiles: unsafe.Pointer(&tile),
			Segments: unsafe.Pointer(&segment), N: 1, Dot: c.dot,
		}, PairCols)
		if slices.Max(sums[:]) != c.want || slices.Min(sums[:]) != c.want {
			t.Errorf("arithmetic %d makes %g, want %g", c.dot, sums, c.want)
		}
	}
}

// Rounding to odd keeps what a second rounding needs, and small numbers become zero.
func TestRounding(t *testing.T) {
	const tiny = 0x1p-126
	for _, c := range []struct {
		what      string
		got, want float32
	}{
		{"odd: a little more than 1", roundOdd(1 + 0x1p-40), 1 + 0x1p-23},
		{"odd: a little less than 1", roundOdd(1 - 0x1p-40), 1 - 0x1p-24},
		{"odd: exact", roundOdd(1 + 0x1p-22), 1 + 0x1p-22},
		{"odd: subnormal", roundOdd(tiny * (1 - 0x1p-20)), 0},
		{"odd: beyond the largest", roundOdd(0x1p127 * 1.9999999999), math.MaxFloat32},
		{"odd: infinite", roundOdd(0x1p128), float32(math.Inf(1))},
		{"fused: a product too small for float32", fused(0x1p-80, 0x1p-80, 1), 1},
		{"fused: half a unit and a product too small to see", fused(0x1p-80, 0x1p-80, 0), 0},
		{"fused: subnormal", fused(0x1p-100, 0x1p-30, 0), 0},
		{"fused: two subnormals of a normal sum", fused(0x1p-63, 0x1p-63, -0x1p-125), -tiny},
		{"fused: infinite", fused(0x1p100, 0x1p100, 1), float32(math.Inf(1))},
		{"fused: zero", fused(0, 1, -3), -3},
	} {
		if c.got != c.want {
			t.Errorf("%s: %g, want %g", c.what, c.got, c.want)
		}
	}
	if v := float64(oddSum(1, 0x1p-80)); v != 1+0x1p-52 {
		t.Errorf("oddSum(1, 2^-80) = %g", v)
	}
	if v := float64(oddSum(1+0x1p-51, -0x1p-80)); v != 1+0x1p-52 {
		t.Errorf("oddSum(1 + 2^-51, -2^-80) = %g", v)
	}
}
