package main

import "fmt"

// productRoutines lists the tiles of the matrix product: two segments of rows by one or two vectors
// of columns, as large as the registers allow, and the smaller ones that tails need.
func productRoutines(t target) []*routine {
	var all []*routine
	for _, vectors := range productVectors(t) {
		for _, half := range productHalves(t) {
			all = append(all, product(t, half, vectors))
		}
	}
	return all
}

func productHalves(t target) []int {
	if t.count == 32 {
		return []int{7, 4, 2, 1}
	}
	return []int{3, 2, 1}
}

func productVectors(t target) []int {
	if t.count == 32 {
		return []int{2, 1}
	}
	return []int{2}
}

// product is a tile of 2·half rows and vectors·lanes columns. Its sums stay in registers over the
// whole K axis; a row costs one broadcast per k, which its vectors share.
func product(t target, half, vectors int) *routine {
	cols := vectors * t.lanes
	r := newRoutine(t, fmt.Sprintf("Product2x%dx%d", half, cols), "Product",
		fmt.Sprintf("is [ProductGo] of %d rows a segment and %d columns.", half, cols))
	rows := 2 * half
	sum := func(row, vec int) int { return row*vectors + vec }
	b := func(vec int) int { return rows*vectors + vec }
	spare := t.count - (rows+1)*vectors

	for i := range rows * vectors {
		r.zero(i)
	}
	r.field("A0", "SI")
	r.field("A1", "DX")
	r.field("B", "BX")
	r.field("LdA", "R8")
	if half > 3 {
		r.op("LEAQ (R8)(R8*2), R9")
		r.op("LEAQ (R8)(R8*4), R10")
	}
	r.field("N2", "R12")
	step := func(u int) {
		for v := range vectors {
			r.op("VMOVUPS %d(BX), %s", (u*vectors+v)*t.bytes(), r.v(b(v)))
		}
		for i := range rows {
			p, at := "SI", i
			if i >= half {
				p, at = "DX", i-half
			}
			x := b(vectors-1) + 1 + i%min(spare, 2)
			r.op("VBROADCASTSS %s, %s", row(at, 4*u, p, "R8", "R9", "R10"), r.v(x))
			for v := range vectors {
				r.op("VFMADD231PS %s, %s, %s", r.v(b(v)), r.v(x), r.v(sum(i, v)))
			}
		}
	}
	const unroll = 4
	advance := func(u int) {
		r.op("ADDQ $%d, SI", 4*u)
		r.op("ADDQ $%d, DX", 4*u)
		r.op("ADDQ $%d, BX", u*cols*4)
	}
	r.label("outer")
	r.field("N1", "R11")
	r.label("middle")
	r.field("K", "CX")
	r.op("SUBQ $%d, CX", unroll)
	r.op("JLT tail")
	r.loop("inner")
	for u := range unroll {
		step(u)
	}
	advance(unroll)
	r.op("SUBQ $%d, CX", unroll)
	r.op("JGE inner")
	r.label("tail")
	r.op("ADDQ $%d, CX", unroll)
	r.op("JZ next")
	r.loop("single")
	step(0)
	advance(1)
	r.op("DECQ CX")
	r.op("JNZ single")
	r.label("next")
	r.op("ADDQ Product_Step1(AX), SI")
	r.op("ADDQ Product_Step1(AX), DX")
	r.op("DECQ R11")
	r.op("JNZ middle")
	r.op("ADDQ Product_Step2(AX), SI")
	r.op("ADDQ Product_Step2(AX), DX")
	r.op("DECQ R12")
	r.op("JNZ outer")

	productEpilogue(r, half, vectors)
	return r
}

// productEpilogue adds the bias and the rows of R where there are any, and stores the sums.
func productEpilogue(r *routine, half, vectors int) {
	rows := 2 * half
	r.note("bias")
	r.field("Bias", "BX")
	r.op("TESTQ BX, BX")
	r.op("JZ residual")
	for v := range vectors {
		r.op("VMOVUPS %d(BX), %s", v*r.bytes(), r.v(rows*vectors+v))
	}
	for i := range rows {
		for v := range vectors {
			r.op("VADDPS %s, %s, %s", r.v(rows*vectors+v), r.v(i*vectors+v), r.v(i*vectors+v))
		}
	}
	r.label("residual")
	each := func(first, second, distance string, f func(i, v int)) {
		r.field(first, "SI")
		r.field(second, "DX")
		r.field(distance, "R8")
		for i := range half {
			for v := range vectors {
				f(i, v)
				f(i+half, v)
			}
			if i < half-1 {
				r.op("ADDQ R8, SI")
				r.op("ADDQ R8, DX")
			}
		}
	}
	pointer := func(i int) string {
		if i < half {
			return "SI"
		}
		return "DX"
	}
	r.field("R0", "SI")
	r.op("TESTQ SI, SI")
	r.op("JZ store")
	each("R0", "R1", "LdR", func(i, v int) {
		r.op("VADDPS %d(%s), %s, %s", v*r.bytes(), pointer(i), r.v(i*vectors+v), r.v(i*vectors+v))
	})
	r.label("store")
	each("C0", "C1", "LdC", func(i, v int) {
		r.op("VMOVUPS %s, %d(%s)", r.v(i*vectors+v), v*r.bytes(), pointer(i))
	})
}
