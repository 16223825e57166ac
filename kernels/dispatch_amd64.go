//go:build amd64 && !noasm && !purego

package kernels

import "github.com/fmimg/fmimg/asm"

var (
	segmentsAVX512 = [...]segmentCost{{7, 28}, {4, 17}, {2, 10}, {1, 8}}
	segmentsAVX2   = [...]segmentCost{{3, 12}, {2, 9}, {1, 7}}
	rowsAVX512     = [...]int{8, 4, 2, 1}
	rowsAVX2       = [...]int{6, 4, 2, 1}
)

// lanes is the number of float32 in a vector register.
func (isa ISA) lanes() int {
	switch isa {
	case AVX512:
		return 16
	case AVX2:
		return 8
	}
	return 1
}

// panelCols returns the width of the tiles of the matrix product for a matrix of n columns.
func (isa ISA) panelCols(n int) int {
	switch {
	case isa == AVX512 && n > 16:
		return 32
	case isa == AVX512, isa == AVX2:
		return 16
	}
	return asm.ProductCols
}

// segmentCosts lists the lengths of row segments that there are tiles for, the longest first, and
// what a pair of them costs, in steps of the longest pipe.
func (isa ISA) segmentCosts() []segmentCost {
	switch isa {
	case AVX512:
		return segmentsAVX512[:]
	case AVX2:
		return segmentsAVX2[:]
	}
	return segmentsGeneric[:]
}

// outerRows lists the heights of the tiles of sums of outer products, the largest first.
func (isa ISA) outerRows() []int {
	switch isa {
	case AVX512:
		return rowsAVX512[:]
	case AVX2:
		return rowsAVX2[:]
	}
	return rowsGeneric[:]
}

// outerCols returns the width of the tiles of sums of outer products for n columns.
func (isa ISA) outerCols(n int) int {
	if isa == Generic {
		return asm.OuterCols
	}
	return isa.panelCols(n)
}

// product computes a tile of two segments of the given length and cols columns.
func (isa ISA) product(length, cols int, p *asm.Product) {
	switch {
	case isa == AVX512 && cols == 32:
		switch length {
		case 7:
			asm.Product2x7x32AVX512(p)
		case 4:
			asm.Product2x4x32AVX512(p)
		case 2:
			asm.Product2x2x32AVX512(p)
		default:
			asm.Product2x1x32AVX512(p)
		}
	case isa == AVX512:
		switch length {
		case 7:
			asm.Product2x7x16AVX512(p)
		case 4:
			asm.Product2x4x16AVX512(p)
		case 2:
			asm.Product2x2x16AVX512(p)
		default:
			asm.Product2x1x16AVX512(p)
		}
	case isa == AVX2:
		switch length {
		case 3:
			asm.Product2x3x16AVX2(p)
		case 2:
			asm.Product2x2x16AVX2(p)
		default:
			asm.Product2x1x16AVX2(p)
		}
	default:
		asm.ProductGo(p, length)
	}
}

// outer adds to a tile of the given shape.
func (isa ISA) outer(rows, cols int, o *asm.Outer) {
	switch {
	case isa == AVX512 && cols == 32:
		switch rows {
		case 8:
			asm.Outer8x32AVX512(o)
		case 4:
			asm.Outer4x32AVX512(o)
		case 2:
			asm.Outer2x32AVX512(o)
		default:
			asm.Outer1x32AVX512(o)
		}
	case isa == AVX512:
		switch rows {
		case 8:
			asm.Outer8x16AVX512(o)
		case 4:
			asm.Outer4x16AVX512(o)
		case 2:
			asm.Outer2x16AVX512(o)
		default:
			asm.Outer1x16AVX512(o)
		}
	case isa == AVX2:
		switch rows {
		case 6:
			asm.Outer6x16AVX2(o)
		case 4:
			asm.Outer4x16AVX2(o)
		case 2:
			asm.Outer2x16AVX2(o)
		default:
			asm.Outer1x16AVX2(o)
		}
	default:
		asm.OuterGo(o, rows)
	}
}

// walk runs a routine over the channels that fill whole vectors, and its Go loop over the others.
func (isa ISA) walk(routine walkRoutine, c asm.Channels) {
	whole := 0
	if lanes := isa.lanes(); lanes > 1 {
		whole = c.C / lanes * lanes
	}
	if whole < c.C {
		rest := tailChannels(c, whole)
		walkGo(routine, &rest)
		c.C = whole
	}
	switch {
	case whole == 0:
	case isa == AVX512:
		walkAVX512(routine, &c)
	default:
		walkAVX2(routine, &c)
	}
}

func walkAVX512(routine walkRoutine, c *asm.Channels) {
	switch routine {
	case moments:
		asm.MomentsAVX512(c)
	case affine:
		asm.AffineAVX512(c)
	case affineSiLU:
		asm.AffineSiLUAVX512(c)
	case normSums:
		asm.NormSumsAVX512(c)
	case normSiLUSums:
		asm.NormSiLUSumsAVX512(c)
	case normGrad:
		asm.NormGradAVX512(c)
	case normGradAdd:
		asm.NormGradAddAVX512(c)
	case columnSums:
		asm.ColumnSumsAVX512(c)
	case addMap:
		asm.AddMapAVX512(c)
	}
}

func walkAVX2(routine walkRoutine, c *asm.Channels) {
	switch routine {
	case moments:
		asm.MomentsAVX2(c)
	case affine:
		asm.AffineAVX2(c)
	case affineSiLU:
		asm.AffineSiLUAVX2(c)
	case normSums:
		asm.NormSumsAVX2(c)
	case normSiLUSums:
		asm.NormSiLUSumsAVX2(c)
	case normGrad:
		asm.NormGradAVX2(c)
	case normGradAdd:
		asm.NormGradAddAVX2(c)
	case columnSums:
		asm.ColumnSumsAVX2(c)
	case addMap:
		asm.AddMapAVX2(c)
	}
}

// flat runs a routine over the whole vectors of its operands; it returns how many elements that were.
func (isa ISA) flat(routine flatRoutine, v asm.Vectors) int {
	if isa == Generic {
		return 0
	}
	v.N = v.N / isa.lanes() * isa.lanes()
	switch {
	case v.N == 0:
	case isa == AVX512:
		switch routine {
		case add:
			asm.AddAVX512(&v)
		case lerp:
			asm.LerpAVX512(&v)
		case sumSquares:
			asm.SumSquaresAVX512(&v)
		case adamW:
			asm.AdamWAVX512(&v)
		case exp:
			asm.ExpAVX512(&v)
		case peak:
			asm.PeakAVX512(&v)
		}
	default:
		switch routine {
		case add:
			asm.AddAVX2(&v)
		case lerp:
			asm.LerpAVX2(&v)
		case sumSquares:
			asm.SumSquaresAVX2(&v)
		case adamW:
			asm.AdamWAVX2(&v)
		case exp:
			asm.ExpAVX2(&v)
		case peak:
			asm.PeakAVX2(&v)
		}
	}
	return v.N
}

// transform applies a matrix of Winograd's to tiles.
func (isa ISA) transform(m tileMatrix, t *asm.Transform) {
	switch isa {
	case AVX512:
		switch m {
		case matrixB4:
			asm.TransformB4AVX512(t)
		case matrixA4:
			asm.TransformA4AVX512(t)
		case matrixAT4:
			asm.TransformAT4AVX512(t)
		case matrixG4:
			asm.TransformG4AVX512(t)
		case matrixGT4:
			asm.TransformGT4AVX512(t)
		case matrixP4:
			asm.TransformP4AVX512(t)
		case matrixB2:
			asm.TransformB2AVX512(t)
		case matrixA2:
			asm.TransformA2AVX512(t)
		case matrixP2:
			asm.TransformP2AVX512(t)
		case matrixAT2:
			asm.TransformAT2AVX512(t)
		case matrixG2:
			asm.TransformG2AVX512(t)
		case matrixGT2:
			asm.TransformGT2AVX512(t)
		}
	case AVX2:
		switch m {
		case matrixB4:
			asm.TransformB4AVX2(t)
		case matrixA4:
			asm.TransformA4AVX2(t)
		case matrixAT4:
			asm.TransformAT4AVX2(t)
		case matrixG4:
			asm.TransformG4AVX2(t)
		case matrixGT4:
			asm.TransformGT4AVX2(t)
		case matrixP4:
			asm.TransformP4AVX2(t)
		case matrixB2:
			asm.TransformB2AVX2(t)
		case matrixA2:
			asm.TransformA2AVX2(t)
		case matrixP2:
			asm.TransformP2AVX2(t)
		case matrixAT2:
			asm.TransformAT2AVX2(t)
		case matrixG2:
			asm.TransformG2AVX2(t)
		case matrixGT2:
			asm.TransformGT2AVX2(t)
		}
	default:
		transformGo(m, t)
	}
}
