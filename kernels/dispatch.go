package kernels

import (
	"fmt"
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// tiles describes package asm's routines for one instruction set. The methods that choose among the
// routines are in dispatch_GOARCH.go.
type tiles struct {
	name     string        // that users give to the instruction set
	target   string        // ending of the routines' names
	lanes    int           // float32 in a vector register
	cols     []int         // widths of tiles, the widest first
	segments []segmentCost // row segments of the tiles of matrix products, the longest first
	rows     []int         // heights of the tiles of sums of outer products, the tallest first

	// Of products of pairs; zero for an instruction set without them.
	pairs  []segmentCost // heights of tiles, the tallest first
	dot    asm.Dot       // their arithmetic
	cycles int           // of a tile of all groups of columns, for each pair
	peak   float64       // operations of a round of the PairPeak routine
	groups int           // of columns, of the widest routines
	whole  bool          // whether routines take whole groups of columns and channels alone

	unchosen string // why "auto" does not choose the instruction set, or ""
}

// A segmentCost is the length of a row segment, and the cost of the tile of two such segments.
type segmentCost struct{ length, cost int }

// lanes is the number of float32 in a vector register.
func (isa ISA) lanes() int { return tilesOf[isa].lanes }

// tileCols returns the width of the tiles for a matrix of n columns: the smallest width that holds
// all columns, or else the largest width.
func (isa ISA) tileCols(n int) int {
	widths := tilesOf[isa].cols
	best := widths[0]
	for _, w := range widths[1:] {
		if n <= w {
			best = w
		}
	}
	return best
}

// segmentCosts lists the row segments that the tiles of the matrix product take, the longest first.
func (isa ISA) segmentCosts() []segmentCost { return tilesOf[isa].segments }

// outerRows lists the heights of the tiles of sums of outer products, the tallest first.
func (isa ISA) outerRows() []int { return tilesOf[isa].rows }

// walk runs a routine over the channels that fill whole vectors, in calls of limited length, and
// its Go loop over the other channels.
func (isa ISA) walk(routine walkRoutine, c asm.Channels) {
	if c.BF16 != 0 {
		routine = bf16Variant(routine, c.BF16)
	}
	whole := 0
	if isa != Generic {
		whole = c.C / isa.lanes() * isa.lanes()
	}
	if whole < c.C {
		rest := tailChannels(c, whole)
		walkGo(routine, &rest)
	}
	most := max(isa.piece()/(c.N0*c.N1)/lineFloats*lineFloats, lineFloats)
	for from := 0; from < whole; from += most {
		part := tailChannels(c, from)
		if part.C = min(whole-from, most); part.C*c.N0*c.N1 > isa.piece() {
			isa.cutWalk(routine, &part)
			continue
		}
		isa.walkVectors(routine, &part)
	}
}

// tailChannels returns the walk over the channels from the given one on.
func tailChannels(c asm.Channels, from int) asm.Channels {
	c.X, c.Y, c.D = step(c.X, from, c.BF16&asm.BF16X), step(c.Y, from, c.BF16&asm.BF16Y), step(c.D, from, c.BF16&asm.BF16D)
	c.P0, c.P1, c.P2, c.P3 = advance(c.P0, from), advance(c.P1, from), advance(c.P2, from), advance(c.P3, from)
	c.S0, c.S1 = advance(c.S0, from), advance(c.S1, from)
	c.C -= from
	return c
}

// step moves a pointer into a map by n channels; half is not 0 for a map of bfloat16. nil stays
// nil.
func step(p unsafe.Pointer, n int, half asm.Formats) unsafe.Pointer {
	if p == nil || half == 0 {
		return advance(p, n)
	}
	return unsafe.Add(p, 2*n)
}

// bf16Variant returns the variant of a walk for maps of which some are bfloat16.
func bf16Variant(routine walkRoutine, formats asm.Formats) walkRoutine {
	v := bf16Walks[routine][formats]
	if v == moments { // the zero value, which is not a variant
		panic(fmt.Sprintf("kernels: walk %d has no variant for formats %b", routine, formats))
	}
	return v
}

// flat runs a routine over whole vectors of its operands, as many as one call may take. It returns
// how many elements those are.
func (isa ISA) flat(routine flatRoutine, v asm.Vectors) int {
	if isa == Generic {
		return 0
	}
	v.N = min(v.N, isa.piece()) / isa.lanes() * isa.lanes()
	if v.N > 0 {
		isa.flatVectors(routine, &v)
	}
	return v.N
}
