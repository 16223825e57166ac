package main

import (
	"fmt"
	"math"
)

// The constants of exp: x = n·ln 2 + r, exp(x) = 2^n·p(r). ln 2 is split so that n·hi is exact.
// p is the polynomial of degree 5 with p(0) = 1 that comes closest on |r| ≤ ln 2 / 2, counted in units
// in the last place (1.1) with its coefficients in float32.
var expTable = []struct {
	name  string
	value float32
}{
	{"log2e", math.Log2E}, {"ln2hi", 0.693359375}, {"ln2lo", -2.12194440e-4},
	{"max", 88}, {"min", -87},
	{"p0", 1}, {"p1", 0.999999463558197}, {"p2", 0.49999138712882996},
	{"p3", 0.1666816920042038}, {"p4", 0.04189862310886383}, {"p5", 0.008262676186859608},
}

// expConstants defines each constant as a whole vector, so that it can be a memory operand.
func expConstants(t target) string {
	text := "\n"
	for _, c := range expTable {
		bits := uint64(math.Float32bits(c.value))
		for i := 0; i < t.bytes(); i += 8 {
			text += fmt.Sprintf("DATA %s<>+%d(SB)/8, $0x%016x\n", c.name, i, bits<<32|bits)
		}
		text += fmt.Sprintf("GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", c.name, t.bytes())
	}
	return text
}

// exp replaces register x by exp(x), with n and p as scratch.
func (r *routine) exp(x, n, p int) {
	X, N, P := r.v(x), r.v(n), r.v(p)
	// The clamped value is the second source, which these instructions return when it is NaN.
	r.op("VMOVUPS max<>(SB), %s", N)
	r.op("VMINPS %s, %s, %s", X, N, X)
	r.op("VMOVUPS min<>(SB), %s", N)
	r.op("VMAXPS %s, %s, %s", X, N, X)
	r.op("VMULPS log2e<>(SB), %s, %s", X, N)
	r.op("VCVTPS2DQ %s, %s", N, N)
	r.op("VCVTDQ2PS %s, %s", N, P)
	r.op("VFNMADD231PS ln2hi<>(SB), %s, %s", P, X)
	r.op("VFNMADD231PS ln2lo<>(SB), %s, %s", P, X)
	r.op("VMOVUPS p5<>(SB), %s", P)
	for _, c := range []string{"p4", "p3", "p2", "p1", "p0"} {
		r.op("VFMADD213PS %s<>(SB), %s, %s", c, X, P)
	}
	r.op("VPSLLD $23, %s, %s", N, N)
	r.op("VPADDD %s, %s, %s", N, P, X)
}

// sigmoid sets register s to 1/(1+exp(-z)), with n and p as scratch. one holds ones; the sign of z is
// turned by subtracting it from zero in register zero.
func (r *routine) sigmoid(s, z, n, p, one, zero int) {
	r.op("VSUBPS %s, %s, %s", r.v(z), r.v(zero), r.v(s))
	r.exp(s, n, p)
	r.op("VADDPS %s, %s, %s", r.v(one), r.v(s), r.v(s))
	r.op("VDIVPS %s, %s, %s", r.v(s), r.v(one), r.v(s))
}

// A walk describes a routine over the pixels of a map, one vector of channels after another.
type walk struct {
	name   string
	in     []string // of X, Y, D: the maps that it walks over
	params int      // vectors of parameters P0…, in the first registers
	sums   int      // vectors of sums S0…, in the registers behind them
	setup  func(r *routine, free int)
	body   func(r *routine, sum, free int)
}

var pixelReg = map[string]string{"X": "SI", "Y": "DX", "D": "DI"}
var distanceReg = map[string]string{"X": "R8", "Y": "R9", "D": "R10"}

func channelRoutines(t target) []*routine {
	var all []*routine
	for _, w := range walks() {
		all = append(all, w.routine(t))
	}
	return all
}

func walks() []walk {
	one := func(r *routine, free int) {
		r.zero(free + 1)
		r.op("MOVL $0x3f800000, CX")
		if r.reg == "Z" {
			r.op("VPBROADCASTD CX, %s", r.v(free))
		} else {
			r.op("VMOVD CX, X%d", free)
			r.op("VBROADCASTSS X%d, %s", free, r.v(free))
		}
	}
	return []walk{
		{name: "Moments", in: []string{"X"}, params: 1, sums: 2, body: func(r *routine, sum, f int) {
			r.op("VMOVUPS (SI), %s", r.v(f))
			r.op("VSUBPS %s, %s, %s", r.v(0), r.v(f), r.v(f))
			r.op("VADDPS %s, %s, %s", r.v(f), r.v(sum), r.v(sum))
			r.op("VFMADD231PS %s, %s, %s", r.v(f), r.v(f), r.v(sum+1))
		}},
		{name: "Affine", in: []string{"X", "D"}, params: 2, body: func(r *routine, _, f int) {
			r.op("VMOVUPS (SI), %s", r.v(f))
			r.op("VFMADD213PS %s, %s, %s", r.v(1), r.v(0), r.v(f))
			r.op("VMOVUPS %s, (DI)", r.v(f))
		}},
		{name: "AffineSiLU", in: []string{"X", "D"}, params: 2, setup: one, body: func(r *routine, _, f int) {
			z, s := f+2, f+3
			r.op("VMOVUPS (SI), %s", r.v(z))
			r.op("VFMADD213PS %s, %s, %s", r.v(1), r.v(0), r.v(z))
			r.sigmoid(s, z, f+4, f+5, f, f+1)
			r.op("VMULPS %s, %s, %s", r.v(s), r.v(z), r.v(z))
			r.op("VMOVUPS %s, (DI)", r.v(z))
		}},
		{name: "NormSums", in: []string{"X", "Y"}, params: 2, sums: 2, body: func(r *routine, sum, f int) {
			r.op("VMOVUPS (SI), %s", r.v(f))
			r.op("VMOVUPS (DX), %s", r.v(f+1))
			r.op("VFMADD213PS %s, %s, %s", r.v(1), r.v(0), r.v(f))
			r.op("VADDPS %s, %s, %s", r.v(f+1), r.v(sum), r.v(sum))
			r.op("VFMADD231PS %s, %s, %s", r.v(f), r.v(f+1), r.v(sum+1))
		}},
		{name: "NormSiLUSums", in: []string{"X", "Y"}, params: 4, sums: 2, setup: one, body: normSiLUSums},
		{name: "NormGrad", in: []string{"X", "Y", "D"}, params: 3, body: normGrad},
		{name: "NormGradAdd", in: []string{"X", "Y", "D"}, params: 3, body: func(r *routine, _, f int) {
			normGradValue(r, f)
			r.op("VADDPS (DI), %s, %s", r.v(f), r.v(f))
			r.op("VMOVUPS %s, (DI)", r.v(f))
		}},
		{name: "ColumnSums", in: []string{"Y"}, sums: 1, body: func(r *routine, sum, _ int) {
			r.op("VADDPS (DX), %s, %s", r.v(sum), r.v(sum))
		}},
		{name: "AddMap", in: []string{"Y", "D"}, body: func(r *routine, _, f int) {
			r.op("VMOVUPS (DI), %s", r.v(f))
			r.op("VADDPS (DX), %s, %s", r.v(f), r.v(f))
			r.op("VMOVUPS %s, (DI)", r.v(f))
		}},
	}
}

func normGradValue(r *routine, f int) {
	r.op("VMOVUPS (SI), %s", r.v(f))
	r.op("VFMADD213PS %s, %s, %s", r.v(2), r.v(1), r.v(f))
	r.op("VMOVUPS (DX), %s", r.v(f+1))
	r.op("VFMADD231PS %s, %s, %s", r.v(f+1), r.v(0), r.v(f))
}

func normGrad(r *routine, _, f int) {
	normGradValue(r, f)
	r.op("VMOVUPS %s, (DI)", r.v(f))
}

// normSiLUSums: x̂ = x·P0 + P1, z = x̂·P2 + P3, dz = dy·s·(1 + z·(1-s)).
func normSiLUSums(r *routine, sum, f int) {
	one, zero, xhat, z, s := f, f+1, f+2, f+3, f+4
	r.op("VMOVUPS (SI), %s", r.v(xhat))
	r.op("VFMADD213PS %s, %s, %s", r.v(1), r.v(0), r.v(xhat))
	r.op("VMOVAPS %s, %s", r.v(xhat), r.v(z))
	r.op("VFMADD213PS %s, %s, %s", r.v(3), r.v(2), r.v(z))
	r.sigmoid(s, z, f+5, f+6, one, zero)
	r.op("VSUBPS %s, %s, %s", r.v(s), r.v(one), r.v(f+5))
	r.op("VFMADD213PS %s, %s, %s", r.v(one), r.v(f+5), r.v(z))
	r.op("VMULPS %s, %s, %s", r.v(s), r.v(z), r.v(z))
	r.op("VMULPS (DX), %s, %s", r.v(z), r.v(z))
	r.op("VMOVUPS %s, (DX)", r.v(z))
	r.op("VADDPS %s, %s, %s", r.v(z), r.v(sum), r.v(sum))
	r.op("VFMADD231PS %s, %s, %s", r.v(xhat), r.v(z), r.v(sum+1))
}

// routine spells the walk out. BX is the offset of the vector of channels in bytes, R13 the vectors left.
func (w walk) routine(t target) *routine {
	r := newRoutine(t, w.name, "Channels", fmt.Sprintf("is [%sGo] for args.C a multiple of %d.", w.name, t.lanes))
	for _, m := range w.in {
		r.field("Ld"+m, distanceReg[m])
	}
	free := w.params + w.sums
	if w.setup != nil {
		w.setup(r, free)
	}
	r.op("XORQ BX, BX")
	r.field("C", "R13")
	r.label("vector")
	for i := range w.params {
		r.field(fmt.Sprintf("P%d", i), "CX")
		r.op("VMOVUPS (CX)(BX*1), %s", r.v(i))
	}
	for i := range w.sums {
		r.zero(w.params + i)
	}
	for _, m := range w.in {
		r.field(m, pixelReg[m])
		r.op("ADDQ BX, %s", pixelReg[m])
	}
	r.field("N1", "R11")
	r.label("lines")
	r.field("N0", "CX")
	r.loop("pixels")
	w.body(r, w.params, free)
	for _, m := range w.in {
		r.op("ADDQ %s, %s", distanceReg[m], pixelReg[m])
	}
	r.op("DECQ CX")
	r.op("JNZ pixels")
	for _, m := range w.in {
		r.op("ADDQ Channels_Step%s(AX), %s", m, pixelReg[m])
	}
	r.op("DECQ R11")
	r.op("JNZ lines")
	for i := range w.sums {
		r.field(fmt.Sprintf("S%d", i), "CX")
		r.op("VMOVUPS %s, (CX)(BX*1)", r.v(w.params+i))
	}
	r.op("ADDQ $%d, BX", t.bytes())
	r.op("SUBQ $%d, R13", t.lanes)
	r.op("JGT vector")
	return r
}
