package main

import "fmt"

// productRoutines makes the tiles of the matrix product: two segments of rows by one or more
// vectors of columns. The largest tile fills the registers; remainders need the smaller ones.
func productRoutines(t target) []*routine {
	var all []*routine
	t.eachProduct(func(half, cols int) { all = append(all, product(t, half, cols/t.lanes)) })
	return all
}

// eachProduct calls f for each tile, the widest and tallest first. half is the rows of one segment.
func (t target) eachProduct(f func(half, cols int)) {
	for _, cols := range t.cols {
		for _, half := range t.halves() {
			f(half, cols)
		}
	}
}

// halves lists the rows of a segment of each tile.
func (t target) halves() []int {
	var all []int
	for _, s := range t.segments {
		all = append(all, s.rows)
	}
	return all
}

// productName is the name of a tile's routine, without the target.
func productName(half, cols int) string { return fmt.Sprintf("Product2x%dx%d", half, cols) }

// product makes tiles of 2·half rows and vectors·lanes columns. The sums stay in registers over
// the whole K axis; the vectors of a row share one factor per k. The routine reads B two vectors at
// a time, because NEON's registers have no room for four beside 24 sums and the factors of 6 rows.
func product(t target, half, vectors int) *routine {
	cols := vectors * t.lanes
	r := newRoutine(t, productName(half, cols), "Product",
		fmt.Sprintf("is [ProductGo] of %d rows a segment and %d columns.", half, cols))
	r.clear(tileIndex)
	r.label("tile")
	sums := make([]value, 2*half)
	for i := range sums {
		sums[i] = r.take(vectors)
		r.zero(sums[i])
	}
	r.note("C, into the cache while the sums are made")
	r.jumpField("Fetch", "EQ", "$0", "sums")
	r.eachRow("C", sums, func(_ value, at memory) { r.prefetchRow(at, cols) })
	r.label("sums")
	rest := r.next
	b := r.take(min(vectors, 2))
	a := r.rows(half)
	r.field("B", "BX")
	x := r.factors(len(sums), func(i, step int) memory { return a.at(i, 4*step) }, false)
	r.productLoops(a.pointers, func(steps int) {
		x.fetch(steps)
		for u := range steps {
			for p := 0; p < vectors; p += len(b) {
				r.move(b, memory{base: "BX", disp: (u*vectors + p) * t.bytes()})
				for i, sum := range sums {
					r.do(fma, sum[p:p+len(b)], x.of(i, u), b)
				}
			}
		}
		r.add(number(4*steps), a.pointers...)
		r.add(number(4*steps*cols), "BX")
	})
	r.next = rest
	r.productEpilogue(sums)
	r.add("$1", tileIndex)
	r.jumpField("Tiles", "GT", tileIndex, "tile")
	return r
}

// tileIndex is the integer register that counts tiles.
const tileIndex = "R13"

// prefetchRow asks for the cache lines of a row of cols columns.
func (r *routine) prefetchRow(at memory, cols int) {
	for ; cols > 0; cols -= lineFloats {
		r.prefetch(at, 1)
		at.disp += 4 * lineFloats
	}
}

// lineFloats is the number of float32 in a cache line.
const lineFloats = 16

// productLoops writes the nest of loops that advances the pointers; step writes some steps of the
// inner loop.
func (r *routine) productLoops(pointers []string, step func(steps int)) {
	const unroll = 4
	r.field("N2", "R12")
	r.label("outer")
	r.field("N1", "R11")
	r.label("middle")
	r.field("K", "CX")
	r.addJump(-unroll, "CX", "LT", "tail")
	r.loop("inner")
	step(unroll)
	r.addJump(-unroll, "CX", "GE", "inner")
	r.label("tail")
	r.addJump(unroll, "CX", "EQ", "next")
	r.loop("single")
	step(1)
	r.addJump(-1, "CX", "NE", "single")
	r.label("next")
	r.addField("Step1", pointers...)
	r.addJump(-1, "R11", "NE", "middle")
	r.addField("Step2", pointers...)
	r.addJump(-1, "R12", "NE", "outer")
}

// productEpilogue adds the bias and the rows of R, if they are not nil, and stores the sums.
func (r *routine) productEpilogue(sums []value) {
	spare := r.take(len(sums[0]))
	r.note("bias")
	r.field("Bias", "BX")
	r.jumpIfZero("BX", "residual")
	r.move(spare, memory{base: "BX"})
	for _, sum := range sums {
		r.do(add, sum, sum, spare)
	}
	r.label("residual")
	r.field("R0", "SI")
	r.jumpIfZero("SI", "store")
	r.eachRow("R", sums, func(sum value, at memory) {
		at.spare = spare
		r.do(add, sum, sum, at)
	})
	r.label("store")
	r.eachRow("C", sums, func(sum value, at memory) { r.store(sum, at) })
}

// eachRow calls f for the rows of both segments of matrix R or C, with their addresses.
func (r *routine) eachRow(matrix string, sums []value, f func(sum value, at memory)) {
	r.field(matrix+"0", "SI")
	r.field(matrix+"1", "DX")
	r.field("Tile"+matrix, "R8")
	r.times("R8", tileIndex)
	r.add("R8", "SI", "DX")
	r.field("Ld"+matrix, "R8")
	half := len(sums) / 2
	for i := range half {
		f(sums[i], memory{base: "SI"})
		f(sums[i+half], memory{base: "DX"})
		if i < half-1 {
			r.add("R8", "SI", "DX")
		}
	}
}
