package asm

import "unsafe"

// Transform describes Y = M·X·Mᵀ for N tiles, where X is a square grid of vectors of float32
// and M a small constant matrix. Row i and column j of X lie at SrcRow[i] + SrcCol[j] from Src.
//
// The routines for A4, P4, A2 and P2 write the first Rows rows and Cols columns of Y + Add. In
// their variants with BF16, the destination and Add are bfloat16. The routines for GT4 and GT2 add
// Y to the destination. The other routines write Y.
type Transform struct {
	Src            unsafe.Pointer
	SrcRow, SrcCol [6]uintptr
	SrcStep        uintptr // from a tile to the next
	Dst            unsafe.Pointer
	DstRow, DstCol uintptr // distances between rows and between columns
	DstStep        uintptr
	Bytes          uintptr        // size of a vector in the destination
	N              int            // tiles, at least 1
	Add            unsafe.Pointer // laid out like Y, or nil for none
	AddRow, AddCol uintptr
	AddStep        uintptr
	Rows, Cols     int
}

// The matrices of Winograd's minimal filtering (Lavin and Gray, 2016): F(4x4, 3x3) with the points
// 0, ±1, ±2, ∞ and F(2x2, 3x3) with 0, ±1, ∞. A tile of the result is Aᵀ·[(G·g·Gᵀ)
// ∘ (Bᵀ·d·B)]·A. Here B4 stands for Bᵀ, A4 for Aᵀ, G4 for G, and AT4 and GT4 for the
// transposes of A4 and G4.
var (
	MatrixB4 = [][]float32{
		{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
		{0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1},
	}
	MatrixA4  = [][]float32{{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}
	MatrixAT4 = transpose(MatrixA4)
	MatrixG4  = [][]float32{
		{1. / 4, 0, 0}, {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1},
	}
	MatrixGT4 = transpose(MatrixG4)
	// MatrixP4 holds the sums of pairs of rows of A4: the adjoint of a nearest up-sampling, after
	// A4.
	MatrixP4 = [][]float32{{1, 2, 0, 3, -1, 0}, {0, 2, 0, 12, -4, 1}}

	MatrixB2  = [][]float32{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}
	MatrixA2  = [][]float32{{1, 1, 1, 0}, {0, 1, -1, -1}}
	MatrixP2  = [][]float32{{1, 2, 0, -1}}
	MatrixAT2 = transpose(MatrixA2)
	MatrixG2  = [][]float32{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}}
	MatrixGT2 = transpose(MatrixG2)
)

func transpose(m [][]float32) [][]float32 {
	t := make([][]float32, len(m[0]))
	for j := range t {
		for i := range m {
			t[j] = append(t[j], m[i][j])
		}
	}
	return t
}

// TransformGo does the work of the routine for matrix m. With clip, it obeys Rows, Cols and Add;
// with add, it adds Y to the destination; with half, destination and Add are bfloat16.
func TransformGo(args *Transform, m [][]float32, clip, add, half bool) {
	size := uintptr(4)
	if half {
		size = 2
	}
	for n := range uintptr(args.N) {
		for c := range args.Bytes / size {
			transformOne(args, m, n, c, size, clip, add)
		}
	}
}

// transformOne transforms channel c of tile n. An element of the destination takes size bytes.
func transformOne(args *Transform, m [][]float32, n, c, size uintptr, clip, add bool) {
	var half [6][6]float32 // M·X
	for j := range m[0] {
		for k, row := range m {
			var sum float32
			for i, w := range row {
				sum += float32(w * *at(args.Src, n*args.SrcStep+4*c+args.SrcRow[i]+args.SrcCol[j]))
			}
			half[k][j] = sum
		}
	}
	for k := range m {
		for l, row := range m {
			if clip && (k >= args.Rows || l >= args.Cols) {
				continue
			}
			var y float32
			for j, w := range row {
				y += float32(w * half[k][j])
			}
			to := n*args.DstStep + size*c + uintptr(k)*args.DstRow + uintptr(l)*args.DstCol
			if clip && args.Add != nil {
				y += load(args.Add, n*args.AddStep+size*c+uintptr(k)*args.AddRow+uintptr(l)*args.AddCol, size)
			}
			if add {
				y += load(args.Dst, to, size)
			}
			store(args.Dst, to, size, y)
		}
	}
}
