package main

import (
	"fmt"
	"slices"
	"strings"
)

// A choice is a method of package kernels' ISA that calls the routine of that instruction set. It
// calls directly, from a switch: arguments of calls through variables would escape to the heap.
type choice struct {
	name   string // of the method
	doc    string
	params string // as declared
	args   string // as passed on
	call   string // what is called, without the target
	limit  string // a call for which this holds goes to the method cut instead; "" for none
	cut    string
	goLoop string // the call of the Go loop, if there is one
	pairs  bool   // whether it is for targets with products of pairs alone
}

var choices = []choice{
	{
		"product", "computes tiles of two segments of half rows and cols columns.",
		"half, cols int, p *asm.Product", "half, cols, p", "product",
		"p.Tiles*p.N2*p.N1*p.K > maxSteps", "cutProduct", "asm.ProductGo(p, half)", false,
	},
	{
		"outer", "adds to a tile of rows and cols.",
		"rows, cols int, o *asm.Outer", "rows, cols, o", "outer",
		"o.N2*o.N1*o.N0 > maxSteps", "cutOuter", "asm.OuterGo(o, rows)", false,
	},
	{
		"transform", "applies one of Winograd's matrices to tiles.",
		"m tileMatrix, t *asm.Transform", "m, t", "transform",
		"isa.tiles(m, t) > maxTiles", "cutTransform", "transformGo(m, t)", false,
	},
	{
		"walkVectors", "runs a walk over whole vectors of channels.",
		"routine walkRoutine, c *asm.Channels", "routine, c", "walk", "", "", "walkGo(routine, c)", false,
	},
	{
		"flatVectors", "runs a routine over whole vectors.",
		"routine flatRoutine, v *asm.Vectors", "routine, v", "flat", "", "", "flatGo(routine, v)", false,
	},
	{
		"fetch", "asks for memory that will soon be used.",
		"f *asm.Fetch", "f", "asm.Fetch", "", "", "", false,
	},
	{
		"pairs", "computes tiles of products of pairs, of up to some rows, and of cols columns.",
		"rows, cols int, p *asm.Pairs", "rows, cols, p", "pairs", "", "", "asm.PairsGo(p, cols)", true,
	},
	{
		"interleave", "makes pairs of pixels.",
		"i *asm.Interleave", "i", "asm.Interleave",
		"i.Lines*i.Pairs*i.C > maxPaired", "cutInterleave", "asm.InterleaveGo(i)", true,
	},
	{
		"pairPeak", "does rounds of products of pairs on registers.",
		"p *asm.Pairs", "p", "asm.PairPeak", "", "", "", true,
	},
	{
		"turn", "transposes matrices of pairs.",
		"t *asm.Turn", "t", "asm.Turn", "t.Blocks > maxTurned", "cutTurn", "asm.TurnGo(t)", true,
	},
}

const builtDoc = `
// Built lists the instruction sets that this build has code for, the slowest first, whether
// this CPU has them or not.`

// writeDispatch writes the file of package kernels that chooses among the routines of an
// architecture.
func writeDispatch(arch string) {
	s := newSource(constraints[arch], "kernels", "github.com/fmimg/fmimg/asm")
	targets := of(arch)
	names := []string{generic.name}
	for _, t := range targets {
		names = append(names, t.name)
	}
	s.line("%s", builtDoc)
	s.line("func Built() []ISA { return []ISA{%s} }", strings.Join(names, ", "))
	for _, c := range choices {
		c.write(s, arch)
	}
	for _, t := range own(arch) {
		t.tileSwitch(s, "product", "half, cols int, args *asm.Product", t.halves(), productName)
		t.tileSwitch(s, "outer", "rows, cols int, args *asm.Outer", t.outer, outerName)
		for _, k := range kinds() {
			k.forTarget(s, t)
		}
	}
	for _, t := range pairing(arch) {
		wide := t
		wide.cols = t.pairWidths()
		wide.tileSwitch(s, "pairs", "rows, cols int, args *asm.Pairs", t.rows, pairsName)
	}
	s.save("../kernels/dispatch_" + arch + ".go")
}

// write writes the method. Without targets it is the Go loop alone, which needs no limit: Go code
// can be preempted.
func (c choice) write(s *source, arch string) {
	targets := own(arch)
	if c.pairs {
		targets = c.having(arch)
	}
	signature := fmt.Sprintf("func (isa ISA) %s(%s)", c.name, c.params)
	s.line("\n// %s %s", c.name, c.doc)
	if len(targets) == 0 {
		s.line("%s { %s }", signature, c.goLoop)
		return
	}
	s.line("%s {", signature)
	if c.limit != "" {
		s.line("if %s {\nisa.%s(%s)\nreturn\n}", c.limit, c.cut, c.args)
	}
	s.line("switch isa {")
	for _, t := range targets {
		s.line("case %s:\n%s%s(%s)", strings.Join(c.users(t, arch), ", "), c.call, t.name, c.args)
	}
	if c.goLoop != "" {
		s.line("default:\n%s", c.goLoop)
	}
	s.line("}\n}")
}

// having lists the targets that have the routine of a choice for pairs.
func (c choice) having(arch string) []target {
	all := pairing(arch)
	if c.name == "pairs" || c.name == "pairPeak" {
		return all
	}
	return slices.DeleteFunc(all, func(t target) bool { return !t.hasPairing() })
}

// users lists the targets that call the routines of t.
func (c choice) users(t target, arch string) []string {
	names := []string{t.name}
	for _, other := range of(arch) {
		switch {
		case c.pairs && c.name != "pairs" && c.name != "pairPeak" && other.pairs != nil && !other.hasPairing(),
			!c.pairs && other.from == t.name:
			names = append(names, other.name)
		}
	}
	return names
}

// tileSwitch writes a function that calls the tile of some rows and columns. The last rows and the
// last columns are the default.
func (t target) tileSwitch(s *source, function, params string, rows []int, name func(rows, cols int) string) {
	variable, _, _ := strings.Cut(params, ",")
	if len(t.cols) == 1 {
		params = strings.Replace(params, "cols", "_", 1)
	}
	if len(rows) == 1 {
		params = strings.Replace(params, "rows", "_", 1)
	}
	s.line("\nfunc %s%s(%s) {", function, t.name, params)
	defer s.line("}")
	if len(t.cols) > 1 {
		s.line("switch cols {")
		defer s.line("}")
	}
	for i, cols := range t.cols {
		if len(t.cols) > 1 {
			s.line("%s", caseOf(i, cols, len(t.cols)))
		}
		if len(rows) == 1 {
			s.line("asm.%s%s(args)", name(rows[0], cols), t.name)
			continue
		}
		s.line("switch %s {", variable)
		for k, n := range rows {
			s.line("%s\nasm.%s%s(args)", caseOf(k, n, len(rows)), name(n, cols), t.name)
		}
		s.line("}")
	}
}

// caseOf spells the label of case i of n for a value; the last case is the default.
func caseOf(i, value, n int) string {
	if i == n-1 {
		return "default:"
	}
	return fmt.Sprintf("case %d:", value)
}

// writeTargets writes what packages asm and kernels know about the instruction sets.
func writeTargets() {
	s := newSource("", "asm")
	s.line("\n// needs lists the features that a target needs of the CPU.")
	s.line("var needs = map[string][]string{")
	for _, t := range targets {
		if t.arch != "" {
			s.line("%q: {%s},", t.name, quoted(t.needs))
		}
	}
	s.line("}\n\n// ProductCols is the number of columns of the tiles of [ProductGo].")
	s.line("const ProductCols = %d", goCols)
	s.line("\n// OuterCols is the number of columns of the tiles of [OuterGo].")
	s.line("const OuterCols = ProductCols")
	s.line("\n// PeakChains is the number of independent sums of the Peak routines.")
	s.line("const PeakChains = %d", peakChains)
	s.save("targets.go")

	s = newSource("", "kernels", "github.com/fmimg/fmimg/asm")
	s.line("\n// The instruction sets that operations are written for.\nconst (")
	for i, t := range targets {
		s.line("%s%s // %s", t.name, map[bool]string{true: " ISA = iota"}[i == 0], t.doc)
	}
	s.line(")\n\n// tilesOf describes package asm's routines for each instruction set.")
	s.line("var tilesOf = [...]tiles{")
	for _, t := range targets {
		t.entry(s)
	}
	s.line("}")
	writeLimits(s)
	s.save("../kernels/targets.go")
}

// entry writes the entry of a target in package kernels' table.
func (t target) entry(s *source) {
	s.line("%s: {\nname: %q, target: %q, lanes: %d, cols: %s,", t.name, t.suffix(), t.name, t.lanes, list(t.cols))
	s.line("segments: []segmentCost{%s}, rows: %s,", costs(t.segments), list(t.outer))
	if t.pairs != nil {
		s.line("pairs: []segmentCost{%s},", costs(t.pairs))
		s.line("dot: asm.%s, cycles: %d, peak: %d,", t.dot, t.cycles, t.pairPeakOperations())
		s.line("groups: %d, whole: %v,", t.pairWidths()[0]/pairCols, t.arch == "arm64")
		s.line("unchosen: %q,", t.unchosen)
	}
	s.line("},")
}

// costs spells segments as the elements of a slice of segmentCost.
func costs(segments []segment) string {
	var all []string
	for _, seg := range segments {
		all = append(all, fmt.Sprintf("{%d, %d}", seg.rows, seg.cost))
	}
	return strings.Join(all, ", ")
}

// writeLimits writes the largest sizes that any target has.
func writeLimits(s *source) {
	var lanes, segments, half, tile int
	for _, t := range targets {
		lanes, segments = max(lanes, t.lanes), max(segments, len(t.segments))
		half = max(half, t.segments[0].rows)
		tile = max(tile, max(2*t.segments[0].rows, t.outer[0])*t.cols[0])
	}
	s.line("\n// The largest sizes among all instruction sets.\nconst (")
	s.line("maxLanes = %d // float32 in a vector register", lanes)
	s.line("maxSegments = %d // entries of a list of segments", segments)
	s.line("maxSegment = %d // pixels of a segment", half)
	s.line("maxTile = %d // float32 of a tile\n)", tile)
}
