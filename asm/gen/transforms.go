package main

import (
	"fmt"
	"math"
	"strings"
)

// A term is a coefficient times an operand: input i, or temporary -1-i.
type term struct {
	coef    float64
	operand int
}

// A combination is a sum of terms.
type combination []term

// A group computes up to two temporaries and, with them, up to two elements of the output.
type group struct {
	temps []combination
	outs  []output
}

// An output is element index of a vector M·x.
type output struct {
	index int
	sum   combination
}

// A matrix spells M·x out as groups of combinations that share what they can.
type matrix struct {
	name    string // as package asm has it
	in, out int
	groups  []group
	clip    bool // results may have an addend, and may be cut off at Rows and Cols
	add     bool // results are added to what is there
}

func temp(i int) int { return -1 - i }

// The matrices of Winograd's minimal filtering, after Lavin and Gray (2016): F(4x4, 3x3) with the
// points 0, ±1, ±2, ∞ and F(2x2, 3x3) with 0, ±1, ∞.
var matrices = []matrix{
	{name: "B4", in: 6, out: 6, groups: []group{
		{outs: []output{{0, combination{{1, 4}, {4, 0}, {-5, 2}}}, {5, combination{{1, 5}, {4, 1}, {-5, 3}}}}},
		{temps: []combination{{{1, 4}, {-4, 2}}, {{1, 3}, {-4, 1}}},
			outs: []output{{1, combination{{1, temp(0)}, {1, temp(1)}}}, {2, combination{{1, temp(0)}, {-1, temp(1)}}}}},
		{temps: []combination{{{1, 4}, {-1, 2}}, {{1, 3}, {-1, 1}}},
			outs: []output{{3, combination{{1, temp(0)}, {2, temp(1)}}}, {4, combination{{1, temp(0)}, {-2, temp(1)}}}}},
	}},
	{name: "A4", in: 6, out: 4, clip: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}, {{1, 3}, {1, 4}}},
			outs: []output{{0, combination{{1, temp(0)}, {1, temp(1)}, {1, 0}}}, {2, combination{{1, temp(0)}, {4, temp(1)}}}}},
		{temps: []combination{{{1, 1}, {-1, 2}}, {{1, 3}, {-1, 4}}},
			outs: []output{{1, combination{{1, temp(0)}, {2, temp(1)}}}, {3, combination{{1, temp(0)}, {8, temp(1)}, {1, 5}}}}},
	}},
	{name: "AT4", in: 4, out: 6, groups: []group{
		{outs: []output{{0, combination{{1, 0}}}, {5, combination{{1, 3}}}}},
		{temps: []combination{{{1, 0}, {1, 2}}, {{1, 1}, {1, 3}}},
			outs: []output{{1, combination{{1, temp(0)}, {1, temp(1)}}}, {2, combination{{1, temp(0)}, {-1, temp(1)}}}}},
		{temps: []combination{{{1, 0}, {4, 2}}, {{2, 1}, {8, 3}}},
			outs: []output{{3, combination{{1, temp(0)}, {1, temp(1)}}}, {4, combination{{1, temp(0)}, {-1, temp(1)}}}}},
	}},
	{name: "G4", in: 3, out: 6, groups: []group{
		{outs: []output{{0, combination{{1. / 4, 0}}}, {5, combination{{1, 2}}}}},
		{temps: []combination{{{-1. / 6, 0}, {-1. / 6, 2}}},
			outs: []output{{1, combination{{1, temp(0)}, {-1. / 6, 1}}}, {2, combination{{1, temp(0)}, {1. / 6, 1}}}}},
		{temps: []combination{{{1. / 24, 0}, {1. / 6, 2}}},
			outs: []output{{3, combination{{1, temp(0)}, {1. / 12, 1}}}, {4, combination{{1, temp(0)}, {-1. / 12, 1}}}}},
	}},
	{name: "GT4", in: 6, out: 3, add: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}, {{1, 3}, {1, 4}}},
			outs: []output{{0, combination{{1. / 4, 0}, {-1. / 6, temp(0)}, {1. / 24, temp(1)}}}, {2, combination{{1, 5}, {-1. / 6, temp(0)}, {1. / 6, temp(1)}}}}},
		{temps: []combination{{{1, 2}, {-1, 1}}, {{1, 3}, {-1, 4}}},
			outs: []output{{1, combination{{1. / 6, temp(0)}, {1. / 12, temp(1)}}}}},
	}},
	// The rows of A4 added in pairs: the adjoint of nearest up-sampling.
	{name: "P4", in: 6, out: 2, clip: true, groups: []group{
		{outs: []output{{0, combination{{1, 0}, {2, 1}, {3, 3}, {-1, 4}}}, {1, combination{{1, 5}, {2, 1}, {12, 3}, {-4, 4}}}}},
	}},
	{name: "B2", in: 4, out: 4, groups: []group{
		{outs: []output{{0, combination{{1, 0}, {-1, 2}}}, {3, combination{{1, 1}, {-1, 3}}}}},
		{outs: []output{{1, combination{{1, 1}, {1, 2}}}, {2, combination{{1, 2}, {-1, 1}}}}},
	}},
	{name: "A2", in: 4, out: 2, clip: true, groups: []group{
		{outs: []output{{0, combination{{1, 0}, {1, 1}, {1, 2}}}, {1, combination{{1, 1}, {-1, 2}, {-1, 3}}}}},
	}},
	{name: "P2", in: 4, out: 1, clip: true, groups: []group{ // the sum of the rows of A2
		{outs: []output{{0, combination{{1, 0}, {2, 1}, {-1, 3}}}}},
	}},
	{name: "AT2", in: 2, out: 4, groups: []group{
		{outs: []output{{0, combination{{1, 0}}}, {3, combination{{-1, 1}}}}},
		{outs: []output{{1, combination{{1, 0}, {1, 1}}}, {2, combination{{1, 0}, {-1, 1}}}}},
	}},
	{name: "G2", in: 3, out: 4, groups: []group{
		{outs: []output{{0, combination{{1, 0}}}, {3, combination{{1, 2}}}}},
		{temps: []combination{{{1. / 2, 0}, {1. / 2, 2}}},
			outs: []output{{1, combination{{1, temp(0)}, {1. / 2, 1}}}, {2, combination{{1, temp(0)}, {-1. / 2, 1}}}}},
	}},
	{name: "GT2", in: 4, out: 3, add: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}},
			outs: []output{{0, combination{{1, 0}, {1. / 2, temp(0)}}}, {2, combination{{1, 3}, {1. / 2, temp(0)}}}}},
		{outs: []output{{1, combination{{1. / 2, 1}, {-1. / 2, 2}}}}},
	}},
}

func transformRoutines(t target) []*routine {
	var all []*routine
	for _, m := range matrices {
		all = append(all, transform(t, m))
	}
	return all
}

// transformConstants defines every coefficient that is neither 1 nor -1 as a whole vector.
func transformConstants(t target) string {
	var b strings.Builder
	b.WriteString("\n")
	seen := map[string]bool{}
	visit := func(c combination) {
		for _, x := range c {
			name := constant(x.coef)
			if seen[name] || math.Abs(x.coef) == 1 {
				continue
			}
			seen[name] = true
			bits := uint64(math.Float32bits(float32(math.Abs(x.coef))))
			for i := 0; i < t.bytes(); i += 8 {
				fmt.Fprintf(&b, "DATA %s+%d(SB)/8, $0x%016x\n", name, i, bits<<32|bits)
			}
			fmt.Fprintf(&b, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", name, t.bytes())
		}
	}
	for _, m := range matrices {
		for _, g := range m.groups {
			for _, c := range g.temps {
				visit(c)
			}
			for _, o := range g.outs {
				visit(o.sum)
			}
		}
	}
	return b.String()
}

// constant names the vector that holds the absolute value of a coefficient.
func constant(c float64) string {
	c = math.Abs(c)
	if c < 1 {
		return fmt.Sprintf("over%d<>", int(math.Round(1/c)))
	}
	return fmt.Sprintf("times%d<>", int(c))
}

// combine computes a combination into register dst. operand gives a register, or an address in
// memory, for a term's operand; spare is a register for factors that come from memory.
func (r *routine) combine(dst, spare int, c combination, operand func(i int) (string, bool)) {
	first := 0
	for i, x := range c {
		if x.coef == 1 {
			first = i
			break
		}
	}
	x := c[first]
	source, memory := operand(x.operand)
	rest := append(append(combination{}, c[:first]...), c[first+1:]...)
	switch {
	case x.coef == 1 && !memory && len(rest) > 0 && math.Abs(rest[0].coef) == 1:
		other, _ := operand(rest[0].operand)
		r.op("%s %s, %s, %s", addOrSub(rest[0].coef), other, source, r.v(dst))
		rest = rest[1:]
	case memory || x.coef == 1:
		r.op("VMOVUPS %s, %s", source, r.v(dst))
		if x.coef != 1 {
			r.scale(dst, r.v(dst), x.coef)
		}
	default:
		r.scale(dst, source, x.coef)
	}
	for _, x := range rest {
		source, memory := operand(x.operand)
		switch {
		case math.Abs(x.coef) == 1:
			r.op("%s %s, %s, %s", addOrSub(x.coef), source, r.v(dst), r.v(dst))
			continue
		case memory:
			r.op("VMOVUPS %s, %s", source, r.v(spare))
			source = r.v(spare)
		}
		fma := "VFMADD231PS"
		if x.coef < 0 {
			fma = "VFNMADD231PS"
		}
		r.op("%s %s(SB), %s, %s", fma, constant(x.coef), source, r.v(dst))
	}
}

func addOrSub(coef float64) string {
	if coef > 0 {
		return "VADDPS"
	}
	return "VSUBPS"
}

// scale sets dst to coef·source.
func (r *routine) scale(dst int, source string, coef float64) {
	if math.Abs(coef) != 1 {
		r.op("VMULPS %s(SB), %s, %s", constant(coef), source, r.v(dst))
		source = r.v(dst)
	}
	if coef < 0 {
		z := 15 // the last register of AVX2, a scratch register in every use
		r.zero(z)
		r.op("VSUBPS %s, %s, %s", source, r.v(z), r.v(dst))
	}
}

// transform is M·X·Mᵀ for a grid X of vectors. A group of M's rows is applied to each column of X,
// which leaves at most two rows of the half-way result in registers; then M is applied to those.
//
// Registers: SI and DI source and destination of the tile, BX offset of the channels, R13 that of
// the tile's addend, R14 tiles left, R15 distance of the destination's columns; the rows of X in rowRegs.
func transform(t target, m matrix) *routine {
	r := newRoutine(t, "Transform"+m.name, "Transform",
		fmt.Sprintf("is [TransformGo] with [Matrix%s]%s, for args.Bytes a multiple of %d.", m.name, map[bool]string{true: ", which it adds", false: ""}[m.add], t.bytes()))
	r.field("Src", "SI")
	r.field("Dst", "DI")
	r.field("DstCol", "R15")
	r.field("N", "R14")
	if !m.clip {
		r.tiles(m, whole)
		return r
	}
	r.op("CMPQ Transform_Rows(AX), $%d", m.out)
	r.op("JLT cut")
	r.op("CMPQ Transform_Cols(AX), $%d", m.out)
	r.op("JLT cut")
	r.op("CMPQ Transform_Add(AX), $0")
	r.op("JNE added")
	r.tiles(m, whole)
	r.op("JMP done")
	r.label("added")
	r.op("XORQ R13, R13")
	r.tiles(m, added)
	r.op("JMP done")
	r.label("cut")
	r.op("XORQ R13, R13")
	r.tiles(m, cut)
	r.label("done")
	return r
}

// A mode says what the loop over tiles has to look after.
type mode string

const (
	whole mode = "whole" // every result is stored
	added mode = "added" // and has an addend
	cut   mode = "cut"   // there may be an addend, and not all rows and columns may be wanted
)

// tiles loops over tiles and vectors of channels.
func (r *routine) tiles(m matrix, how mode) {
	r.label("tile" + string(how))
	r.op("XORQ BX, BX")
	r.loop("vector" + string(how))
	for i, g := range m.groups {
		r.halfWay(m, g)
		for k, o := range g.outs {
			r.finish(m, how, o.index, k*m.in, fmt.Sprintf("%s%d_%d", how, i, k))
		}
	}
	r.op("ADDQ $%d, BX", r.bytes())
	r.op("CMPQ BX, Transform_Bytes(AX)")
	r.op("JLT vector%s", how)
	r.op("ADDQ Transform_SrcStep(AX), SI")
	r.op("ADDQ Transform_DstStep(AX), DI")
	if how != whole {
		r.op("ADDQ Transform_AddStep(AX), R13")
	}
	r.op("DECQ R14")
	r.op("JNZ tile%s", how)
}

var rowRegs = [...]string{"DX", "R8", "R9", "R10", "R11", "R12"}

// halfWay applies a group of M's rows to the columns of X: element j of output k goes to register
// k·in + j.
func (r *routine) halfWay(m matrix, g group) {
	const temps = 12
	for i := range m.in {
		r.op("MOVQ (Transform_SrcRow+%d)(AX), %s", 8*i, rowRegs[i])
		r.op("ADDQ SI, %s", rowRegs[i])
		r.op("ADDQ BX, %s", rowRegs[i])
	}
	for j := range m.in {
		r.op("MOVQ (Transform_SrcCol+%d)(AX), CX", 8*j)
		operand := func(i int) (string, bool) {
			if i < 0 {
				return r.v(temps - 1 - i), false
			}
			return fmt.Sprintf("(%s)(CX*1)", rowRegs[i]), true
		}
		for i, c := range g.temps {
			r.combine(temps+i, temps+2, c, operand)
		}
		for k, o := range g.outs {
			r.combine(k*m.in+j, temps+2, o.sum, operand)
		}
	}
}

// finish applies M to the row of the half-way result in the registers from first on, and stores row
// index of the result.
func (r *routine) finish(m matrix, how mode, index, first int, label string) {
	const temps, value = 12, 14
	if how == cut {
		r.op("CMPQ Transform_Rows(AX), $%d", index)
		r.op("JLE skip%s", label)
	}
	if how != whole {
		r.addend(index)
	}
	r.op("MOVQ Transform_DstRow(AX), CX")
	r.op("IMULQ $%d, CX", index)
	r.op("ADDQ DI, CX")
	r.op("ADDQ BX, CX")
	operand := func(i int) (string, bool) {
		if i < 0 {
			return r.v(temps - 1 - i), false
		}
		return r.v(first + i), false
	}
	for n, g := range m.groups {
		for i, c := range g.temps {
			r.combine(temps+i, temps+3, c, operand)
		}
		for k, o := range g.outs {
			r.combine(value, temps+3, o.sum, operand)
			if how == cut {
				r.cutColumn(o.index, fmt.Sprintf("%s_%d_%d", label, n, k))
				continue
			}
			if how == added {
				r.op("VADDPS %s, %s, %s", r.column(o.index, "R8", "R9", "R11"), r.v(value), r.v(value))
			}
			if m.add {
				r.op("VADDPS %s, %s, %s", r.column(o.index, "CX", "R15", "DX"), r.v(value), r.v(value))
			}
			r.op("VMOVUPS %s, %s", r.v(value), r.column(o.index, "CX", "R15", "DX"))
		}
	}
	if how == cut {
		r.label("skip" + label)
	}
}

// addend points R8 to the row of the addend and R9 to its distance of columns.
func (r *routine) addend(index int) {
	r.op("MOVQ Transform_AddRow(AX), R8")
	r.op("IMULQ $%d, R8", index)
	r.op("ADDQ Transform_Add(AX), R8")
	r.op("ADDQ BX, R8")
	r.op("ADDQ R13, R8")
	r.field("AddCol", "R9")
}

// cutColumn stores register 14 to column index of the row at CX, if that column is wanted, with the
// addend if there is one.
func (r *routine) cutColumn(index int, label string) {
	const value = 14
	r.op("CMPQ Transform_Cols(AX), $%d", index)
	r.op("JLE cut%s", label)
	r.op("CMPQ Transform_Add(AX), $0")
	r.op("JEQ alone%s", label)
	r.op("VADDPS %s, %s, %s", r.column(index, "R8", "R9", "R11"), r.v(value), r.v(value))
	r.lines = append(r.lines, fmt.Sprintf("alone%s:", label))
	r.op("VMOVUPS %s, %s", r.v(value), r.column(index, "CX", "R15", "DX"))
	r.lines = append(r.lines, fmt.Sprintf("cut%s:", label))
}

// column addresses column index of a row at register p with distance d, with register x for what the
// address modes do not reach.
func (r *routine) column(index int, p, d, x string) string {
	switch index {
	case 0:
		return fmt.Sprintf("(%s)", p)
	case 1, 2, 4:
		return fmt.Sprintf("(%s)(%s*%d)", p, d, index)
	}
	r.op("LEAQ (%s)(%s*%d), %s", p, d, index-1, x)
	return fmt.Sprintf("(%s)(%s*1)", x, d)
}
