package main

import (
	"fmt"
	"math"
	"slices"
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

// A matrix describes M·x by groups of combinations that share temporaries.
type matrix struct {
	name    string // in package asm
	in, out int
	groups  []group
	clip    bool // results may have an addend, and may be cut off at Rows and Cols
	add     bool // results are added to the destination
	half    bool // the results and the addend are bfloat16, in a variant of a matrix with clip
}

// allMatrices lists the matrices. Those that write maps are followed by their variant for maps of
// bfloat16.
func allMatrices() []matrix {
	var all []matrix
	for _, m := range matrices {
		all = append(all, m)
		if m.clip {
			m.half = true
			all = append(all, m)
		}
	}
	return all
}

// variant names the matrix, and the format of its results unless that is float32.
func (m matrix) variant() string {
	if m.half {
		return m.name + "BF16"
	}
	return m.name
}

func temp(i int) int { return -1 - i }

// The matrices of Winograd's minimal filtering, after Lavin and Gray (2016): F(4x4, 3x3) with the
// points 0, ±1, ±2, ∞ and F(2x2, 3x3) with 0, ±1, ∞.
var matrices = []matrix{
	{name: "B4", in: 6, out: 6, groups: []group{
		{outs: []output{
			{0, combination{{1, 4}, {4, 0}, {-5, 2}}},
			{5, combination{{1, 5}, {4, 1}, {-5, 3}}},
		}},
		{temps: []combination{{{1, 4}, {-4, 2}}, {{1, 3}, {-4, 1}}},
			outs: []output{
				{1, combination{{1, temp(0)}, {1, temp(1)}}},
				{2, combination{{1, temp(0)}, {-1, temp(1)}}},
			}},
		{temps: []combination{{{1, 4}, {-1, 2}}, {{1, 3}, {-1, 1}}},
			outs: []output{
				{3, combination{{1, temp(0)}, {2, temp(1)}}},
				{4, combination{{1, temp(0)}, {-2, temp(1)}}},
			}},
	}},
	{name: "A4", in: 6, out: 4, clip: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}, {{1, 3}, {1, 4}}},
			outs: []output{
				{0, combination{{1, temp(0)}, {1, temp(1)}, {1, 0}}},
				{2, combination{{1, temp(0)}, {4, temp(1)}}},
			}},
		{temps: []combination{{{1, 1}, {-1, 2}}, {{1, 3}, {-1, 4}}},
			outs: []output{
				{1, combination{{1, temp(0)}, {2, temp(1)}}},
				{3, combination{{1, temp(0)}, {8, temp(1)}, {1, 5}}},
			}},
	}},
	{name: "AT4", in: 4, out: 6, groups: []group{
		{outs: []output{{0, combination{{1, 0}}}, {5, combination{{1, 3}}}}},
		{temps: []combination{{{1, 0}, {1, 2}}, {{1, 1}, {1, 3}}},
			outs: []output{
				{1, combination{{1, temp(0)}, {1, temp(1)}}},
				{2, combination{{1, temp(0)}, {-1, temp(1)}}},
			}},
		{temps: []combination{{{1, 0}, {4, 2}}, {{2, 1}, {8, 3}}},
			outs: []output{
				{3, combination{{1, temp(0)}, {1, temp(1)}}},
				{4, combination{{1, temp(0)}, {-1, temp(1)}}},
			}},
	}},
	{name: "G4", in: 3, out: 6, groups: []group{
		{outs: []output{{0, combination{{1. / 4, 0}}}, {5, combination{{1, 2}}}}},
		{temps: []combination{{{-1. / 6, 0}, {-1. / 6, 2}}},
			outs: []output{
				{1, combination{{1, temp(0)}, {-1. / 6, 1}}},
				{2, combination{{1, temp(0)}, {1. / 6, 1}}},
			}},
		{temps: []combination{{{1. / 24, 0}, {1. / 6, 2}}},
			outs: []output{
				{3, combination{{1, temp(0)}, {1. / 12, 1}}},
				{4, combination{{1, temp(0)}, {-1. / 12, 1}}},
			}},
	}},
	{name: "GT4", in: 6, out: 3, add: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}, {{1, 3}, {1, 4}}},
			outs: []output{
				{0, combination{{1. / 4, 0}, {-1. / 6, temp(0)}, {1. / 24, temp(1)}}},
				{2, combination{{1, 5}, {-1. / 6, temp(0)}, {1. / 6, temp(1)}}},
			}},
		{temps: []combination{{{1, 2}, {-1, 1}}, {{1, 3}, {-1, 4}}},
			outs: []output{{1, combination{{1. / 6, temp(0)}, {1. / 12, temp(1)}}}}},
	}},
	// The sums of pairs of rows of A4: the adjoint of nearest up-sampling.
	{name: "P4", in: 6, out: 2, clip: true, groups: []group{
		{outs: []output{
			{0, combination{{1, 0}, {2, 1}, {3, 3}, {-1, 4}}},
			{1, combination{{1, 5}, {2, 1}, {12, 3}, {-4, 4}}},
		}},
	}},
	{name: "B2", in: 4, out: 4, groups: []group{
		{outs: []output{{0, combination{{1, 0}, {-1, 2}}}, {3, combination{{1, 1}, {-1, 3}}}}},
		{outs: []output{{1, combination{{1, 1}, {1, 2}}}, {2, combination{{1, 2}, {-1, 1}}}}},
	}},
	{name: "A2", in: 4, out: 2, clip: true, groups: []group{
		{outs: []output{
			{0, combination{{1, 0}, {1, 1}, {1, 2}}},
			{1, combination{{1, 1}, {-1, 2}, {-1, 3}}},
		}},
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
			outs: []output{
				{1, combination{{1, temp(0)}, {1. / 2, 1}}},
				{2, combination{{1, temp(0)}, {-1. / 2, 1}}},
			}},
	}},
	{name: "GT2", in: 4, out: 3, add: true, groups: []group{
		{temps: []combination{{{1, 1}, {1, 2}}},
			outs: []output{
				{0, combination{{1, 0}, {1. / 2, temp(0)}}},
				{2, combination{{1, 3}, {1. / 2, temp(0)}}},
			}},
		{outs: []output{{1, combination{{1. / 2, 1}, {-1. / 2, 2}}}}},
	}},
}

func transformRoutines(t target) []*routine {
	var all []*routine
	for _, m := range allMatrices() {
		all = append(all, transform(t, m))
	}
	return all
}

// coefficients are the absolute values of all coefficients except 1 and -1.
var coefficients = func() []constant {
	var table []constant
	seen := map[string]bool{}
	for _, m := range matrices {
		for _, g := range m.groups {
			for _, c := range g.combinations() {
				for _, x := range c {
					if name := constantName(x.coef); math.Abs(x.coef) != 1 && !seen[name] {
						seen[name] = true
						table = append(table, constant{name, float32(math.Abs(x.coef))})
					}
				}
			}
		}
	}
	return table
}()

// combinations lists the combinations of the temporaries, and then of the outputs.
func (g group) combinations() []combination {
	all := append([]combination{}, g.temps...)
	for _, o := range g.outs {
		all = append(all, o.sum)
	}
	return all
}

// constantName names the absolute value of a coefficient.
func constantName(c float64) string {
	c = math.Abs(c)
	if c < 1 {
		return fmt.Sprintf("over%d", int(math.Round(1/c)))
	}
	return fmt.Sprintf("times%d", int(c))
}

// combine sets dst to a combination. source returns the operand of a term, a value or a memory;
// spare is for factors that combine loads from memory.
func (r *routine) combine(dst, spare value, c combination, source func(i int) operand) {
	first := 0
	for i, x := range c {
		if x.coef == 1 {
			first = i
			break
		}
	}
	x := c[first]
	rest := append(append(combination{}, c[:first]...), c[first+1:]...)
	from, inRegister := source(x.operand).(value)
	switch {
	case x.coef == 1 && inRegister && len(rest) > 0 && math.Abs(rest[0].coef) == 1:
		r.do(addOrSub(rest[0].coef), dst, from, source(rest[0].operand))
		rest = rest[1:]
	case x.coef == 1:
		r.move(dst, source(x.operand))
	case inRegister:
		r.scale(dst, from, x.coef)
	default:
		r.move(dst, source(x.operand))
		r.scale(dst, dst, x.coef)
	}
	for _, x := range rest {
		if math.Abs(x.coef) == 1 {
			r.do(addOrSub(x.coef), dst, dst, source(x.operand))
			continue
		}
		factor, inRegister := source(x.operand).(value)
		if !inRegister {
			r.move(spare, source(x.operand))
			factor = spare
		}
		if x.coef > 0 {
			r.do(fma, dst, factor, constantName(x.coef))
		} else {
			r.do(fms, dst, factor, constantName(x.coef))
		}
	}
}

func addOrSub(coef float64) operation {
	if coef > 0 {
		return add
	}
	return sub
}

// scale sets dst to coef·source.
func (r *routine) scale(dst, source value, coef float64) {
	if math.Abs(coef) != 1 {
		r.do(mul, dst, source, constantName(coef))
		source = dst
	}
	if coef < 0 {
		r.negate(dst, source)
	}
}

// A transformation holds the registers of a routine. Of the integer registers, SI and DI point to
// the source and the destination of the tile, BX is the offset of the channels in the destination,
// R13 the offset of the tile's addend, R14 the number of tiles left, R15 the distance between
// columns of the destination; rowRegs point to the rows of X.
type transformation struct {
	*routine
	m     matrix
	half  [2][]value // rows of the half-way result M·X
	temps []value
	sum   value
	spare value
	x     []value // a column of X; nil on AVX2, which has too few registers and reads X from memory
}

// transform is M·X·Mᵀ for a grid X of vectors. It applies a group of rows of M to each column
// of X, which leaves at most two rows of M·X in registers, and then applies M to these rows.
func transform(t target, m matrix) *routine {
	doc := fmt.Sprintf("is [TransformGo] with [Matrix%s], for args.Bytes a multiple of %d.", m.name, t.bytes())
	switch {
	case m.add:
		doc += "\nIt adds to the destination."
	case m.half:
		doc += "\nThe destination and the addend are bfloat16."
	}
	r := newRoutine(t, "Transform"+m.variant(), "Transform", doc)
	r.prepare(coefficients)
	s := transformation{routine: r, m: m}
	s.half = [2][]value{r.several(m.in), r.several(m.in)}
	s.temps, s.sum, s.spare = r.several(2), r.value(), r.value()
	if m.half {
		r.roundIn(s.roundingRegs())
	}
	if t.count == 32 {
		s.x = r.several(m.in)
	}
	r.field("Src", "SI")
	r.field("Dst", "DI")
	r.field("DstCol", "R15")
	r.field("N", "R14")
	if !m.clip {
		s.tiles(whole)
		return r
	}
	r.jumpField("Rows", "LT", number(m.out), "cut")
	r.jumpField("Cols", "LT", number(m.out), "cut")
	r.jumpField("Add", "NE", "$0", "added")
	s.tiles(whole)
	r.jump("done")
	r.label("added")
	r.clear("R13")
	s.tiles(added)
	r.jump("done")
	r.label("cut")
	r.clear("R13")
	s.tiles(cut)
	r.label("done")
	return r
}

// roundingRegs returns registers for stores of bfloat16. When a result is stored, spare is free.
func (s *transformation) roundingRegs() value {
	more := s.machine.roundingRegs() - len(s.spare)
	return slices.Concat(s.spare, s.take(more))
}

// A mode is a variant of the loop over tiles.
type mode string

const (
	whole mode = "whole" // stores all results
	added mode = "added" // stores all results, with an addend
	cut   mode = "cut"   // stores the wanted rows and columns, with an addend if there is one
)

// tiles loops over tiles and vectors of channels.
func (s *transformation) tiles(how mode) {
	s.label("tile" + string(how))
	s.clear("BX")
	s.loop("vector" + string(how))
	for i, g := range s.m.groups {
		s.halfWay(g)
		for k, o := range g.outs {
			s.finish(how, o.index, s.half[k], fmt.Sprintf("%s%d_%d", how, i, k))
		}
	}
	s.add(number(s.bytesOf(s.result(""))), "BX")
	s.jumpField("Bytes", "GT", "BX", "vector"+string(how))
	s.addField("SrcStep", "SI")
	s.addField("DstStep", "DI")
	if how != whole {
		s.addField("AddStep", "R13")
	}
	s.addJump(-1, "R14", "NE", "tile"+string(how))
}

var rowRegs = [...]string{"DX", "R8", "R9", "R10", "R11", "R12"}

// halfWay applies a group of M's rows to the columns of X.
func (s *transformation) halfWay(g group) {
	for i := range s.m.in {
		s.field(fmt.Sprintf("SrcRow+%d", 8*i), rowRegs[i])
		s.add("SI", rowRegs[i])
		s.add("BX", rowRegs[i])
		if s.m.half {
			s.add("BX", rowRegs[i]) // the channels of the source are twice as far
		}
	}
	for j := range s.m.in {
		s.field(fmt.Sprintf("SrcCol+%d", 8*j), "CX")
		source := s.column(g)
		for i, c := range g.temps {
			s.combine(s.temps[i], s.sum, c, source)
		}
		for k, o := range g.outs {
			s.combine(s.half[k][j], s.sum, o.sum, source)
		}
	}
}

// column returns the operands of a group in the column of X at the offset CX. It loads each operand
// once if there are registers for the column.
func (s *transformation) column(g group) func(i int) operand {
	loaded := map[int]bool{}
	if s.x != nil {
		for _, c := range g.combinations() {
			for _, x := range c {
				if i := x.operand; i >= 0 && !loaded[i] {
					s.move(s.x[i], memory{base: rowRegs[i], index: "CX"})
					loaded[i] = true
				}
			}
		}
	}
	return func(i int) operand {
		switch {
		case i < 0:
			return s.temps[-1-i]
		case loaded[i]:
			return s.x[i]
		}
		return memory{base: rowRegs[i], index: "CX"}
	}
}

// finish applies M to a row of the half-way result, and stores row index of the result.
func (s *transformation) finish(how mode, index int, half []value, label string) {
	if how == cut {
		s.jumpField("Rows", "LE", number(index), "skip"+label)
	}
	if how != whole {
		s.addend(index)
	}
	s.field("DstRow", "CX")
	s.multiply("CX", index)
	s.add("DI", "CX")
	s.add("BX", "CX")
	source := func(i int) operand {
		if i < 0 {
			return s.temps[-1-i]
		}
		return half[i]
	}
	for n, g := range s.m.groups {
		for i, c := range g.temps {
			s.combine(s.temps[i], s.spare, c, source)
		}
		for k, o := range g.outs {
			s.combine(s.sum, s.spare, o.sum, source)
			s.put(how, o.index, fmt.Sprintf("%s_%d_%d", label, n, k))
		}
	}
	if how == cut {
		s.label("skip" + label)
	}
}

// addend points R8 to the row of the addend, and sets R9 to the distance between its columns.
func (s *transformation) addend(index int) {
	s.field("AddRow", "R8")
	s.multiply("R8", index)
	s.addField("Add", "R8")
	s.add("BX", "R8")
	s.add("R13", "R8")
	s.field("AddCol", "R9")
}

// put stores the sum in column index of the row at CX, with the addend if there is one. In mode
// cut, it stores the sum only if the column is wanted.
func (s *transformation) put(how mode, index int, label string) {
	if how == cut {
		s.jumpField("Cols", "LE", number(index), "cut"+label)
		s.jumpField("Add", "EQ", "$0", "alone"+label)
	}
	if how != whole {
		s.do(add, s.sum, s.sum, s.element(index, "R8", "R9", "R11").into(s.spare))
	}
	if how == cut {
		s.mark("alone" + label)
	}
	to := s.element(index, "CX", "R15", "DX")
	if s.m.add {
		s.do(add, s.sum, s.sum, to.into(s.spare))
	}
	s.store(s.sum, to)
	if how == cut {
		s.mark("cut" + label)
	}
}

// element addresses column index of the row at register p, whose columns are at distance d. It
// needs register x where no address mode reaches the column.
func (s *transformation) element(index int, p, d, x string) memory {
	to := s.result(p)
	switch index {
	case 0:
		return to
	case 1, 2, 4:
		to.index, to.scale = d, index
		return to
	}
	s.address(p, d, index-1, x)
	to.base, to.index = x, d
	return to
}

// result is a memory in the format of the results.
func (s *transformation) result(base string) memory { return memory{base: base, half: s.m.half} }
