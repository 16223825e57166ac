package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A call to assembly is not preemptible: it holds up the garbage collector, and with it all goroutines. So
// whatever the shape, none may take longer than some 50 µs; longer ones are cut. The limits count what a
// core does, in a cycle each, at 3 GHz:
//
//   - a step of the largest tiles of Product and Outer is 28 multiply-adds of registers: 4096 are 38 µs;
//   - a tile of a Transform is some 200 instructions a register: 512 are 34 µs;
//   - walks and flat routines divide, or wait for memory: 4096 registers, of up to 40 cycles, are 55 µs.
//
// The presets' products, outer products and walks over maps of up to 32x32 pixels stay below, so that
// they are summed in one piece. Variables, because tests lower them.
var (
	maxSteps     = 4096              // of the nest of loops of a Product or an Outer
	maxTiles     = 512               // of a Transform, times registers of a vector
	maxRegisters = pieces / maxLanes // of each operand of a walk or of a flat routine
)

// piece is the most elements of an operand of a walk or of a flat routine.
func (isa ISA) piece() int { return maxRegisters * isa.lanes() }

// A part is a part of a nest of three loops: from iteration i2, i1, i0 on, n2, n1, n0 iterations.
type part struct{ i2, i1, i0, n2, n1, n0 int }

// eachPart cuts a nest of n2, n1 and n0 iterations into parts of at most that many, in order, and cuts
// inner loops only where outer ones do not suffice.
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

// steps are the distances in bytes of a nest of n1 by n0 iterations: of the inner loop, and from the ends
// of the inner and of the middle loop to their next beginnings.
type steps struct {
	n1, n0         int
	ld, end0, end1 uintptr
}

// move returns a pointer to the beginning of a part; nil stays nil.
func (s steps) move(p unsafe.Pointer, to part) unsafe.Pointer {
	if p == nil {
		return nil
	}
	inner := uintptr(s.n0)*s.ld + s.end0
	middle := uintptr(s.n1)*inner + s.end1
	return unsafe.Add(p, int(uintptr(to.i2)*middle+uintptr(to.i1)*inner+uintptr(to.i0)*s.ld))
}

// cutProduct computes some tiles of length rows a segment at a time, or one in parts. Those behind the first one
// add to its result.
func (isa ISA) cutProduct(length, cols int, p *asm.Product) {
	whole := *p
	if p.Tiles > 1 {
		a, c, r := steps{ld: p.TileA}, steps{ld: p.TileC}, steps{ld: p.TileR}
		eachPart(1, 1, whole.Tiles, max(maxSteps/(p.N2*p.N1*p.K), 1), func(at part) {
			p.Tiles = at.n0
			p.A0, p.A1 = a.move(whole.A0, at), a.move(whole.A1, at)
			p.C0, p.C1 = c.move(whole.C0, at), c.move(whole.C1, at)
			p.R0, p.R1 = r.move(whole.R0, at), r.move(whole.R1, at)
			isa.product(length, cols, p)
		})
		*p = whole
		return
	}
	a := steps{whole.N1, whole.K, 4, whole.Step1, whole.Step2}
	eachPart(whole.N2, whole.N1, whole.K, maxSteps, func(at part) {
		p.N2, p.N1, p.K = at.n2, at.n1, at.n0
		p.A0, p.A1 = a.move(whole.A0, at), a.move(whole.A1, at)
		isa.product(length, cols, p)
		p.B = unsafe.Add(p.B, 4*cols*at.n2*at.n1*at.n0)
		p.Bias, p.R0, p.R1, p.LdR = nil, whole.C0, whole.C1, whole.LdC
	})
	*p = whole
}

// cutOuter sums a tile of outer products up in parts.
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

// tiles counts what maxTiles limits.
func (isa ISA) tiles(t *asm.Transform) int { return t.N * int(t.Bytes) / (4 * isa.lanes()) }

// cutTransform transforms some tiles, or some channels of a tile, at a time.
func (isa ISA) cutTransform(m tileMatrix, t *asm.Transform) {
	whole, register := *t, uintptr(4*isa.lanes())
	src, dst, add := steps{0, 0, register, t.SrcStep, 0}, steps{0, 0, register, t.DstStep, 0}, steps{0, 0, register, t.AddStep, 0}
	eachPart(1, t.N, int(t.Bytes/register), maxTiles, func(at part) {
		t.Src, t.Dst, t.Add = src.move(whole.Src, at), dst.move(whole.Dst, at), add.move(whole.Add, at)
		t.N, t.Bytes = at.n1, uintptr(at.n0)*register
		isa.transform(m, t)
	})
	*t = whole
}

// lineChannels are the channels of a cache line, which walks do not cut.
const lineChannels = 16

// cutWalk walks over some pixels at a time of at most lineChannels whole vectors of channels, and puts the
// sums together.
func (isa ISA) cutWalk(routine walkRoutine, c *asm.Channels) {
	whole := *c
	x, y, d := steps{c.N1, c.N0, c.LdX, c.StepX, 0}, steps{c.N1, c.N0, c.LdY, c.StepY, 0}, steps{c.N1, c.N0, c.LdD, c.StepD, 0}
	var s0, s1 [lineChannels]float32
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

// collect puts a part's sums, if there are any, to those of the parts before: the largest of maxima, the sum
// of all others.
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
