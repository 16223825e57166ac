package main

import (
	"fmt"
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
}

// A segment is half the height of a tile of Product, and what a tile costs. Costs count against the
// other costs of the same instruction set.
type segment struct{ rows, cost int }

// targets lists the instruction sets. In one architecture, a later one has the features of the
// earlier ones too.
var targets = []target{generic, avx2, avx512, neon}

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
