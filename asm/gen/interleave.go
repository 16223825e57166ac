package main

import (
	"fmt"
	"slices"
)

// copyReg copies an integer register.
func (r *routine) copyReg(from, to string) {
	if r.arch == "amd64" {
		r.op("MOVQ %s, %s", from, to)
		return
	}
	r.op("MOVD %s, %s", integer(from), integer(to))
}

// interleave makes pairs of pixels, one group of channels after another. SI and DI point to the
// group in the source and the destination, DX to the line, R8 to the pixel and BX to the pair.
func interleave(t target) *routine {
	doc := "is [InterleaveGo]."
	if t.arch == "arm64" {
		doc = fmt.Sprintf("is [InterleaveGo] for args.C a multiple of %d.", pairCols)
	}
	r := newRoutine(t, "Interleave", "Interleave", doc)
	r.field("Src", "SI")
	r.field("Dst", "DI")
	r.field("C", "R12")
	r.field("LdSrc", "R9")
	r.label("group")
	r.groupMask()
	r.copyReg("SI", "DX")
	r.copyReg("DI", "BX")
	r.field("Lines", "R11")
	r.label("line")
	r.copyReg("DX", "R8")
	r.field("Pixels", "CX")
	r.addJump(-2, "CX", "LT", "odd")
	r.loop("pair")
	r.storePair(2)
	r.addJump(-2, "CX", "GE", "pair")
	r.label("odd")
	r.addJump(2, "CX", "EQ", "rest")
	r.storePair(1)
	r.label("rest")
	r.field("Rest", "CX")
	r.jumpIfZero("CX", "next")
	r.loop("zeros")
	r.storePair(0)
	r.addJump(-1, "CX", "NE", "zeros")
	r.label("next")
	r.addField("LineSrc", "DX")
	r.addJump(-1, "R11", "NE", "line")
	r.add(number(2*pairCols), "SI")
	r.addField("Group", "DI")
	r.addJump(-pairCols, "R12", "GT", "group")
	return r
}

// groupMask sets K1 to the channels of the group, on amd64.
func (r *routine) groupMask() {
	if r.arch != "amd64" {
		return
	}
	r.op("MOVL $0xffff, BX")
	r.op("KMOVW BX, K1")
	r.op("CMPQ R12, $%d", pairCols)
	r.op("JGT lines")
	r.op("KMOVW Interleave_Last(AX), K1")
	r.mark("lines")
}

// storePair writes a pair of which as many pixels are read; the others are zero.
func (r *routine) storePair(pixels int) {
	if r.arch == "arm64" {
		r.storePairNEON(pixels)
	} else {
		if pixels == 0 {
			r.zero(value{0})
		}
		for i := range pixels {
			r.op("VPMOVZXWD.Z (R8), K1, Z%d", i)
			r.add("R9", "R8")
		}
		if pixels == 2 {
			r.op("VPSLLD $16, Z1, Z1")
			r.op("VPORD Z0, Z1, Z0")
		}
		r.store(value{0}, memory{base: "BX"})
	}
	r.add(number(4*pairCols), "BX")
}

func (r *routine) storePairNEON(pixels int) {
	first, second, result := value{0, 1}, value{2, 3}, value{4, 5, 6, 7}
	for i, v := range []value{first, second} {
		if i >= pixels {
			r.zero(v)
			continue
		}
		r.move(v, memory{base: "R8"})
		r.add("R9", "R8")
	}
	for i := range first {
		r.op("VZIP1 %s", arranged("V%d.H8", second[i], first[i], result[2*i]))
		r.op("VZIP2 %s", arranged("V%d.H8", second[i], first[i], result[2*i+1]))
	}
	r.store(result, memory{base: "BX"})
}

// turn transposes matrices of 16 rows of 16 pairs.
func turn(t target) *routine {
	r := newRoutine(t, "Turn", "Turn", "is [TurnGo].")
	r.field("Src", "SI")
	r.field("Dst", "DI")
	r.field("LdSrc", "R8")
	r.field("LdDst", "R9")
	r.field("Blocks", "CX")
	r.loop("block")
	if t.arch == "arm64" {
		r.turnNEON()
	} else {
		r.turnVectors()
	}
	r.add(number(4*pairCols), "DI")
	r.addJump(-1, "CX", "NE", "block")
	return r
}

// turnVectors exchanges pairs of registers, then pairs of pairs, and then quarters twice.
func (r *routine) turnVectors() {
	x, y := r.take(16), r.take(16)
	for _, reg := range x {
		r.move(value{reg}, memory{base: "SI"})
		r.add("R8", "SI")
	}
	mix := func(name string, dst, first, second int) { r.wide3(name, second, first, dst) }
	for i := 0; i < 16; i += 2 {
		mix("VPUNPCKLDQ", y[i], x[i], x[i+1])
		mix("VPUNPCKHDQ", y[i+1], x[i], x[i+1])
	}
	for i := 0; i < 16; i += 4 { // x[i+j]: in quarter q, column 4·q + j of rows i to i+3
		mix("VPUNPCKLQDQ", x[i], y[i], y[i+2])
		mix("VPUNPCKHQDQ", x[i+1], y[i], y[i+2])
		mix("VPUNPCKLQDQ", x[i+2], y[i+1], y[i+3])
		mix("VPUNPCKHQDQ", x[i+3], y[i+1], y[i+3])
	}
	const even, odd = "VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,"
	columns := make(value, 16)
	for j := range 4 {
		mix(even, y[4*j], x[j], x[4+j])
		mix(odd, y[4*j+1], x[j], x[4+j])
		mix(even, y[4*j+2], x[8+j], x[12+j])
		mix(odd, y[4*j+3], x[8+j], x[12+j])
	}
	for j := range 4 {
		for q := range 4 {
			columns[4*q+j] = x[4*j+q]
			name := []string{even, odd}[q/2]
			mix(name, x[4*j+q], y[4*j+q%2], y[4*j+2+q%2])
		}
	}
	r.copyReg("DI", "BX")
	for _, reg := range columns {
		r.store(value{reg}, memory{base: "BX"})
		r.add("R9", "BX")
	}
}

// turnNEON goes through squares of 4 rows of 4 pairs.
func (r *routine) turnNEON() {
	rows, halves, columns := value{0, 1, 2, 3}, value{4, 5, 6, 7}, value{16, 17, 18, 19}
	pointers := []string{"SI", "R16", "R17", "R19"}
	for i := range 4 {
		r.copyReg("DI", "BX")
		r.add(number(16*i), "BX")
		for k, reg := range slices.Clone(pointers[1:]) {
			r.op("ADD R8, %s, %s", integer(pointers[k]), integer(reg))
		}
		for j := range 4 {
			for k, reg := range rows {
				r.move(value{reg}, memory{base: pointers[k], disp: 16 * j})
			}
			zip := func(name string, dst, first, second int) {
				r.op("%s %s", name, arranged("V%d.S4", second, first, dst))
			}
			zip("VZIP1", halves[0], rows[0], rows[2])
			zip("VZIP2", halves[1], rows[0], rows[2])
			zip("VZIP1", halves[2], rows[1], rows[3])
			zip("VZIP2", halves[3], rows[1], rows[3])
			for k := range 2 {
				zip("VZIP1", columns[2*k], halves[k], halves[2+k])
				zip("VZIP2", columns[2*k+1], halves[k], halves[2+k])
			}
			for _, reg := range columns {
				r.store(value{reg}, memory{base: "BX"})
				r.add("R9", "BX")
			}
		}
		r.op("ADD R8, %s, %s", integer("R19"), integer("SI"))
	}
}
