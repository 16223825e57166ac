package main

import (
	"fmt"
	"slices"
	"strings"
)

// A target is an instruction set that routines are written for. All that the project knows about an
// instruction set, apart from how it is spelled, stands here: the generator takes the rest from it.
type target struct {
	name  string   // as package kernels has it; routine names end in it
	doc   string   // one line for its constant in package kernels
	arch  string   // as in GOARCH; "" for plain Go
	needs []string // features of the CPU, by the names of package cpuid

	reg   string // letter of its vector registers
	lanes int    // float32 in a register
	count int    // vector registers
	side  int    // most registers side by side in element-wise work: a cache line is 4 of NEON's
	spell func(*listing) machine

	cols     []int     // widths of the tiles of Product and Outer, the widest first
	segments []segment // the tiles of Product, the longest first
	outer    []int     // heights of the tiles of Outer, the tallest first

	// A target that adds routines to those of another target takes over the other's tiles too.
	from     string    // the name of the other target, or "" for none
	pairs    []segment // the rows of the tiles of Pairs, the most first; nil if it has none
	rows     []int     // the rows of the routines of Pairs, the most first
	unit     int       // the rows of a tile of a matrix unit, which takes fewer too; 0 for vectors
	dot      string    // the arithmetic of Pairs, by its name in package asm
	cycles   int       // of a tile of Pairs of 2 groups of columns, for each pair
	unchosen string    // why "auto" does not choose it, or ""
}

// A segment is half the height of a tile of Product, and what a tile costs. Costs count against the
// other costs of the same instruction set.
type segment struct{ rows, cost int }

// targets lists the instruction sets. In one architecture, a later one has the features of the
// earlier ones too. One that extends another uses the other's routines for float32.
var targets = []target{generic, avx2, avx512, avx512bf16, amx, neon, neonbf16}

// generic is plain Go. Its loops take any number of rows, so a few sizes are enough.
var generic = target{
	name: "Generic", doc: "plain Go, everywhere",
	lanes: 1, cols: []int{goCols}, segments: []segment{{2, 4}, {1, 2}}, outer: []int{4, 1},
}

var avx2 = target{
	name: "AVX2", doc: "amd64 with AVX2 and FMA: 8 lanes", arch: "amd64",
	needs: []string{"AVX", "AVX2", "FMA3"},
	reg:   "Y", lanes: 8, count: 16, side: 1, spell: newX86,
	cols: []int{16}, segments: []segment{{3, 12}, {2, 9}, {1, 7}}, outer: []int{6, 4, 2, 1},
}

// 16 columns divide the channels that Winograd's algorithms take.
var avx512 = target{
	name: "AVX512", doc: "amd64 with AVX-512 F, VL, DQ and BW: 16 lanes", arch: "amd64",
	needs: []string{"AVX", "AVX2", "FMA3", "AVX512F", "AVX512VL", "AVX512DQ", "AVX512BW"},
	reg:   "Z", lanes: 16, count: 32, side: 1, spell: newX86,
	cols: []int{32, 16}, segments: []segment{{7, 28}, {4, 17}, {2, 10}, {1, 8}}, outer: []int{8, 4, 2, 1},
}

// 6 rows of 16 columns are 24 independent sums: enough for 4 pipes with a latency of 4 cycles, as
// in Apple's and Arm's large cores. The costs are calculated, not measured, for cores of two to
// four pipes: tiles of few rows have too few sums to hide that latency.
var neon = target{
	name: "NEON", doc: "arm64: 4 lanes", arch: "arm64",
	needs: []string{"ASIMD"},
	reg:   "V", lanes: 4, count: 32, side: 4, spell: newNEON,
	cols: []int{16}, segments: []segment{{3, 24}, {2, 17}, {1, 12}}, outer: []int{6, 4, 2, 1},
}

// Why "auto" chooses none of the instruction sets for bfloat16. docs/training.md has figures.
const (
	neverRun = "its routines have run in emulators alone"
	noFaster = "on Zen 4 it trained more slowly than avx512, and drew no faster"
)

// The registers hold the sums of 14 rows of 32 columns, as in avx512.
var avx512bf16 = avx512.extend(target{
	name: "AVX512BF16", doc: "amd64 with AVX-512 BF16: products of bfloat16 too",
	needs: []string{"AVX512BF16"}, spell: newX86,
	pairs: []segment{{14, 28}, {7, 16}, {4, 10}, {2, 8}, {1, 7}}, rows: []int{14, 7, 4, 2, 1},
	dot: "VectorDot", cycles: 28, unchosen: noFaster,
})

// A matrix unit takes tiles of any height. Their cost is calculated, not measured: a product takes
// 16 cycles for the rows of B, and loads a line of A for each row.
var amx = avx512bf16.extend(target{
	name: "AMX", doc: "amd64 with AMX too: products of tiles of bfloat16",
	needs: []string{"AMXTILE", "AMXBF16"}, spell: newX86,
	pairs: unitTiles(), rows: []int{pairUnit}, unit: pairUnit,
	dot: "TileDot", cycles: 2, unchosen: neverRun,
})

// The tiles are those of neon.
var neonbf16 = neon.extend(target{
	name: "NEONBF16", doc: "arm64 with BF16 of ARMv8.6: products of bfloat16 too",
	needs: []string{"BF16"}, spell: newNEON,
	pairs: []segment{{6, 24}, {4, 17}, {2, 12}, {1, 10}}, rows: []int{6, 4, 2, 1},
	dot: "OddDot", cycles: 48, unchosen: neverRun,
})

// unitTiles lists the tiles of a matrix unit.
func unitTiles() []segment {
	var all []segment
	for rows := pairUnit; rows > 0; rows-- {
		all = append(all, segment{rows, rows + pairUnit})
	}
	return all
}

// extend returns a target that takes over what t has, and adds features and the products of pairs.
func (t target) extend(more target) target {
	more.needs = append(slices.Clone(t.needs), more.needs...)
	if more.from = t.from; t.from == "" {
		more.from = t.name
	}
	more.arch, more.reg, more.lanes, more.count, more.side = t.arch, t.reg, t.lanes, t.count, t.side
	more.cols, more.segments, more.outer = t.cols, t.segments, t.outer
	return more
}

// pairUnit and pairCols are PairUnit and PairCols of package asm.
const (
	pairUnit = 16
	pairCols = 16
)

// goCols is the width of the tiles of the Go loops of Product and Outer.
const goCols = 8

// of lists the targets of an architecture.
func of(arch string) []target {
	var some []target
	for _, t := range targets {
		if t.arch == arch {
			some = append(some, t)
		}
	}
	return some
}

// own lists the targets of an architecture that have routines for float32 of their own.
func own(arch string) []target {
	var some []target
	for _, t := range of(arch) {
		if t.from == "" {
			some = append(some, t)
		}
	}
	return some
}

// pairing lists the targets of an architecture that have products of pairs.
func pairing(arch string) []target {
	var some []target
	for _, t := range of(arch) {
		if t.pairs != nil {
			some = append(some, t)
		}
	}
	return some
}

// suffix is part of the names of a target's files.
func (t target) suffix() string { return strings.ToLower(t.name) }

// v names vector register i.
func (t target) v(i int) string { return fmt.Sprintf("%s%d", t.reg, i) }

// bytes is the size of a vector register.
func (t target) bytes() int { return 4 * t.lanes }

// widths lists how many registers side by side a routine may give to each of its values, the most
// first: as many as fit beside the registers that the routine takes once.
func (t target) widths(values, once int) []int {
	width := t.side
	for width > 1 && width*values+once > t.count {
		width /= 2
	}
	if width == 1 {
		return []int{1}
	}
	return []int{width, 1}
}
