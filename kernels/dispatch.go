package kernels

import "github.com/fmimg/fmimg/asm"

// registers say what package asm's routines for an instruction set do at a time. The methods that
// choose among the routines are in dispatch_GOARCH.go, by direct calls: calls through variables would
// make arguments escape to the heap.
type registers struct {
	lanes    int           // float32 in a vector register
	segments []segmentCost // of rows that the tiles of the matrix product take, the longest first
	rows     []int         // heights of the tiles of sums of outer products, the largest first
}

// Costs count against others of the same instruction set. NEON's are reckoned, not measured, for cores of
// two to four pipes: the fewer rows, the less do their sums hide the latency of four.
var registersOf = [...]registers{
	Generic: {1, []segmentCost{{2, 4}, {1, 2}}, []int{4, 1}}, // any shape would do
	AVX2:    {8, []segmentCost{{3, 12}, {2, 9}, {1, 7}}, []int{6, 4, 2, 1}},
	AVX512:  {16, []segmentCost{{7, 28}, {4, 17}, {2, 10}, {1, 8}}, []int{8, 4, 2, 1}},
	NEON:    {4, []segmentCost{{3, 24}, {2, 17}, {1, 12}}, []int{6, 4, 2, 1}},
}

// lanes is the number of float32 in a vector register.
func (isa ISA) lanes() int { return registersOf[isa].lanes }

// panelCols returns the width of the tiles of the matrix product for a matrix of n columns.
func (isa ISA) panelCols(n int) int {
	switch {
	case isa == Generic:
		return asm.ProductCols
	case isa == AVX512 && n > 16:
		return 32
	}
	return 16
}

// segmentCosts lists the lengths of row segments that there are tiles for, the longest first, and
// what a pair of them costs.
func (isa ISA) segmentCosts() []segmentCost { return registersOf[isa].segments }

// outerRows lists the heights of the tiles of sums of outer products, the largest first.
func (isa ISA) outerRows() []int { return registersOf[isa].rows }

// outerCols returns the width of the tiles of sums of outer products for n columns.
func (isa ISA) outerCols(n int) int {
	if isa == Generic {
		return asm.OuterCols
	}
	return isa.panelCols(n)
}

// walk runs a routine over the channels that fill whole vectors, some at a time, and its Go loop over
// the others.
func (isa ISA) walk(routine walkRoutine, c asm.Channels) {
	whole := 0
	if isa != Generic {
		whole = c.C / isa.lanes() * isa.lanes()
	}
	if whole < c.C {
		rest := tailChannels(c, whole)
		walkGo(routine, &rest)
	}
	most := max(isa.piece()/(c.N0*c.N1)/lineChannels*lineChannels, lineChannels)
	for from := 0; from < whole; from += most {
		part := tailChannels(c, from)
		if part.C = min(whole-from, most); part.C*c.N0*c.N1 > isa.piece() {
			isa.cutWalk(routine, &part)
			continue
		}
		isa.walkVectors(routine, &part)
	}
}

// flat runs a routine over whole vectors of its operands, as many as one call may take; it returns how many
// elements that were.
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
