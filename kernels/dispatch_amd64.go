//go:build amd64 && !noasm && !purego

package kernels

import "github.com/fmimg/fmimg/asm"

// product computes tiles of two segments of the given length and cols columns.
func (isa ISA) product(length, cols int, p *asm.Product) {
	if p.Tiles*p.N2*p.N1*p.K > maxSteps {
		isa.cutProduct(length, cols, p)
		return
	}
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
	if o.N2*o.N1*o.N0 > maxSteps {
		isa.cutOuter(rows, cols, o)
		return
	}
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

// walkVectors runs a routine over whole vectors of channels.
func (isa ISA) walkVectors(routine walkRoutine, c *asm.Channels) {
	if isa == AVX512 {
		walkAVX512(routine, c)
	} else {
		walkAVX2(routine, c)
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
	case maxima:
		asm.MaximaAVX512(c)
	case expSums:
		asm.ExpSumsAVX512(c)
	case softmaxGrad:
		asm.SoftmaxGradAVX512(c)
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
	case maxima:
		asm.MaximaAVX2(c)
	case expSums:
		asm.ExpSumsAVX2(c)
	case softmaxGrad:
		asm.SoftmaxGradAVX2(c)
	case addMap:
		asm.AddMapAVX2(c)
	}
}

// flatVectors runs a routine over whole vectors.
func (isa ISA) flatVectors(routine flatRoutine, v *asm.Vectors) {
	if isa == AVX512 {
		flatAVX512(routine, v)
	} else {
		flatAVX2(routine, v)
	}
}

func flatAVX512(routine flatRoutine, v *asm.Vectors) {
	switch routine {
	case add:
		asm.AddAVX512(v)
	case lerp:
		asm.LerpAVX512(v)
	case sumSquares:
		asm.SumSquaresAVX512(v)
	case adamW:
		asm.AdamWAVX512(v)
	case exp:
		asm.ExpAVX512(v)
	case peak:
		asm.PeakAVX512(v)
	}
}

func flatAVX2(routine flatRoutine, v *asm.Vectors) {
	switch routine {
	case add:
		asm.AddAVX2(v)
	case lerp:
		asm.LerpAVX2(v)
	case sumSquares:
		asm.SumSquaresAVX2(v)
	case adamW:
		asm.AdamWAVX2(v)
	case exp:
		asm.ExpAVX2(v)
	case peak:
		asm.PeakAVX2(v)
	}
}

// fetch asks for memory that will soon be used.
func (isa ISA) fetch(f *asm.Fetch) {
	switch isa {
	case AVX512:
		asm.FetchAVX512(f)
	case AVX2:
		asm.FetchAVX2(f)
	}
}

// transform applies a matrix of Winograd's to tiles.
func (isa ISA) transform(m tileMatrix, t *asm.Transform) {
	if isa.tiles(t) > maxTiles {
		isa.cutTransform(m, t)
		return
	}
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
