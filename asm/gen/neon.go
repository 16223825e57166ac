package main

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// arm64 spells routines for NEON of ARMv8.0. It writes instructions that Go's assembler lacks as
// words, with the text of a disassembler in a comment. Constants lie in the last registers, four in
// each, and instructions take them by element.
type arm64 struct {
	*listing
	constants map[string]element
}

func newNEON(l *listing) machine { return &arm64{listing: l, constants: map[string]element{}} }

// scratch is an integer register that routines do not name. R18 belongs to the platform, R27 to the
// assembler and R28 to Go.
const scratch = "R26"

// integers holds arm64's names of the registers whose names differ from amd64's.
var integers = map[string]string{"AX": "R0", "BX": "R1", "CX": "R2", "DX": "R3", "SI": "R4", "DI": "R5"}

// integer returns arm64's name of an integer register; it returns a constant unchanged.
func integer(reg string) string {
	if name, ok := integers[reg]; ok {
		return name
	}
	return reg
}

func (a *arm64) begin() { a.op("MOVD args+0(FP), R0") }
func (a *arm64) end()   { a.op("RET") }

func (a *arm64) field(name, reg string) {
	name = a.args + "_" + name
	if strings.Contains(name, "+") {
		name = "(" + name + ")"
	}
	a.op("MOVD %s(R0), %s", name, integer(reg))
}

func (a *arm64) addField(name string, regs ...string) {
	a.field(name, scratch)
	a.add(scratch, regs...)
}

func (a *arm64) add(by string, regs ...string) {
	for _, reg := range regs {
		a.op("ADD %s, %s", integer(by), integer(reg))
	}
}

func (a *arm64) clear(reg string) { a.op("MOVD ZR, %s", integer(reg)) }

func (a *arm64) times(reg, by string) { a.op("MUL %s, %s", integer(by), integer(reg)) }

func (a *arm64) multiply(reg string, n int) {
	a.op("MOVD $%d, %s", n, scratch)
	a.op("MUL %s, %s", scratch, integer(reg))
}

func (a *arm64) address(base, index string, scale int, reg string) {
	if scale == 1 {
		a.op("ADD %s, %s, %s", integer(index), integer(base), integer(reg))
		return
	}
	a.op("ADD %s<<%d, %s, %s", integer(index), bits.Len(uint(scale))-1, integer(base), integer(reg))
}

func (a *arm64) jump(label string) { a.op("B %s", label) }

func (a *arm64) addJump(n int, reg, condition, label string) {
	if n < 0 {
		a.op("SUBS $%d, %s, %s", -n, integer(reg), integer(reg))
	} else {
		a.op("ADDS $%d, %s, %s", n, integer(reg), integer(reg))
	}
	a.op("B%s %s", condition, label)
}

func (a *arm64) jumpIfZero(reg, label string) { a.op("CBZ %s, %s", integer(reg), label) }

func (a *arm64) jumpField(name, condition, than, label string) {
	a.field(name, scratch)
	a.op("CMP %s, %s", integer(than), scratch)
	a.op("B%s %s", condition, label)
}

// word appends an instruction by its code, with the text of a disassembler.
func (a *arm64) word(code uint32, format string, args ...any) {
	a.op("WORD $0x%08x // %s", code, fmt.Sprintf(format, args...))
}

// arranged writes vector registers in an arrangement, such as V%d.S4.
func arranged(arrangement string, regs ...int) string {
	var all []string
	for _, i := range regs {
		all = append(all, fmt.Sprintf(arrangement, i))
	}
	return strings.Join(all, ", ")
}

func (a *arm64) zero(v value) {
	for _, i := range v {
		a.op("VEOR %s", arranged("V%d.B16", i, i, i))
	}
}

func (a *arm64) move(dst value, src operand) {
	switch src := src.(type) {
	case value:
		for i := range dst {
			a.op("VMOV %s", arranged("V%d.B16", src[i], dst[i]))
		}
	case memory:
		a.load(dst, src)
	case string:
		c := a.constant(src)
		for i := range dst {
			a.op("VDUP V%d.S[%d], V%d.S4", c.reg, c.lane, dst[i])
		}
	}
}

// base returns the register and the displacement that address a run.
func (a *arm64) base(m memory) (string, int) {
	base := integer(m.base)
	if m.index != "" {
		a.address(m.base, m.index, max(m.scale, 1), scratch)
		base = scratch
	}
	return base, m.disp
}

// index returns the number of an integer register.
func index(reg string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(integer(reg), "R"))
	check(err)
	return n
}

// load loads a run in pairs of registers.
func (a *arm64) load(v value, m memory) {
	if m.half {
		a.loadHalf(v, m)
		return
	}
	if a.indexed(0x3ce06800, "ldr", v, m) {
		return
	}
	base, disp := a.base(m)
	for ; len(v) > 1; v = v[2:] {
		a.op("FLDPQ %d(%s), (F%d, F%d)", disp, base, v[0], v[1])
		disp += 32
	}
	if len(v) == 1 {
		a.op("FMOVQ %d(%s), F%d", disp, base, v[0])
	}
}

// loadHalf loads bfloat16 and shifts each element to the upper half of a lane.
func (a *arm64) loadHalf(v value, m memory) {
	base, disp := a.base(m)
	for i, reg := range v {
		a.op("FMOVD %d(%s), F%d", disp+i*a.bytesOf(m), base, reg)
		a.word(0x2e613800|uint32(reg<<5|reg), "shll v%d.4s, v%d.4h, #16", reg, reg)
	}
}

func (a *arm64) roundingRegs() int { return 2 }

// roundIn also sets the second register to 0x7fff.
func (a *arm64) roundIn(v value) {
	a.rounding = v
	a.word(0x4f03c7e0|uint32(v[1]), "movi v%d.4s, #0x7f, msl #8", v[1])
}

// storeHalf rounds to nearest, ties to even, as integers: it adds 0x7fff and the lowest bit that
// stays, and stores the upper halves.
func (a *arm64) storeHalf(v value, m memory) {
	base, disp := a.base(m)
	t, below := a.rounding[0], a.rounding[1]
	for i, reg := range v {
		a.op("VSHL $15, V%d.S4, V%d.S4", reg, t)
		a.op("VUSHR $31, V%d.S4, V%d.S4", t, t)
		a.op("VADD %s", arranged("V%d.S4", reg, t, t))
		a.word(0x0e604000|uint32(below<<16|t<<5|t), "addhn v%d.4h, v%d.4s, v%d.4s", t, t, below)
		a.op("FMOVD F%d, %d(%s)", t, disp+i*a.bytesOf(m), base)
	}
}

func (a *arm64) store(v value, m memory) {
	if m.half {
		a.storeHalf(v, m)
		return
	}
	if a.indexed(0x3ca06800, "str", v, m) {
		return
	}
	base, disp := a.base(m)
	for ; len(v) > 1; v = v[2:] {
		a.op("FSTPQ (F%d, F%d), %d(%s)", v[0], v[1], disp, base)
		disp += 32
	}
	if len(v) == 1 {
		a.op("FMOVQ F%d, %d(%s)", v[0], disp, base)
	}
}

func (a *arm64) prefetch(m memory, level int) {
	a.op("PRFM %d(%s), PLDL%dKEEP", m.disp, integer(m.base), level)
}

// indexed loads or stores a single vector at base + index, and reports whether v and m are of that
// form. Go's assembler lacks this address mode for 16 bytes.
func (a *arm64) indexed(code uint32, name string, v value, m memory) bool {
	if len(v) != 1 || m.index == "" || m.disp != 0 || m.scale > 1 {
		return false
	}
	rm, rn := index(m.index), index(m.base)
	a.word(code|uint32(rm<<16|rn<<5|v[0]), "%s q%d, [x%d, x%d]", name, v[0], rn, rm)
	return true
}

func (a *arm64) broadcast(dst value, field string) {
	a.op("ADD $(%s_%s), R0, %s", a.args, field, scratch)
	a.op("VLD1R (%s), [V%d.S4]", scratch, dst[0])
}

// fetched returns an operand as a value or an element: it loads a memory into its spare register.
func (a *arm64) fetched(o operand) operand {
	switch o := o.(type) {
	case memory:
		a.load(o.spare, o)
		return o.spare
	case string:
		return a.constant(o)
	}
	return o
}

func (a *arm64) constant(name string) element {
	c, ok := a.constants[name]
	if !ok {
		panic("no constant " + name + " is in a register")
	}
	return c
}

func (a *arm64) do(o operation, dst value, first, second operand) {
	first, second = a.fetched(first), a.fetched(second)
	if _, ok := first.(element); ok { // a factor of a product, where the order does not matter
		first, second = second, first
	}
	s := first.(value)
	for i := range dst {
		switch b := second.(type) {
		case element:
			a.byElement(o, dst[i], s[i], b)
		case value:
			a.byVector(o, dst[i], s[i], b[i])
		}
	}
}

func (a *arm64) byVector(o operation, d, n, m int) {
	if o.goName != "" {
		a.op("%s %s", o.goName, arranged("V%d.S4", m, n, d))
		return
	}
	a.word(o.code|uint32(m<<16|n<<5|d), "%s %s", o.arm64, arranged("v%d.4s", d, n, m))
}

func (a *arm64) byElement(o operation, d, n int, m element) {
	if o.element == 0 {
		panic(o.arm64 + " takes no element")
	}
	lane := m.lane&1<<21 | m.lane>>1<<11
	code := o.element | uint32(lane|m.reg<<16|n<<5|d)
	a.word(code, "%s %s, v%d.s[%d]", o.arm64, arranged("v%d.4s", d, n), m.reg, m.lane)
}

func (a *arm64) apply(o operation, dst, s value) {
	for i := range dst {
		a.word(o.code|uint32(s[i]<<5|dst[i]), "%s %s", o.arm64, arranged("v%d.4s", dst[i], s[i]))
	}
}

func (a *arm64) negate(dst, s value) { a.apply(minus, dst, s) }

func (a *arm64) shiftLeft(v value, n int) {
	for _, i := range v {
		a.op("VSHL $%d, %s", n, arranged("V%d.S4", i, i))
	}
}

func (a *arm64) mulAdd(dst value, s operand, b, c value) {
	s = a.fetched(s)
	a.move(dst, c)
	a.do(fma, dst, s.(value), b)
}

// horner needs another register, because a fused instruction overwrites its summand.
func (a *arm64) horner(p, by value, c operand, q value) (result, free value) {
	a.move(q, c)
	a.do(fma, q, p, by)
	return q, p
}

// declare defines one table, padded to whole registers.
func (a *arm64) declare(table []constant) string {
	var values []float32
	for _, c := range table {
		values = append(values, c.value)
	}
	for len(values)%a.lanes != 0 {
		values = append(values, 0)
	}
	return data("constants", values)
}

// prepare loads the table into the last registers.
func (a *arm64) prepare(table []constant) int {
	a.op("MOVD $constants<>(SB), %s", scratch)
	n := (len(table) + a.lanes - 1) / a.lanes
	first := a.limit - n
	v := make(value, n)
	for i := range v {
		v[i] = first + i
	}
	for i, c := range table {
		a.constants[c.name] = element{first + i/a.lanes, i % a.lanes}
	}
	a.limit = first
	a.load(v, memory{base: scratch})
	return n
}

// rows has a pointer to each row of the present tile.
func (a *arm64) rows(half int) rows {
	pointers := slices.Concat([]string{"SI", "R16", "R17"}[:half], []string{"DX", "R19", "R20"}[:half])
	a.field("LdA", "R8")
	a.field("TileA", "R9")
	a.times("R9", tileIndex)
	for i, reg := range pointers {
		if i%half == 0 {
			a.field([]string{"A0", "A1"}[i/half], reg)
			a.add("R9", reg)
			continue
		}
		a.op("ADD R8, %s, %s", integer(pointers[i-1]), reg)
	}
	return rows{pointers, func(i, disp int) memory { return memory{base: pointers[i], disp: disp} }}
}

// elements are factors that lie four in a register: factors of the same step if they lie abreast in
// memory, or else the same factor of four steps.
type elements struct {
	*arm64
	n       int
	regs    value
	at      func(i, step int) memory
	abreast bool
}

func (a *arm64) factors(n int, at func(i, step int) memory, abreast bool) factors {
	regs := n
	if abreast {
		regs = (n + a.lanes - 1) / a.lanes
	}
	return elements{a, n, a.take(regs), at, abreast}
}

func (e elements) fetch(steps int) {
	for i, reg := range e.regs {
		first, n := i, steps
		if e.abreast {
			first, n = i*e.lanes, min(e.n-i*e.lanes, e.lanes)
		}
		m := e.at(first, 0)
		e.op("%s %d(%s), F%d", map[int]string{4: "FMOVQ", 2: "FMOVD", 1: "FMOVS"}[n], m.disp, integer(m.base), reg)
	}
}

func (e elements) of(i, step int) operand {
	if e.abreast {
		return element{e.regs[i/e.lanes], i % e.lanes}
	}
	return element{e.regs[i], step}
}
