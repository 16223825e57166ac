package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// x86 spells routines for AVX2 and AVX-512. Instructions may read their last operand from memory.
// AVX-512 loads only one vector a cycle, so it keeps constants in the registers that are free.
type x86 struct {
	*listing
	constants map[string]int // registers of constants, from the last one down
	names     []string       // of the constants, in the order of their registers
}

func newX86(l *listing) machine { return &x86{listing: l, constants: map[string]int{}} }

func (x *x86) begin() {
	x.op("MOVQ args+0(FP), AX")
	for _, name := range x.names {
		x.op("VMOVUPS %s<>(SB), %s", name, x.v(x.constants[name]))
	}
}

func (x *x86) end() {
	x.op("VZEROUPPER")
	x.op("RET")
}

// of addresses a field of the arguments.
func (x *x86) of(name string) string {
	name = x.args + "_" + name
	if strings.Contains(name, "+") {
		name = "(" + name + ")"
	}
	return name + "(AX)"
}

func (x *x86) field(name, reg string) { x.op("MOVQ %s, %s", x.of(name), reg) }

func (x *x86) addField(name string, regs ...string) { x.add(x.of(name), regs...) }

func (x *x86) add(by string, regs ...string) {
	for _, reg := range regs {
		x.op("ADDQ %s, %s", by, reg)
	}
}

func (x *x86) clear(reg string) { x.op("XORQ %s, %s", reg, reg) }

func (x *x86) times(reg, by string) { x.op("IMULQ %s, %s", by, reg) }

func (x *x86) multiply(reg string, n int) { x.op("IMULQ $%d, %s", n, reg) }

func (x *x86) address(base, index string, scale int, reg string) {
	x.op("LEAQ (%s)(%s*%d), %s", base, index, scale, reg)
}

func (x *x86) jump(label string) { x.op("JMP %s", label) }

func (x *x86) addJump(n int, reg, condition, label string) {
	switch {
	case n == -1:
		x.op("DECQ %s", reg)
	case n < 0:
		x.op("SUBQ $%d, %s", -n, reg)
	default:
		x.op("ADDQ $%d, %s", n, reg)
	}
	if zero, ok := map[string]string{"EQ": "Z", "NE": "NZ"}[condition]; ok {
		condition = zero
	}
	x.op("J%s %s", condition, label)
}

func (x *x86) jumpIfZero(reg, label string) {
	x.op("TESTQ %s, %s", reg, reg)
	x.op("JZ %s", label)
}

func (x *x86) jumpField(name, condition, than, label string) {
	x.op("CMPQ %s, %s", x.of(name), than)
	x.op("J%s %s", condition, label)
}

// at addresses vector i of a run.
func (x *x86) at(m memory, i int) string {
	text := fmt.Sprintf("(%s)", m.base)
	if disp := m.disp + i*x.bytesOf(m); disp != 0 {
		text = fmt.Sprintf("%d%s", disp, text)
	}
	if m.index != "" {
		text += fmt.Sprintf("(%s*%d)", m.index, max(m.scale, 1))
	}
	return text
}

// source names vector i of an operand.
func (x *x86) source(o operand, i int) string {
	switch o := o.(type) {
	case value:
		return x.v(o[i])
	case memory:
		return x.at(o, i)
	case string:
		return x.constant(o)
	}
	panic(fmt.Sprintf("amd64 has no operand %T", o))
}

// constant names a register or the memory that holds a constant.
func (x *x86) constant(name string) string {
	reg, known := x.constants[name]
	if !known {
		if x.count < 32 || x.limit <= x.next {
			return name + "<>(SB)"
		}
		x.limit--
		reg = x.limit
		x.constants[name] = reg
		x.names = append(x.names, name)
	}
	return x.v(reg)
}

// xor is the name of the bitwise exclusive or. VXORPS of AVX-512 would need AVX512DQ and is not
// faster.
func (x *x86) xor() string {
	if x.reg == "Z" {
		return "VPXORD"
	}
	return "VXORPS"
}

func (x *x86) zero(v value) {
	for _, i := range v {
		x.op("%s %s, %s, %s", x.xor(), x.v(i), x.v(i), x.v(i))
	}
}

func (x *x86) negate(dst, a value) {
	for i := range dst {
		x.op("%s %s, %s, %s", x.xor(), x.constant("sign"), x.v(a[i]), x.v(dst[i]))
	}
}

func (x *x86) move(dst value, src operand) {
	m, inMemory := src.(memory)
	for i, reg := range dst {
		if inMemory && m.half {
			x.op("VPMOVZXWD %s, %s", x.at(m, i), x.v(reg))
			x.op("VPSLLD $16, %s, %s", x.v(reg), x.v(reg))
			continue
		}
		x.op("VMOVUPS %s, %s", x.source(src, i), x.v(reg))
	}
}

func (x *x86) store(src value, m memory) {
	for i, reg := range src {
		if m.half {
			x.storeHalf(reg, x.at(m, i))
			continue
		}
		x.op("VMOVUPS %s, %s", x.v(reg), x.at(m, i))
	}
}

func (x *x86) roundingRegs() int { return 1 }

func (x *x86) roundIn(v value) { x.rounding = v }

// storeHalf rounds a register to nearest, ties to even, as integers: it adds 0x7fff and the lowest
// bit that stays. Then it stores the upper halves.
func (x *x86) storeHalf(reg int, to string) {
	v, t := x.v(reg), x.v(x.rounding[0])
	x.op("VPSLLD $15, %s, %s", v, t)
	x.op("VPSRLD $31, %s, %s", t, t)
	x.op("VPADDD %s, %s, %s", v, t, t)
	x.op("VPADDD below_half<>(SB), %s, %s", t, t)
	x.op("VPSRLD $16, %s, %s", t, t)
	if x.reg == "Z" {
		x.op("VPMOVDW %s, %s", t, to)
		return
	}
	x.op("VPACKUSDW %s, %s, %s", t, t, t)
	x.op("VPERMQ $8, %s, %s", t, t)
	x.op("VMOVUPS X%d, %s", x.rounding[0], to)
}

// loaded returns an operand that instructions can read: it loads bfloat16 into its spare registers.
func (x *x86) loaded(o operand) operand {
	if m, ok := o.(memory); ok && m.half {
		x.move(m.spare, m)
		return m.spare
	}
	return o
}

// prefetch asks for the line as for reading: a line that no other core has can then be written too.
func (x *x86) prefetch(m memory, level int) { x.op("PREFETCHT%d %s", level-1, x.at(m, 0)) }

func (x *x86) broadcast(dst value, field string) {
	x.op("VBROADCASTSS %s, %s", x.of(field), x.v(dst[0]))
}

func (x *x86) do(o operation, dst value, a, b operand) {
	b = x.loaded(b)
	for i := range dst {
		x.op("%s %s, %s, %s", o.amd64, x.source(b, i), x.source(a, i), x.v(dst[i]))
	}
}

func (x *x86) apply(o operation, dst, a value) {
	for i := range dst {
		x.op("%s %s, %s", o.amd64, x.v(a[i]), x.v(dst[i]))
	}
}

func (x *x86) shiftLeft(v value, n int) {
	for _, i := range v {
		x.op("VPSLLD $%d, %s, %s", n, x.v(i), x.v(i))
	}
}

func (x *x86) mulAdd(dst value, a operand, b, c value) {
	x.move(dst, a)
	x.horner(dst, b, c, nil)
}

// horner needs no other register.
func (x *x86) horner(p, by value, c operand, q value) (result, free value) {
	for i := range p {
		x.op("VFMADD213PS %s, %s, %s", x.source(c, i), x.v(by[i]), x.v(p[i]))
	}
	return p, q
}

// declare defines the sign bit and each constant as whole vectors, so that they can be memory
// operands.
func (x *x86) declare(table []constant) string {
	var b strings.Builder
	own := []constant{{"sign", float32(math.Copysign(0, -1))}, {"below_half", math.Float32frombits(0x7fff)}}
	for _, c := range append(own, table...) {
		b.WriteString(data(c.name, slices.Repeat([]float32{c.value}, x.lanes)))
	}
	return b.String()
}

// prepare has nothing to do: constants are memory operands, or get a register at their first use.
func (x *x86) prepare([]constant) int { return 0 }

// data defines a vector of an even number of float32.
func data(name string, values []float32) string {
	var b strings.Builder
	for i := 0; i < len(values); i += 2 {
		low, high := uint64(math.Float32bits(values[i])), uint64(math.Float32bits(values[i+1]))
		fmt.Fprintf(&b, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, 4*i, high<<32|low)
	}
	fmt.Fprintf(&b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 4*len(values))
	return b.String()
}

// rows reaches up to 7 rows of a segment of the present tile from one pointer; the indexes are
// multiples of the distance between rows.
func (x *x86) rows(half int) rows {
	x.field("A0", "SI")
	x.field("A1", "DX")
	x.field("TileA", "R8")
	x.times("R8", tileIndex)
	x.add("R8", "SI", "DX")
	x.field("LdA", "R8")
	if half > 3 {
		x.address("R8", "R8", 2, "R9")
		x.address("R8", "R8", 4, "R10")
	}
	multiples := [...]memory{
		{}, {index: "R8"}, {index: "R8", scale: 2}, {index: "R9"},
		{index: "R8", scale: 4}, {index: "R10"}, {index: "R9", scale: 2},
	}
	at := func(i, disp int) memory {
		m := multiples[i%half]
		m.base, m.disp = []string{"SI", "DX"}[i/half], disp
		return m
	}
	return rows{[]string{"SI", "DX"}, at}
}

// A spread broadcasts each factor just before its use, into two registers by turns.
type spread struct {
	*x86
	regs value
	at   func(i, step int) memory
}

func (x *x86) factors(_ int, at func(i, step int) memory, _ bool) factors {
	return spread{x, x.take(min(x.count-x.next, 2)), at}
}

func (s spread) fetch(int) {}

func (s spread) of(i, step int) operand {
	reg := s.regs[i%len(s.regs):][:1]
	s.op("VBROADCASTSS %s, %s", s.x86.at(s.at(i, step), 0), s.v(reg[0]))
	return slices.Repeat(reg, s.count)
}
