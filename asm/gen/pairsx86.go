package main

import (
	"fmt"
	"slices"
	"strings"
)

// This file spells what Go's assembler lacks for products of pairs on amd64, AVX512_BF16 and AMX,
// as bytes, with the text of a disassembler in a comment.

// registers are amd64's integer registers by number, and their names in a disassembler.
var (
	registers    = strings.Fields("AX CX DX BX SP BP SI DI R8 R9 R10 R11 R12 R13 R14 R15")
	disassembled = strings.Fields("%rax %rcx %rdx %rbx %rsp %rbp %rsi %rdi %r8 %r9 %r10 %r11 %r12 %r13 %r14 %r15")
)

// wide3 appends an instruction on three Z registers.
func (r *routine) wide3(name string, a, b, dst int) {
	r.op("%s %s", name, arranged("Z%d", a, b, dst))
}

// code appends an instruction by its bytes, with the text of a disassembler.
func (r *routine) code(bytes []byte, format string, args ...any) {
	var all []string
	for _, b := range bytes {
		all = append(all, fmt.Sprintf("BYTE $0x%02x", b))
	}
	r.op("%s // %s", strings.Join(all, "; "), fmt.Sprintf(format, args...))
}

// vdpbf16 writes VDPBF16PS: sum += products of the pairs of a and b. All three are Z registers.
func (r *routine) vdpbf16(a, b, sum int) {
	flip := func(n, bit int) byte { return byte(^n >> bit & 1) }
	p0 := flip(sum, 3)<<7 | flip(a, 4)<<6 | flip(a, 3)<<5 | flip(sum, 4)<<4 | 2
	p1 := byte(^b&15)<<3 | 1<<2 | 2
	p2 := byte(2)<<5 | flip(b, 4)<<3
	modrm := byte(0xc0 | sum&7<<3 | a&7)
	r.code([]byte{0x62, p0, p1, p2, 0x52, modrm}, "vdpbf16ps %%zmm%d,%%zmm%d,%%zmm%d", a, b, sum)
}

// tile writes an instruction on tiles in VEX with the given second and third byte.
func (r *routine) tile(second, third, opcode byte, rest []byte, format string, args ...any) {
	r.code(append([]byte{0xc4, second, third, opcode}, rest...), format, args...)
}

// tileAt returns the second byte of VEX and the operand of a tile in memory, whose rows begin at
// base and are index bytes apart, with its text.
func tileAt(tile int, base, index string) (second byte, operand []byte, text string) {
	b, i := slices.Index(registers, base), slices.Index(registers, index)
	second = 0xe2 &^ byte(i>>3<<6|b>>3<<5)
	return second, []byte{byte(tile<<3 | 4), byte(i&7<<3 | b&7)}, fmt.Sprintf("(%s,%s,1)", disassembled[b], disassembled[i])
}

func (r *routine) tileLoad(tile int, base, index string) {
	second, operand, text := tileAt(tile, base, index)
	r.tile(second, 0x7b, 0x4b, operand, "tileloadd %s,%%tmm%d", text, tile)
}

func (r *routine) tileStore(tile int, base, index string) {
	second, operand, text := tileAt(tile, base, index)
	r.tile(second, 0x7a, 0x4b, operand, "tilestored %%tmm%d,%s", tile, text)
}

func (r *routine) tileZero(tile int) {
	r.tile(0xe2, 0x7b, 0x49, []byte{byte(0xc0 | tile<<3)}, "tilezero %%tmm%d", tile)
}

// tileDot adds the products of the pairs of tiles a and b to a tile of sums.
func (r *routine) tileDot(sum, a, b int) {
	r.tile(0xe2, byte(^b&15<<3|2), 0x5c, []byte{byte(0xc0 | sum<<3 | a)}, "tdpbf16ps %%tmm%d,%%tmm%d,%%tmm%d", b, a, sum)
}

// tileConfigure loads the configuration at DX.
func (r *routine) tileConfigure() { r.tile(0xe2, 0x78, 0x49, []byte{2}, "ldtilecfg (%%rdx)") }

func (r *routine) tileRelease() { r.tile(0xe2, 0x78, 0x49, []byte{0xc0}, "tilerelease") }

// The tiles, as PairConfig of package asm configures them: sums, A and B.
const (
	sumTile = 0
	aTile   = 4
	bTile   = 6
)

// unitPairs goes through the tiles two at a time, and then through the one that may be left. Both
// share the code that stores their segments.
func (r *routine) unitPairs(cols int) {
	groups := cols / pairCols
	r.op("LEAQ Pairs_Config(AX), DX")
	r.tileConfigure()
	r.lists()
	r.op("CMPQ %s, $2", tilesLeft)
	r.op("JLT single")
	r.label("pair")
	r.unitSums(2, groups)
	r.op("MOVQ $2, %s", outerCount)
	r.jump("store")
	r.label("single")
	r.unitSums(1, groups)
	r.op("MOVQ $1, %s", outerCount)
	r.label("store")
	r.op("SUBQ %s, %s", outerCount, tilesLeft)
	r.field("Sums", "R10")
	r.label("tile")
	r.pairEpilogue(groups)
	r.add(number(4*pairCols*groups*pairUnit), "R10")
	r.addJump(-1, outerCount, "NE", "tile")
	r.op("CMPQ %s, $1", tilesLeft)
	r.op("JGT pair")
	r.op("JEQ single")
	r.tileRelease()
}

// unitSums makes the sums of one or two tiles of one or two groups of columns, and stores them.
func (r *routine) unitSums(tiles, groups int) {
	a, b := []string{"SI", "DX"}[:tiles], []string{"BX", "DI"}[:groups]
	name := fmt.Sprint(tiles)
	sum := func(i, j int) int { return sumTile + 2*i + j }
	for i := range tiles {
		for j := range groups {
			r.tileZero(sum(i, j))
		}
		r.peek(tileReg, tileBytes*i, a[i])
		r.addField("A", a[i])
	}
	for j := range groups {
		r.field("B", b[j])
	}
	if groups == 2 {
		r.addField("GroupB", b[1])
	}
	r.field("LdA", "R8")
	r.op("MOVQ $%d, R9", 4*pairCols)
	r.field("Unit", "CX")
	r.multiply("CX", 4)
	r.pairLoops("Blocks", "R10", name, a, func() {
		for j := range groups {
			r.tileLoad(bTile+j, b[j], "R9")
		}
		for i := range tiles {
			r.tileLoad(aTile+i, a[i], "R8")
			for j := range groups {
				r.tileDot(sum(i, j), aTile+i, bTile+j)
			}
		}
		r.add("CX", a...)
		for _, reg := range slices.Concat(b, b) { // twice 8 times the bytes of a row of A
			r.address(reg, "CX", 8, reg)
		}
	})
	r.field("Sums", "BX")
	r.op("MOVQ $%d, R9", 4*pairCols*groups)
	for i := range tiles {
		for j := range groups {
			r.tileStore(sum(i, j), "BX", "R9")
			r.add(number(4*pairCols), "BX")
		}
		r.add(number(4*pairCols*groups*(pairUnit-1)), "BX")
	}
}

// unitPeak multiplies tiles of zeros into four tiles of sums by turns.
func (r *routine) unitPeak() {
	r.op("LEAQ Pairs_Config(AX), DX")
	r.tileConfigure()
	for tile := range 8 {
		r.tileZero(tile)
	}
	r.loop("round")
	for tile := range 4 {
		r.tileDot(sumTile+tile, aTile+tile/2, bTile+tile%2)
	}
	r.addJump(-1, "CX", "NE", "round")
	r.tileRelease()
}

// pairEpilogue stores the segments of the present tile, whose sums lie in memory, row after row: in
// args.Sums, or where R10 points to for a matrix unit. It advances the lists.
func (r *routine) pairEpilogue(groups int) {
	if r.arch == "arm64" {
		r.neonEpilogue()
		return
	}
	r.note("segments")
	if r.unit == 0 {
		r.field("Sums", "R10")
	}
	r.vectorConstants(groups)
	r.peek(tileReg, 8, midCount)
	r.add(number(tileBytes), tileReg)
	r.label("segment")
	r.segment(groups)
	r.jumpField("Wide", "NE", "$0", "wide")
	r.mark("row")
	r.halfRow(groups)
	r.addJump(-1, "CX", "NE", "row")
	r.jump("stored")
	r.label("wide")
	r.wideRow(groups)
	r.addJump(-1, "CX", "NE", "wide")
	r.label("stored")
	r.addJump(-1, midCount, "NE", "segment")
}

// segment sets BX to the first row of the next segment's sums, CX to its rows, DI to where they go,
// and SI to the rows that are added or to 0.
func (r *routine) segment(groups int) {
	r.peek(segmentReg, 0, "BX")
	r.multiply("BX", 4*pairCols*groups)
	r.add("R10", "BX")
	r.peek(segmentReg, 8, "CX")
	r.peek(segmentReg, 16, "DI")
	r.addField("C", "DI")
	r.field("R", "SI")
	r.jumpIfZero("SI", "sums")
	r.peek(segmentReg, 24, "DX")
	r.add("DX", "SI")
	r.label("sums")
	r.add(number(segmentBytes), segmentReg)
}

// The registers of the epilogue on amd64: K1 and K2 mask the columns, Z28 and Z29 hold the bias,
// and Z30 what rounding adds.
func (r *routine) vectorConstants(groups int) {
	for g := range groups {
		r.op("KMOVW %s, K%d", r.machine.(*x86).of(fmt.Sprintf("Mask+%d", 8*g)), g+1)
		r.zero(value{28 + g})
	}
	r.op("MOVL $0x7fff, BX")
	r.op("VPBROADCASTD BX, Z30")
	r.field("Bias", "BX")
	r.jumpIfZero("BX", "biased")
	for g := range groups {
		r.op("VMOVUPS.Z %d(BX), K%d, Z%d", 4*pairCols*g, g+1, 28+g)
	}
	r.label("biased")
}

// biasedRow loads a row of sums into Z0 and Z1, and adds the bias. added writes the code that adds
// the row at SI to register g, where there is one; label names its end.
func (r *routine) biasedRow(groups int, label string, added func(g int)) {
	for g := range groups {
		r.op("VADDPS %d(BX), Z%d, Z%d", 4*pairCols*g, 28+g, g)
	}
	r.jumpIfZero("SI", label)
	for g := range groups {
		added(g)
		r.wide3("VADDPS", 2+g, g, g)
	}
	r.addField("LdR", "SI")
	r.mark(label)
}

// halfRow rounds a row of sums, and stores it as bfloat16.
func (r *routine) halfRow(groups int) {
	r.biasedRow(groups, "round", func(g int) {
		r.op("VPMOVZXWD.Z %d(SI), K%d, Z%d", 2*pairCols*g, g+1, 2+g)
		r.op("VPSLLD $16, Z%d, Z%d", 2+g, 2+g)
	})
	for g := range groups {
		r.op("VPSLLD $15, Z%d, Z%d", g, 2+g)
		r.op("VPSRLD $31, Z%d, Z%d", 2+g, 2+g)
		r.wide3("VPADDD", g, 2+g, 2+g)
		r.op("VPADDD Z30, Z%d, Z%d", 2+g, 2+g)
		r.op("VPSRLD $16, Z%d, Z%d", 2+g, 2+g)
		r.op("VPMOVDW Z%d, K%d, %d(DI)", 2+g, g+1, 2*pairCols*g)
	}
	r.nextRow(groups)
}

// wideRow stores a row of sums as float32.
func (r *routine) wideRow(groups int) {
	r.biasedRow(groups, "add", func(g int) {
		r.op("VMOVUPS.Z %d(SI), K%d, Z%d", 4*pairCols*g, g+1, 2+g)
	})
	for g := range groups {
		r.op("VMOVUPS Z%d, K%d, %d(DI)", g, g+1, 4*pairCols*g)
	}
	r.nextRow(groups)
}

func (r *routine) nextRow(groups int) {
	r.add(number(4*pairCols*groups), "BX")
	r.addField("LdC", "DI")
}
