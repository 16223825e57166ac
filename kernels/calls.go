package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// This file cuts the calls to assembly that would take too long. blocks.go holds the limits.

// piece is the most elements that each operand of a walk or of a flat routine may have.
func (isa ISA) piece() int { return maxRegisters * isa.lanes() }

// A part is a part of a nest of three loops: n2, n1, n0 iterations from iteration i2, i1, i0 on.
type part struct{ i2, i1, i0, n2, n1, n0 int }

// eachPart cuts a nest of n2, n1 and n0 iterations into parts of no more than most iterations, and
// calls f for the parts in order. It cuts an inner loop only where one round of the outer loop is
// too long.
func eachPart(n2, n1, n0, most int, f func(p part)) {
	step2, step1, step0 := 1, 1, min(n0, most)
	if n0 <= most {
		step1 = min(n1, most/n0)
	}
	if n1*n0 <= most {
		step2 = min(n2, most/(n1*n0))
	}
	for i2 := 0; i2 < n2; i2 += step2 {
		for i1 := 0; i1 < n1; i1 += step1 {
			for i0 := 0; i0 < n0; i0 += step0 {
				f(part{i2, i1, i0, min(step2, n2-i2), min(step1, n1-i1), min(step0, n0-i0)})
			}
		}
	}
}

// steps describes how a pointer moves, in bytes, through a nest of loops of n1 by n0 iterations
// inside an outer loop.
type steps struct {
	n1, n0 int
	ld     uintptr // step of the inner loop
	end0   uintptr // from the end of the inner loop to its next beginning
	end1   uintptr // from the end of the middle loop to its next beginning
}

// move returns p moved to the beginning of a part; nil stays nil.
func (s steps) move(p unsafe.Pointer, to part) unsafe.Pointer {
	if p == nil {
		return nil
	}
	inner := uintptr(s.n0)*s.ld + s.end0
	middle := uintptr(s.n1)*inner + s.end1
	return unsafe.Add(p, int(uintptr(to.i2)*middle+uintptr(to.i1)*inner+uintptr(to.i0)*s.ld))
}

// cutProduct computes a few tiles of half rows a segment at a time. It computes a single tile in
// parts, each of which adds to the result of the parts before.
func (isa ISA) cutProduct(half, cols int, p *asm.Product) {
	whole := *p
	if p.Tiles > 1 {
		a, c, r := steps{ld: p.TileA}, steps{ld: p.TileC}, steps{ld: p.TileR}
		eachPart(1, 1, whole.Tiles, max(maxSteps/(p.N2*p.N1*p.K), 1), func(at part) {
			p.Tiles = at.n0
			p.A0, p.A1 = a.move(whole.A0, at), a.move(whole.A1, at)
			p.C0, p.C1 = c.move(whole.C0, at), c.move(whole.C1, at)
			p.R0, p.R1 = r.move(whole.R0, at), r.move(whole.R1, at)
			isa.product(half, cols, p)
		})
		*p = whole
		return
	}
	a := steps{whole.N1, whole.K, 4, whole.Step1, whole.Step2}
	eachPart(whole.N2, whole.N1, whole.K, maxSteps, func(at part) {
		p.N2, p.N1, p.K = at.n2, at.n1, at.n0
		p.A0, p.A1 = a.move(whole.A0, at), a.move(whole.A1, at)
		isa.product(half, cols, p)
		p.B = unsafe.Add(p.B, 4*cols*at.n2*at.n1*at.n0)
		p.Bias, p.R0, p.R1, p.LdR = nil, whole.C0, whole.C1, whole.LdC
	})
	*p = whole
}

// cutOuter sums up a tile of outer products in parts.
func (isa ISA) cutOuter(rows, cols int, o *asm.Outer) {
	whole := *o
	a := steps{whole.N1, whole.N0, whole.LdA, whole.StepA1, whole.StepA2}
	b := steps{whole.N1, whole.N0, whole.LdB, whole.StepB1, whole.StepB2}
	eachPart(whole.N2, whole.N1, whole.N0, maxSteps, func(at part) {
		o.N2, o.N1, o.N0 = at.n2, at.n1, at.n0
		o.A, o.B = a.move(whole.A, at), b.move(whole.B, at)
		isa.outer(rows, cols, o)
		o.Set = 0
	})
	*o = whole
}

// tiles returns the count that maxTiles limits.
func (isa ISA) tiles(m tileMatrix, t *asm.Transform) int {
	return t.N * int(t.Bytes) / (m.bytes() * isa.lanes())
}

// cutTransform transforms a few tiles, or some channels of one tile, at a time.
func (isa ISA) cutTransform(m tileMatrix, t *asm.Transform) {
	whole, register := *t, uintptr(m.bytes()*isa.lanes())
	src, dst := steps{ld: uintptr(4 * isa.lanes()), end0: t.SrcStep}, steps{ld: register, end0: t.DstStep}
	add := steps{ld: register, end0: t.AddStep}
	eachPart(1, t.N, int(t.Bytes/register), maxTiles, func(at part) {
		t.Src, t.Dst, t.Add = src.move(whole.Src, at), dst.move(whole.Dst, at), add.move(whole.Add, at)
		t.N, t.Bytes = at.n1, uintptr(at.n0)*register
		isa.transform(m, t)
	})
	*t = whole
}

// cutWalk walks over a few pixels at a time, and combines the sums of these parts. The walk has at
// most lineFloats channels, in whole vectors.
func (isa ISA) cutWalk(routine walkRoutine, c *asm.Channels) {
	whole := *c
	x, y := steps{c.N1, c.N0, c.LdX, c.StepX, 0}, steps{c.N1, c.N0, c.LdY, c.StepY, 0}
	d := steps{c.N1, c.N0, c.LdD, c.StepD, 0}
	var s0, s1 [lineFloats]float32
	eachPart(1, c.N1, c.N0, max(isa.piece()/c.C, 1), func(at part) {
		first := at.i1 == 0 && at.i0 == 0
		c.N1, c.N0 = at.n1, at.n0
		c.X, c.Y, c.D = x.move(whole.X, at), y.move(whole.Y, at), d.move(whole.D, at)
		isa.walkVectors(routine, c)
		collect(routine, s0[:c.C], c.S0, first)
		collect(routine, s1[:c.C], c.S1, first)
	})
	*c = whole
	for _, s := range [...]struct {
		to   unsafe.Pointer
		from []float32
	}{{c.S0, s0[:c.C]}, {c.S1, s1[:c.C]}} {
		if s.to != nil {
			copy(unsafe.Slice((*float32)(s.to), c.C), s.from)
		}
	}
}

// collect combines the sums of a part, if the walk has any, with the total of the parts before: it
// takes the larger of two maxima, and adds everything else.
func collect(routine walkRoutine, total []float32, sums unsafe.Pointer, first bool) {
	if sums == nil {
		return
	}
	own := unsafe.Slice((*float32)(sums), len(total))
	switch {
	case first:
		copy(total, own)
	case routine == maxima:
		for i, v := range own {
			total[i] = max(total[i], v)
		}
	default:
		addVector(total, own)
	}
}

// cutInterleave makes the pairs of one group of channels after another, of one line after another,
// and of a long line in pieces.
func (isa ISA) cutInterleave(i *asm.Interleave) {
	whole := *i
	for group := 0; group*asm.PairCols < whole.C; group++ {
		left := whole.C - group*asm.PairCols
		i.C, i.Lines, i.Last = min(left, asm.PairCols), 1, pairMask(left)
		for line := range whole.Lines {
			src := unsafe.Add(whole.Src, uintptr(line)*whole.LineSrc+uintptr(2*asm.PairCols*group))
			dst := unsafe.Add(whole.Dst, uintptr(group)*whole.Group+uintptr(4*asm.PairCols*line*whole.Pairs))
			for from := 0; from < whole.Pairs; from += maxPaired / asm.PairCols {
				i.Pairs = min(whole.Pairs-from, maxPaired/asm.PairCols)
				i.Pixels = min(max(whole.Pixels-2*from, 0), 2*i.Pairs)
				i.Rest = i.Pairs - (i.Pixels+1)/2
				i.Src = unsafe.Add(src, uintptr(min(2*from, whole.Pixels))*whole.LdSrc)
				i.Dst = unsafe.Add(dst, 4*asm.PairCols*from)
				isa.interleave(i)
			}
		}
	}
	*i = whole
}

// cutTurn transposes a few matrices at a time.
func (isa ISA) cutTurn(t *asm.Turn) {
	whole := *t
	for from := 0; from < whole.Blocks; from += maxTurned {
		t.Blocks = min(maxTurned, whole.Blocks-from)
		t.Src = unsafe.Add(whole.Src, uintptr(asm.PairCols*from)*whole.LdSrc)
		t.Dst = unsafe.Add(whole.Dst, 4*asm.PairCols*from)
		isa.turn(t)
	}
	*t = whole
}
