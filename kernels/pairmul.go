package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// This file multiplies matrices as pairs of bfloat16, for a [MatMul] with Pairs. Copies of both
// factors are padded with zeros to whole blocks of pairs.

// A pairFactors holds what such products need beside a [Scratch].
type pairFactors struct {
	maps  [2]Map // copies of the factors
	panel pairPanel
}

// padded returns a copy of matrix m in bfloat16, in slot 0 or 1, whose rows are followed by zeros
// up to a multiple of 2·PairUnit columns, and by rows of zeros up to a multiple of PairCols.
func (f *pairFactors) padded(isa ISA, slot int, m Map) Map {
	rows, cols := roundUp(m.W, asm.PairCols), roundUp(m.C, 2*asm.PairUnit)
	w := &f.maps[slot]
	data := w.data
	*w = BF16.shaped(1, 1, rows, cols, 0)
	w.data = grown(data, w.memory())
	if rows != m.W || cols != m.C {
		w.Clear()
	}
	isa.Convert(w.FirstPixels(m.W).Channels(0, m.C), m)
	return *w
}

// multiply computes c = a·panel, or adds the product to c.
func (f *pairFactors) multiply(isa ISA, s *Scratch, c, a Map) {
	args := s.pairs.begin(isa.pairDot())
	whole := all(a)
	args.gather(&whole, window{1, 1})
	to := all(c)
	args.C = to.ptr(0, 0, 0)
	if c.Precision == F32 {
		args.Wide = 1
	}
	g := pairGrid{n: 1, h: 1, w: c.W, a: whole.steps(), c: to.steps()}
	f.panel.n = c.C
	g.multiply(isa, &s.pairs, &f.panel, nil)
}

// times computes c = a·b.
func (f *pairFactors) times(isa ISA, s *Scratch, c, a, b Map) {
	left, right := f.padded(isa, 0, a), f.padded(isa, 1, b)
	f.panel.reshape(left.C, c.C)
	g := all(right.Channels(0, roundUp(c.C, asm.PairCols)))
	p := placement{images: 1, lines: 1, w: right.W, pitch: right.W}
	s.pairs.interleavePlaces(isa, p, &g, unsafe.Pointer(&f.panel.data[0]), left.C, right.W, 0)
	f.multiply(isa, s, c, left)
}

// timesTransposed computes c = a·bᵀ; columns beyond the rows of b become zero.
func (f *pairFactors) timesTransposed(isa ISA, s *Scratch, c, a, b Map) {
	left, right := f.padded(isa, 0, a), f.padded(isa, 1, b)
	f.panel.reshape(left.C, c.C)
	clear(f.panel.data)
	turn := &s.pairs.turn
	for j := 0; j < right.W; j += asm.PairCols {
		for i := 0; i < right.C; i += 2 * asm.PairUnit {
			*turn = asm.Turn{
				Src: unsafe.Add(right.ptr(0, 0, j), 2*i), LdSrc: right.bytes(right.Pixel),
				Dst: unsafe.Pointer(f.panel.pair(i/2, j)), LdDst: 4 * asm.PairCols, Blocks: 1,
			}
			isa.turn(turn)
		}
	}
	f.multiply(isa, s, c, left)
}

// addTransposedTimes adds aᵀ·b to c, in float32: the weight gradient of a linear layer.
func (f *pairFactors) addTransposedTimes(isa ISA, s *Scratch, c, a, b Map) {
	c.mustBe(F32)
	left := f.padded(isa, 0, a).FirstPixels(a.W).Channels(0, a.C)
	right := f.padded(isa, 1, b).FirstPixels(b.W).Channels(0, b.C)
	conv := Conv{ConvShape: ConvShape{Kind: Point, IC: a.C, OC: b.C}, ISA: isa, dot: isa.pairDot()}
	most := pairBlock(a.C + b.C)
	for from := 0; from < a.W; from += most {
		n := min(most, a.W-from)
		p := placement{images: 1, lines: 1, w: n, pitch: roundUp(n, 2)}
		p.sum = roundUp(p.pitch, 2*asm.PairUnit)
		ld := conv.turnPlanes(&s.pairs, p, left.stretch(from, n), 0, 0)
		g := all(right.stretch(from, n))
		conv.pairPlaces(&s.pairs, p, &g)
		sum := pairSum{a: unsafe.Pointer(&s.pairs.left[0]), ld: ld, c: c.ptr(0, 0, 0), row: c.bytes(c.Pixel), add: true}
		conv.sumPairs(s, p, sum)
	}
}
