package main

import "fmt"

// vectorRoutines are element-wise over flat vectors.
func vectorRoutines(t target) []*routine {
	return []*routine{addVector(t), lerpVector(t), sumSquares(t), adamW(t), expVector(t), peak(t)}
}

// flat is a routine over args.N elements: body handles one vector at the offset BX of each operand.
func flat(t target, name string, operands int, setup, body func(r *routine)) *routine {
	r := newRoutine(t, name, "Vectors", fmt.Sprintf("is [%sGo] for args.N a multiple of %d.", name, t.lanes))
	for i := range operands {
		r.field(string("XYZW"[i]), [...]string{"DI", "SI", "DX", "R8"}[i])
	}
	r.field("N", "CX")
	r.op("XORQ BX, BX")
	if setup != nil {
		setup(r)
	}
	r.op("SUBQ $%d, CX", t.lanes)
	r.op("JLT done")
	r.loop("vector")
	body(r)
	r.op("ADDQ $%d, BX", t.bytes())
	r.op("SUBQ $%d, CX", t.lanes)
	r.op("JGE vector")
	r.label("done")
	return r
}

// scalar spreads args.F[i] over register reg.
func (r *routine) scalar(i, reg int) {
	r.op("VBROADCASTSS (Vectors_F+%d)(AX), %s", 4*i, r.v(reg))
}

func addVector(t target) *routine {
	return flat(t, "Add", 2, nil, func(r *routine) {
		r.op("VMOVUPS (DI)(BX*1), %s", r.v(0))
		r.op("VADDPS (SI)(BX*1), %s, %s", r.v(0), r.v(0))
		r.op("VMOVUPS %s, (DI)(BX*1)", r.v(0))
	})
}

func lerpVector(t target) *routine {
	return flat(t, "Lerp", 2, func(r *routine) { r.scalar(0, 1) }, func(r *routine) {
		r.op("VMOVUPS (DI)(BX*1), %s", r.v(0))
		r.op("VMOVUPS (SI)(BX*1), %s", r.v(2))
		r.op("VSUBPS %s, %s, %s", r.v(0), r.v(2), r.v(2))
		r.op("VFMADD231PS %s, %s, %s", r.v(1), r.v(2), r.v(0))
		r.op("VMOVUPS %s, (DI)(BX*1)", r.v(0))
	})
}

// sumSquares keeps one sum a lane; the caller adds the lanes up in float64.
func sumSquares(t target) *routine {
	r := flat(t, "SumSquares", 2, func(r *routine) { r.zero(0) }, func(r *routine) {
		r.op("VMOVUPS (SI)(BX*1), %s", r.v(1))
		r.op("VFMADD231PS %s, %s, %s", r.v(1), r.v(1), r.v(0))
	})
	r.op("VMOVUPS %s, (DI)", r.v(0))
	return r
}

func adamW(t target) *routine {
	const scale, decay, beta1, rest1, beta2, rest2, root, eps, rate = 0, 1, 2, 3, 4, 5, 6, 7, 8
	const g, m, v, p = 9, 10, 11, 12
	setup := func(r *routine) {
		for i := range 9 {
			r.scalar(i, i)
		}
	}
	return flat(t, "AdamW", 4, setup, func(r *routine) {
		r.op("VMULPS (R8)(BX*1), %s, %s", r.v(scale), r.v(g))
		r.op("VMULPS (SI)(BX*1), %s, %s", r.v(beta1), r.v(m))
		r.op("VFMADD231PS %s, %s, %s", r.v(g), r.v(rest1), r.v(m))
		r.op("VMOVUPS %s, (SI)(BX*1)", r.v(m))
		r.op("VMULPS %s, %s, %s", r.v(g), r.v(g), r.v(g))
		r.op("VMULPS (DX)(BX*1), %s, %s", r.v(beta2), r.v(v))
		r.op("VFMADD231PS %s, %s, %s", r.v(g), r.v(rest2), r.v(v))
		r.op("VMOVUPS %s, (DX)(BX*1)", r.v(v))
		r.op("VSQRTPS %s, %s", r.v(v), r.v(v))
		r.op("VFMADD213PS %s, %s, %s", r.v(eps), r.v(root), r.v(v))
		r.op("VDIVPS %s, %s, %s", r.v(v), r.v(m), r.v(m))
		r.op("VMULPS (DI)(BX*1), %s, %s", r.v(decay), r.v(p))
		r.op("VFNMADD231PS %s, %s, %s", r.v(m), r.v(rate), r.v(p))
		r.op("VMOVUPS %s, (DI)(BX*1)", r.v(p))
	})
}

func expVector(t target) *routine {
	return flat(t, "Exp", 2, nil, func(r *routine) {
		r.op("VMOVUPS (SI)(BX*1), %s", r.v(0))
		r.exp(0, 1, 2)
		r.op("VMOVUPS %s, (DI)(BX*1)", r.v(0))
	})
}

// peakChains is the number of independent sums: enough to hide the latency of an addition on any CPU.
const peakChains = 12

// peak runs N rounds of one fused multiply-add a chain on registers alone.
func peak(t target) *routine {
	r := newRoutine(t, "Peak", "Vectors", fmt.Sprintf("does args.N rounds of [PeakChains] fused multiply-adds of %d lanes on registers alone,\nto measure what the CPU can do at best.", t.lanes))
	r.field("N", "CX")
	for i := range peakChains + 2 {
		r.zero(i)
	}
	r.loop("round")
	for i := range peakChains {
		r.op("VFMADD231PS %s, %s, %s", r.v(peakChains), r.v(peakChains+1), r.v(i))
	}
	r.op("DECQ CX")
	r.op("JNZ round")
	return r
}
