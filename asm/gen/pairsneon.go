package main

// neonEpilogue stores the segments of the present tile, whose sums lie in memory, and advances the
// lists. Registers 0 to 3 hold a row, 4 to 7 the bias, 8 to 11 what is added to the row.
func (r *routine) neonEpilogue() {
	row, bias, more := value{0, 1, 2, 3}, value{4, 5, 6, 7}, value{8, 9, 10, 11}
	r.note("segments")
	r.field("Sums", "R10")
	r.roundIn(value{16, 17})
	r.zero(bias)
	r.field("Bias", "BX")
	r.jumpIfZero("BX", "biased")
	r.move(bias, memory{base: "BX"})
	r.label("biased")
	r.peek(tileReg, 8, midCount)
	r.add(number(tileBytes), tileReg)
	r.label("segment")
	r.segment(1)
	r.jumpField("Wide", "NE", "$0", "wide")
	r.neonRows("row", "round", row, bias, more, true)
	r.jump("stored")
	r.neonRows("wide", "add", row, bias, more, false)
	r.label("stored")
	r.addJump(-1, midCount, "NE", "segment")
}

// neonRows stores the rows of a segment, as bfloat16 or as float32.
func (r *routine) neonRows(loop, store string, row, bias, more value, half bool) {
	r.mark(loop)
	r.move(row, memory{base: "BX"})
	r.do(add, row, row, bias)
	r.jumpIfZero("SI", store)
	r.move(more, memory{base: "SI", half: half})
	r.do(add, row, row, more)
	r.addField("LdR", "SI")
	r.mark(store)
	r.store(row, memory{base: "DI", half: half})
	r.add(number(4*pairCols), "BX")
	r.addField("LdC", "DI")
	r.addJump(-1, "CX", "NE", loop)
}
