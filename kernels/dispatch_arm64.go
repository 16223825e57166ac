//go:build arm64 && !noasm && !purego

package kernels

import "github.com/fmimg/fmimg/asm"

// product computes tiles of two segments of the given length; their columns are always as many.
func (isa ISA) product(length, cols int, p *asm.Product) {
	if p.Tiles*p.N2*p.N1*p.K > maxSteps {
		isa.cutProduct(length, cols, p)
		return
	}
	if isa == Generic {
		asm.ProductGo(p, length)
		return
	}
	switch length {
	case 3:
		asm.Product2x3x16NEON(p)
	case 2:
		asm.Product2x2x16NEON(p)
	default:
		asm.Product2x1x16NEON(p)
	}
}

// outer adds to a tile of the given number of rows.
func (isa ISA) outer(rows, cols int, o *asm.Outer) {
	if o.N2*o.N1*o.N0 > maxSteps {
		isa.cutOuter(rows, cols, o)
		return
	}
	if isa == Generic {
		asm.OuterGo(o, rows)
		return
	}
	switch rows {
	case 6:
		asm.Outer6x16NEON(o)
	case 4:
		asm.Outer4x16NEON(o)
	case 2:
		asm.Outer2x16NEON(o)
	default:
		asm.Outer1x16NEON(o)
	}
}

// walkVectors runs a routine over whole vectors of channels.
func (isa ISA) walkVectors(routine walkRoutine, c *asm.Channels) {
	switch routine {
	case moments:
		asm.MomentsNEON(c)
	case affine:
		asm.AffineNEON(c)
	case affineSiLU:
		asm.AffineSiLUNEON(c)
	case normSums:
		asm.NormSumsNEON(c)
	case normSiLUSums:
		asm.NormSiLUSumsNEON(c)
	case normGrad:
		asm.NormGradNEON(c)
	case normGradAdd:
		asm.NormGradAddNEON(c)
	case columnSums:
		asm.ColumnSumsNEON(c)
	case maxima:
		asm.MaximaNEON(c)
	case expSums:
		asm.ExpSumsNEON(c)
	case softmaxGrad:
		asm.SoftmaxGradNEON(c)
	case addMap:
		asm.AddMapNEON(c)
	}
}

// flatVectors runs a routine over whole vectors.
func (isa ISA) flatVectors(routine flatRoutine, v *asm.Vectors) {
	switch routine {
	case add:
		asm.AddNEON(v)
	case lerp:
		asm.LerpNEON(v)
	case sumSquares:
		asm.SumSquaresNEON(v)
	case adamW:
		asm.AdamWNEON(v)
	case exp:
		asm.ExpNEON(v)
	case peak:
		asm.PeakNEON(v)
	}
}

// fetch asks for memory that will soon be used.
func (isa ISA) fetch(f *asm.Fetch) {
	if isa == NEON {
		asm.FetchNEON(f)
	}
}

// transform applies a matrix of Winograd's to tiles.
func (isa ISA) transform(m tileMatrix, t *asm.Transform) {
	if isa.tiles(t) > maxTiles {
		isa.cutTransform(m, t)
		return
	}
	if isa == Generic {
		transformGo(m, t)
		return
	}
	switch m {
	case matrixB4:
		asm.TransformB4NEON(t)
	case matrixA4:
		asm.TransformA4NEON(t)
	case matrixAT4:
		asm.TransformAT4NEON(t)
	case matrixG4:
		asm.TransformG4NEON(t)
	case matrixGT4:
		asm.TransformGT4NEON(t)
	case matrixP4:
		asm.TransformP4NEON(t)
	case matrixB2:
		asm.TransformB2NEON(t)
	case matrixA2:
		asm.TransformA2NEON(t)
	case matrixP2:
		asm.TransformP2NEON(t)
	case matrixAT2:
		asm.TransformAT2NEON(t)
	case matrixG2:
		asm.TransformG2NEON(t)
	case matrixGT2:
		asm.TransformGT2NEON(t)
	}
}
