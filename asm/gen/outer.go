package main

import "fmt"

// outerRoutines makes the tiles of the sum of outer products.
func outerRoutines(t target) []*routine {
	var all []*routine
	t.eachOuter(func(rows, cols int) { all = append(all, outer(t, rows, cols/t.lanes)) })
	return all
}

// eachOuter calls f for each tile, the widest and tallest first.
func (t target) eachOuter(f func(rows, cols int)) {
	for _, cols := range t.cols {
		for _, rows := range t.outer {
			f(rows, cols)
		}
	}
}

// outerName is the name of a tile's routine, without the target.
func outerName(rows, cols int) string { return fmt.Sprintf("Outer%dx%d", rows, cols) }

// outer is a tile of rows by vectors·lanes columns. Its sums stay in registers over all pixels.
func outer(t target, rows, vectors int) *routine {
	cols := vectors * t.lanes
	r := newRoutine(t, outerName(rows, cols), "Outer",
		fmt.Sprintf("is [OuterGo] of %d rows and %d columns.", rows, cols))
	sums := make([]value, rows)
	for i := range sums {
		sums[i] = r.take(vectors)
		r.zero(sums[i])
	}
	r.note("C, into the cache while the sums are made")
	r.field("LdC", "R8")
	r.eachSum(sums, func(_ value, at memory) { r.prefetchRow(at, cols) })
	rest := r.next
	b := r.take(vectors)
	a := r.factors(rows, func(i, _ int) memory { return memory{base: "SI", disp: 4 * i} }, true)
	r.field("A", "SI")
	r.field("B", "DX")
	r.field("LdA", "R8")
	r.field("LdB", "R9")
	r.outerLoops(func() {
		r.move(b, memory{base: "DX"})
		a.fetch(1)
		for i, sum := range sums {
			r.do(fma, sum, a.of(i, 0), b)
		}
		r.add("R8", "SI")
		r.add("R9", "DX")
	})
	r.next = rest
	r.outerEpilogue(sums)
	return r
}

// outerLoops writes the nest of loops; step writes the work for one pair of vectors.
func (r *routine) outerLoops(step func()) {
	r.field("N2", "R12")
	r.label("images")
	r.field("N1", "R11")
	r.label("lines")
	r.field("N0", "CX")
	r.loop("pixels")
	step()
	r.addJump(-1, "CX", "NE", "pixels")
	for _, level := range []struct{ n, label, counter string }{{"1", "lines", "R11"}, {"2", "images", "R12"}} {
		r.addField("StepA"+level.n, "SI")
		r.addField("StepB"+level.n, "DX")
		r.addJump(-1, level.counter, "NE", level.label)
	}
}

// outerEpilogue adds the sums to C, or stores them.
func (r *routine) outerEpilogue(sums []value) {
	spare := r.take(len(sums[0]))
	r.field("LdC", "R8")
	r.jumpField("Set", "NE", "$0", "store")
	r.note("sums += C")
	r.eachSum(sums, func(sum value, at memory) {
		at.spare = spare
		r.do(add, sum, sum, at)
	})
	r.label("store")
	r.eachSum(sums, r.store)
}

// eachSum calls f for each row of C; the distance between rows is in R8.
func (r *routine) eachSum(sums []value, f func(sum value, at memory)) {
	r.field("C", "DX")
	for i, sum := range sums {
		f(sum, memory{base: "DX"})
		if i < len(sums)-1 {
			r.add("R8", "DX")
		}
	}
}
