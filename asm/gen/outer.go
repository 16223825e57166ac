package main

import "fmt"

// outerRoutines lists the tiles of the sum of outer products.
func outerRoutines(t target) []*routine {
	var all []*routine
	rows, vectors := []int{6, 4, 2, 1}, []int{2}
	if t.count == 32 {
		rows, vectors = []int{8, 4, 2, 1}, []int{2, 1}
	}
	for _, v := range vectors {
		for _, m := range rows {
			all = append(all, outer(t, m, v))
		}
	}
	return all
}

// outer is a tile of rows by vectors·lanes columns, whose sums stay in registers over all pixels.
func outer(t target, rows, vectors int) *routine {
	cols := vectors * t.lanes
	r := newRoutine(t, fmt.Sprintf("Outer%dx%d", rows, cols), "Outer",
		fmt.Sprintf("is [OuterGo] of %d rows and %d columns.", rows, cols))
	b := func(vec int) int { return rows*vectors + vec }
	for i := range rows * vectors {
		r.zero(i)
	}
	r.field("A", "SI")
	r.field("B", "DX")
	r.field("LdA", "R8")
	r.field("LdB", "R9")
	r.field("N2", "R12")
	r.label("images")
	r.field("N1", "R11")
	r.label("lines")
	r.field("N0", "CX")
	r.loop("pixels")
	for v := range vectors {
		r.op("VMOVUPS %d(DX), %s", v*t.bytes(), r.v(b(v)))
	}
	for i := range rows {
		x := b(vectors-1) + 1 + i%min(t.count-(rows+1)*vectors, 2)
		r.op("VBROADCASTSS %d(SI), %s", 4*i, r.v(x))
		for v := range vectors {
			r.op("VFMADD231PS %s, %s, %s", r.v(b(v)), r.v(x), r.v(i*vectors+v))
		}
	}
	r.op("ADDQ R8, SI")
	r.op("ADDQ R9, DX")
	r.op("DECQ CX")
	r.op("JNZ pixels")
	for _, level := range []struct{ n, label, counter string }{{"1", "lines", "R11"}, {"2", "images", "R12"}} {
		r.op("ADDQ Outer_StepA%s(AX), SI", level.n)
		r.op("ADDQ Outer_StepB%s(AX), DX", level.n)
		r.op("DECQ %s", level.counter)
		r.op("JNZ %s", level.label)
	}
	outerEpilogue(r, rows, vectors)
	return r
}

// outerEpilogue adds the sums to C, or stores them.
func outerEpilogue(r *routine, rows, vectors int) {
	r.field("C", "DX")
	r.field("LdC", "R8")
	each := func(f func(i, v int)) {
		for i := range rows {
			for v := range vectors {
				f(i, v)
			}
			if i < rows-1 {
				r.op("ADDQ R8, DX")
			}
		}
	}
	r.op("CMPQ Outer_Set(AX), $0")
	r.op("JNE store")
	r.note("sums += C")
	each(func(i, v int) {
		r.op("VADDPS %d(DX), %s, %s", v*r.bytes(), r.v(i*vectors+v), r.v(i*vectors+v))
	})
	r.field("C", "DX")
	r.label("store")
	each(func(i, v int) {
		r.op("VMOVUPS %s, %d(DX)", r.v(i*vectors+v), v*r.bytes())
	})
}
