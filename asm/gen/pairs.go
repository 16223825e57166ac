package main

import (
	"fmt"
	"strings"
)

// pairRoutines makes the tiles of products of pairs, and what prepares their operands. A target
// takes over Interleave and Turn from a target before it that has them.
func pairRoutines(t target) []*routine {
	var all []*routine
	t.eachPairs(func(rows, cols int) { all = append(all, pairs(t, rows, cols)) })
	all = append(all, pairPeak(t))
	if t.hasPairing() {
		all = append(all, interleave(t), turn(t))
	}
	return all
}

// hasPairing reports whether a target has Interleave and Turn of its own.
func (t target) hasPairing() bool { return t.pairs != nil && t.unit == 0 }

// eachPairs calls f for each tile, the widest and tallest first.
func (t target) eachPairs(f func(rows, cols int)) {
	for _, cols := range t.pairWidths() {
		for _, rows := range t.rows {
			f(rows, cols)
		}
	}
}

// pairWidths lists the widths of the tiles of products of pairs: two groups of columns and one, or
// one where more do not fit in the registers.
func (t target) pairWidths() []int {
	if t.arch == "arm64" {
		return []int{pairCols}
	}
	return []int{2 * pairCols, pairCols}
}

// pairsName is the name of a tile's routine, without the target.
func pairsName(rows, cols int) string { return fmt.Sprintf("Pairs%dx%d", rows, cols) }

// pairs makes tiles of some rows and columns. A tile's sums go to memory, from where its segments
// are stored.
func pairs(t target, rows, cols int) *routine {
	doc := fmt.Sprintf("is [PairsGo] of %d rows and %d columns with [%s].", rows, cols, t.dot)
	switch {
	case t.unit > 0:
		doc = strings.Replace(doc, fmt.Sprintf("%d rows", rows), "the rows of args.Config", 1)
	case t.arch == "arm64":
		doc += fmt.Sprintf("\nargs.Cols is %d.", cols)
	}
	r := newRoutine(t, pairsName(rows, cols), "Pairs", doc)
	if t.unit > 0 {
		r.unitPairs(cols)
		return r
	}
	r.vectorPairs(rows, cols/t.lanes)
	return r
}

// The integer registers that routines of Pairs keep: the segments and the tiles that follow, and
// how many tiles there are. The loops over A count in the others.
const (
	segmentReg = "R11"
	tilesLeft  = "R12"
	tileReg    = "R13"
	outerCount = "R14"
	midCount   = "R15"
)

// Sizes of the elements of package asm's lists, in bytes.
const (
	tileBytes    = 16
	segmentBytes = 32
)

// peek sets a register to the word at base + disp.
func (r *routine) peek(base string, disp int, reg string) {
	if r.arch == "amd64" {
		r.op("MOVQ %d(%s), %s", disp, base, reg)
		return
	}
	r.op("MOVD %d(%s), %s", disp, integer(base), integer(reg))
}

// lists loads the pointers to tiles and segments, and the number of tiles.
func (r *routine) lists() {
	r.field("Tiles", tileReg)
	r.field("Segments", segmentReg)
	r.field("N", tilesLeft)
}

// pairLoops writes the nest of loops that advances the pointers into A; step writes the work of one
// step of the inner loop, of which there are args.count.
func (r *routine) pairLoops(count, inner, name string, pointers []string, step func()) {
	r.field("N2", outerCount)
	r.label("outer" + name)
	r.field("N1", midCount)
	r.label("middle" + name)
	r.field(count, inner)
	r.loop("inner" + name)
	step()
	r.addJump(-1, inner, "NE", "inner"+name)
	r.addField("Step1", pointers...)
	r.addJump(-1, midCount, "NE", "middle"+name)
	r.addField("Step2", pointers...)
	r.addJump(-1, outerCount, "NE", "outer"+name)
}

// vectorPairs keeps the sums of a tile in registers. A pair of A is spread over a register, or is
// an element of one; a row of a group of B is a register, or four.
func (r *routine) vectorPairs(rows, vectors int) {
	r.lists()
	r.label("tile")
	sums := make([]value, rows)
	for i := range sums {
		sums[i] = r.take(vectors)
		r.zero(sums[i])
	}
	rest := r.next
	b := r.take(min(vectors, 2))
	pointers, at := r.pairRows(rows)
	r.field("B", "BX")
	groups := vectors * r.lanes / pairCols
	if groups == 2 {
		r.field("B", "DI")
		r.addField("GroupB", "DI")
	}
	r.pairSteps(pointers, func(steps int) {
		x := r.pairFactors(rows, at, steps)
		for u := range steps {
			for p := 0; p < vectors; p += len(b) {
				r.pairRow(b, groups, u, p)
				for i, sum := range sums {
					r.pairDot(sum[p:p+len(b)], b, x, i, u)
				}
			}
		}
	}, groups)
	r.next = rest
	r.note("the sums, into memory")
	r.field("Sums", "BX")
	for i, sum := range sums {
		r.store(sum, memory{base: "BX", disp: 4 * pairCols * groups * i})
	}
	r.next = 0
	r.pairEpilogue(groups)
	r.addJump(-1, tilesLeft, "NE", "tile")
}

// pairSteps writes the loops of vectorPairs; step writes some steps of the inner loop. arm64 takes
// four steps at a time, the pairs of a register.
func (r *routine) pairSteps(pointers []string, step func(steps int), groups int) {
	advance := func(steps int) {
		r.add(number(4*steps), pointers...)
		r.add(number(4*pairCols*steps), []string{"BX", "DI"}[:groups]...)
	}
	if r.arch == "amd64" {
		r.pairLoops("Inner", "CX", "", pointers, func() { step(1); advance(1) })
		return
	}
	r.field("N2", outerCount)
	r.label("outer")
	r.field("N1", midCount)
	r.label("middle")
	r.field("Inner", "CX")
	r.addJump(-4, "CX", "LT", "tail")
	r.loop("inner")
	step(4)
	advance(4)
	r.addJump(-4, "CX", "GE", "inner")
	r.label("tail")
	r.addJump(4, "CX", "EQ", "next")
	r.loop("single")
	step(1)
	advance(1)
	r.addJump(-1, "CX", "NE", "single")
	r.label("next")
	r.addField("Step1", pointers...)
	r.addJump(-1, midCount, "NE", "middle")
	r.addField("Step2", pointers...)
	r.addJump(-1, outerCount, "NE", "outer")
}

// pairRow loads part of a row of B: registers [p, p+len(b)) of all groups.
func (r *routine) pairRow(b value, groups, step, p int) {
	if groups == 2 {
		r.move(b[:1], memory{base: "BX"})
		r.move(b[1:], memory{base: "DI"})
		return
	}
	r.move(b, memory{base: "BX", disp: 4*pairCols*step + p*r.bytes()})
}

// pairRows points to the rows of A of the present tile.
func (r *routine) pairRows(rows int) (pointers []string, at func(i, disp int) memory) {
	r.peek(tileReg, 0, "SI")
	r.addField("A", "SI")
	r.field("LdA", "R8")
	if r.arch == "arm64" {
		pointers = []string{"SI", "R16", "R17", "DX", "R19", "R20"}[:rows]
		for i := range rows - 1 {
			r.op("ADD R8, %s, %s", integer(pointers[i]), integer(pointers[i+1]))
		}
		return pointers, func(i, disp int) memory { return memory{base: pointers[i], disp: disp} }
	}
	pointers = []string{"SI", "DX"}[:(rows+6)/7]
	if rows > 3 {
		r.address("R8", "R8", 2, "R9")
		r.address("R8", "R8", 4, "R10")
	}
	if rows > 7 {
		r.address("SI", "R8", 1, "DX")
		r.address("DX", "R9", 2, "DX")
	}
	multiples := [...]memory{
		{}, {index: "R8"}, {index: "R8", scale: 2}, {index: "R9"},
		{index: "R8", scale: 4}, {index: "R10"}, {index: "R9", scale: 2},
	}
	return pointers, func(i, disp int) memory {
		m := multiples[i%7]
		m.base, m.disp = pointers[i/7], disp
		return m
	}
}

// A pairFactor gives the pair of row i at a step: on amd64 it writes the load of it too.
type pairFactor func(i, step int) element

// pairFactors prepares the pairs of A for some steps.
func (r *routine) pairFactors(rows int, at func(i, disp int) memory, steps int) pairFactor {
	free := r.next
	defer func() { r.next = free }()
	if r.arch == "amd64" {
		regs := r.take(min(r.count-r.next, 2))
		return func(i, step int) element {
			reg := regs[i%len(regs)]
			r.op("VPBROADCASTD %s, %s", r.machine.(*x86).at(at(i, 4*step), 0), r.v(reg))
			return element{reg, 0}
		}
	}
	regs := r.take(rows)
	for i, reg := range regs {
		m := at(i, 0)
		r.op("%s (%s), F%d", map[int]string{4: "FMOVQ", 1: "FMOVS"}[steps], integer(m.base), reg)
	}
	return func(i, step int) element { return element{regs[i], step} }
}

// pairDot adds the products of a row of B and the pair of row i of A to the sums.
func (r *routine) pairDot(sum, b value, x pairFactor, i, step int) {
	e := x(i, step)
	for k := range sum {
		if a, ok := r.machine.(*arm64); ok {
			lane := e.lane&1<<21 | e.lane>>1<<11
			a.word(0x4f40f000|uint32(lane|e.reg<<16|b[k]<<5|sum[k]), "bfdot v%d.4s, v%d.8h, v%d.2h[%d]",
				sum[k], b[k], e.reg, e.lane)
			continue
		}
		r.vdpbf16(e.reg, b[k], sum[k])
	}
}

// pairPeak does args.N rounds of products on registers alone.
func pairPeak(t target) *routine {
	r := newRoutine(t, "PairPeak", "Pairs",
		"does args.N rounds of products of pairs on registers alone,\nto measure the peak of the CPU.")
	r.field("N", "CX")
	if t.unit > 0 {
		r.unitPeak()
		return r
	}
	sums, factors := r.take(pairPeakChains), r.take(2)
	r.zero(sums)
	r.zero(factors)
	r.loop("round")
	for _, s := range sums {
		r.pairDot(value{s}, factors[:1], func(int, int) element { return element{factors[1], 0} }, 0, 0)
	}
	r.addJump(-1, "CX", "NE", "round")
	return r
}

// pairPeakChains is the number of independent sums of PairPeak on vectors.
const pairPeakChains = 24

// pairPeakOperations returns the operations of a round of PairPeak.
func (t target) pairPeakOperations() int {
	if t.unit > 0 {
		return 4 * 2 * pairCols * pairUnit * 2 * pairUnit
	}
	return pairPeakChains * 4 * t.lanes
}
