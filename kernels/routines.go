package kernels

import "github.com/fmimg/fmimg/asm"

// A walkRoutine names a walk over the channels of maps.
type walkRoutine uint8

const (
	moments walkRoutine = iota
	affine
	affineSiLU
	normSums
	normSiLUSums
	normGrad
	normGradAdd
	columnSums
	maxima
	expSums
	softmaxGrad
	addMap
)

// A flatRoutine names element-wise work on flat vectors.
type flatRoutine uint8

const (
	add flatRoutine = iota
	lerp
	sumSquares
	adamW
	exp
	peak
)

// maxLanes is the most partial sums that a flat routine leaves.
const maxLanes = 16

func walkGo(routine walkRoutine, c *asm.Channels) {
	switch routine {
	case moments:
		asm.MomentsGo(c)
	case affine:
		asm.AffineGo(c)
	case affineSiLU:
		asm.AffineSiLUGo(c)
	case normSums:
		asm.NormSumsGo(c)
	case normSiLUSums:
		asm.NormSiLUSumsGo(c)
	case normGrad:
		asm.NormGradGo(c)
	case normGradAdd:
		asm.NormGradAddGo(c)
	case columnSums:
		asm.ColumnSumsGo(c)
	case maxima:
		asm.MaximaGo(c)
	case expSums:
		asm.ExpSumsGo(c)
	case softmaxGrad:
		asm.SoftmaxGradGo(c)
	case addMap:
		asm.AddMapGo(c)
	}
}

func flatGo(routine flatRoutine, v *asm.Vectors) {
	switch routine {
	case add:
		asm.AddGo(v)
	case lerp:
		asm.LerpGo(v)
	case sumSquares:
		asm.SumSquaresGo(v)
	case adamW:
		asm.AdamWGo(v)
	case exp:
		asm.ExpGo(v)
	case peak:
		asm.PeakGo(v)
	}
}

// tailChannels returns the walk over the channels from the given one on.
func tailChannels(c asm.Channels, from int) asm.Channels {
	c.X, c.Y, c.D = advance(c.X, from), advance(c.Y, from), advance(c.D, from)
	c.P0, c.P1, c.P2, c.P3 = advance(c.P0, from), advance(c.P1, from), advance(c.P2, from), advance(c.P3, from)
	c.S0, c.S1 = advance(c.S0, from), advance(c.S1, from)
	c.C -= from
	return c
}

// A tileMatrix names one of package asm's matrices.
type tileMatrix uint8

const (
	matrixB4 tileMatrix = iota
	matrixA4
	matrixAT4
	matrixG4
	matrixGT4
	matrixP4
	matrixB2
	matrixA2
	matrixP2
	matrixAT2
	matrixG2
	matrixGT2
)

func transformGo(m tileMatrix, t *asm.Transform) {
	table := [...][][]float32{
		matrixB4:  asm.MatrixB4,
		matrixA4:  asm.MatrixA4,
		matrixAT4: asm.MatrixAT4,
		matrixG4:  asm.MatrixG4,
		matrixGT4: asm.MatrixGT4,
		matrixP4:  asm.MatrixP4,
		matrixB2:  asm.MatrixB2,
		matrixA2:  asm.MatrixA2,
		matrixP2:  asm.MatrixP2,
		matrixAT2: asm.MatrixAT2,
		matrixG2:  asm.MatrixG2,
		matrixGT2: asm.MatrixGT2,
	}
	clip := m == matrixA4 || m == matrixP4 || m == matrixA2 || m == matrixP2
	asm.TransformGo(t, table[m], clip, m == matrixGT4 || m == matrixGT2)
}
