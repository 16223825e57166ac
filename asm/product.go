package asm

import "unsafe"

// Product describes tiles of a matrix product, C = A·B + bias + R. Each tile has two segments of
// rows. Row i of segment s of A begins at A_s + i·LdA; its elements lie in a nest of three loops,
// of N2, N1 and K steps, each at least 1. The step of the innermost loop, of K steps, is one
// float32. B holds a row for each element of a row of A, without gaps. All tiles share B and the
// bias.
type Product struct {
	A0, A1 unsafe.Pointer // first row of each segment
	LdA    uintptr        // distance between two rows
	N2, N1 int            // counts of the outer and middle loop
	K      int            // count of the inner loop
	Step1  uintptr        // from the end of the inner loop to its next beginning: S1 - 4·K
	Step2  uintptr        // the same for the middle loop: S2 - N1·S1
	B      unsafe.Pointer // [N2·N1·K][columns]
	Bias   unsafe.Pointer // [columns], or nil for none
	R0, R1 unsafe.Pointer // rows to add, laid out as C; nil for none
	LdR    uintptr        // distance between two rows of R
	C0, C1 unsafe.Pointer // first row of the result of each segment
	LdC    uintptr        // distance between two rows of C
	Fetch  uintptr        // 1 to fetch C into the cache during the sums, 0 if C is there already
	Tiles  int            // count of tiles, at least 1
	TileA  uintptr        // distance between two tiles in A; TileC and TileR in C and R
	TileC  uintptr
	TileR  uintptr
}

// at returns the element at a distance in bytes from p.
func at(p unsafe.Pointer, distance uintptr) *float32 { return (*float32)(unsafe.Add(p, distance)) }

// ProductGo computes tiles of half rows a segment and [ProductCols] columns.
func ProductGo(args *Product, half int) {
	for tile := range uintptr(args.Tiles) {
		for i := range uintptr(half) {
			productRow(args, args.A0, args.C0, args.R0, tile, i)
			productRow(args, args.A1, args.C1, args.R1, tile, i)
		}
	}
}

// productRow computes row i of a segment of a tile. It keeps positions as offsets, because Go
// forbids a pointer past the end of a map. Go keeps no array in registers, so each sum has a name.
func productRow(args *Product, a, c, r unsafe.Pointer, tile, i uintptr) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	col, b := tile*args.TileA+i*args.LdA, uintptr(0)
	for range args.N2 {
		for range args.N1 {
			for range args.K {
				x, y := *at(a, col), columns(args.B, b)
				s0 += float32(x * y[0])
				s1 += float32(x * y[1])
				s2 += float32(x * y[2])
				s3 += float32(x * y[3])
				s4 += float32(x * y[4])
				s5 += float32(x * y[5])
				s6 += float32(x * y[6])
				s7 += float32(x * y[7])
				col, b = col+4, b+4*ProductCols
			}
			col += args.Step1
		}
		col += args.Step2
	}
	sum := [ProductCols]float32{s0, s1, s2, s3, s4, s5, s6, s7}
	if args.Bias != nil {
		for j, y := range columns(args.Bias, 0) {
			sum[j] += y
		}
	}
	if r != nil {
		for j, y := range columns(r, tile*args.TileR+i*args.LdR) {
			sum[j] += y
		}
	}
	*columns(c, tile*args.TileC+i*args.LdC) = sum
}

// columns returns the row of a tile at a distance in bytes from p.
func columns(p unsafe.Pointer, distance uintptr) *[ProductCols]float32 {
	return (*[ProductCols]float32)(unsafe.Add(p, distance))
}
