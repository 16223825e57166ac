package asm

import (
	"math"
	"unsafe"

	"github.com/fmimg/fmimg/internal/bfloat16"
)

// PairCols is the number of columns of a group in the matrix B of [Pairs].
const PairCols = 16

// PairUnit is the most pairs of a block, and the most rows of a tile, that a matrix unit takes.
const PairUnit = 16

// Pairs describes tiles of a product of matrices of bfloat16 with sums in float32, C = A·B + bias +
// R. Instructions multiply two neighbouring elements of a row of A, a pair, with two neighbouring
// elements of a column of B.
//
// Row i of a tile begins at A + tile.A + i·LdA. Its elements lie in a nest of three loops, of N2,
// N1 and Blocks steps; a step of the innermost loop takes a block of Unit pairs that lie side by
// side. All rows of a tile must be memory that may be read, also those that no segment stores.
type Pairs struct {
	A        unsafe.Pointer // that the offsets of tiles count from
	LdA      uintptr        // distance between two rows
	N2, N1   int            // counts of the outer and middle loop
	Blocks   int            // count of the inner loop
	Unit     int            // pairs of a block, 1 to PairUnit
	Inner    int            // pairs of the inner loop, Blocks·Unit
	Step1    uintptr        // from the end of the inner loop to its next beginning
	Step2    uintptr        // the same for the middle loop
	B        unsafe.Pointer // groups of [N2·N1·Inner][PairCols][2]
	GroupB   uintptr        // distance between two groups
	Bias     unsafe.Pointer // [columns] float32, or nil for zeros
	C, R     unsafe.Pointer // that the offsets of segments count from; R is nil for none
	LdC, LdR uintptr        // distance between two rows
	Wide     uintptr        // 1 if C and R hold float32, 0 if they hold bfloat16
	Cols     int            // columns that C has of the tile's
	Mask     [2]uintptr     // the columns of each group that C has, a bit for each
	Tiles    unsafe.Pointer // *PairTile
	Segments unsafe.Pointer // *PairSegment, those of one tile after those of another
	N        int            // count of tiles
	Sums     unsafe.Pointer // [2·PairUnit][2·PairCols] float32 for the routine to work in
	Config   [8]uint64      // of a matrix unit, from PairConfig
	Dot      Dot            // whose arithmetic PairsGo has
}

// A PairTile is where the rows of a tile begin in A, and how many segments of them are stored.
type PairTile struct {
	A        uintptr // offset in bytes
	Segments int
}

// A PairSegment is Rows rows of a tile, from Row on, that are stored one after another.
type PairSegment struct {
	Row, Rows int
	C, R      uintptr // offsets in bytes
}

// A Dot is the arithmetic of an instruction that sums up products of pairs.
type Dot uint8

const (
	// TileDot is Intel's TDPBF16PS. Over a block it makes two chains of fused multiply-adds from
	// zero, one of the even and one of the odd elements of pairs, and adds their sum to the sum so
	// far. It rounds to the nearest float32 and ties to the even one; operands and results below
	// 2⁻¹²⁶ count as zero (Intel's manual, volume 2, "TDPBF16PS": "DAZ=FTZ=1, RNE rounding").
	TileDot Dot = iota
	// VectorDot is Intel's VDPBF16PS: a fused multiply-add of the odd elements of a pair, and then
	// one of the even elements, which round as TileDot does.
	VectorDot
	// OddDot is Arm's BFDOT, and BFMMLA, while FPCR.EBF is 0. It adds the two products of a pair to
	// each other and their sum to the sum so far. Each step rounds to odd: it cuts off, and sets
	// the last bit unless nothing was lost. Operands and results below 2⁻¹²⁶ count as zero.
	OddDot
)

// PairConfig returns the configuration of a matrix unit's tiles for Pairs: sums of rows by PairCols
// float32 in tiles 0 to 3, rows of A with unit pairs in tiles 4 and 5, B in tiles 6 and 7. It is
// the operand of LDTILECFG: the palette, the bytes of a row of each tile from byte 16 on, and the
// rows from byte 48 on.
func PairConfig(rows, unit int) [8]uint64 {
	var config [8]uint64
	const palette = 1
	config[0] = palette
	for tile := range 8 {
		bytes, lines := 4*PairCols, rows
		switch {
		case tile >= 6:
			lines = unit
		case tile >= 4:
			bytes = 4 * unit
		}
		config[2+tile/4] |= uint64(bytes) << (tile % 4 * 16)
		config[6] |= uint64(lines) << (tile * 8)
	}
	return config
}

// PairsGo computes tiles of cols columns with the arithmetic of args.Dot. The routines make the
// same bytes, apart from those of NaN.
func PairsGo(args *Pairs, cols int) {
	tiles := unsafe.Slice((*PairTile)(args.Tiles), args.N)
	segment := 0
	for _, tile := range tiles {
		for range tile.Segments {
			s := (*PairSegment)(unsafe.Add(args.Segments, uintptr(segment)*unsafe.Sizeof(PairSegment{})))
			segment++
			for i := range s.Rows {
				a := tile.A + uintptr(s.Row+i)*args.LdA
				for j := 0; j < min(cols, args.Cols); j += PairCols {
					args.row(a, s.C+uintptr(i)*args.LdC, s.R+uintptr(i)*args.LdR, j)
				}
			}
		}
	}
}

// row computes one row of a group of columns, from j on.
func (p *Pairs) row(a, c, r uintptr, j int) {
	var sum [PairCols]float32
	b := uintptr(j/PairCols) * p.GroupB
	for range p.N2 {
		for range p.N1 {
			for range p.Blocks {
				p.block(&sum, a, b)
				a, b = a+uintptr(4*p.Unit), b+uintptr(4*PairCols*p.Unit)
			}
			a += p.Step1
		}
		a += p.Step2
	}
	for k := range min(PairCols, p.Cols-j) {
		v := sum[k] + p.biasOf(j+k)
		if p.Wide != 0 {
			at := uintptr(4 * (j + k))
			if p.R != nil {
				v += *(*float32)(unsafe.Add(p.R, r+at))
			}
			*(*float32)(unsafe.Add(p.C, c+at)) = v
			continue
		}
		at := uintptr(2 * (j + k))
		if p.R != nil {
			v += bfloat16.Float32(*(*uint16)(unsafe.Add(p.R, r+at)))
		}
		*(*uint16)(unsafe.Add(p.C, c+at)) = bfloat16.From(v)
	}
}

// biasOf returns the bias of a column.
func (p *Pairs) biasOf(column int) float32 {
	if p.Bias == nil {
		return 0
	}
	return *(*float32)(unsafe.Add(p.Bias, 4*column))
}

// normal returns a number of bfloat16, or zero where it is too small to be normal.
func normal(x uint16) float32 { return flushed(bfloat16.Float32(x)) }

// block adds the products of a block to the sums.
func (p *Pairs) block(sum *[PairCols]float32, a, b uintptr) {
	var even, odd [PairCols]float32
	for k := range uintptr(p.Unit) {
		x := (*[2]uint16)(unsafe.Add(p.A, a+4*k))
		x0, x1 := normal(x[0]), normal(x[1])
		y := (*[2 * PairCols]uint16)(unsafe.Add(p.B, b+4*PairCols*k))
		switch p.Dot {
		case TileDot:
			multiplyAdd(&even, x0, y[0:])
			multiplyAdd(&odd, x1, y[1:])
		case VectorDot:
			multiplyAdd(sum, x1, y[1:])
			multiplyAdd(sum, x0, y[0:])
		default:
			for c := range sum {
				first, second := multiplyOdd(x0, normal(y[2*c])), multiplyOdd(x1, normal(y[2*c+1]))
				sum[c] = addOdd(sum[c], addOdd(first, second))
			}
		}
	}
	if p.Dot == TileDot {
		for c := range sum {
			sum[c] = flushed(sum[c] + flushed(even[c]+odd[c]))
		}
	}
}

// multiplyAdd adds x times each second element of y to the sums, rounded once. The product is exact
// in float32 unless it is too small or too large.
func multiplyAdd(sum *[PairCols]float32, x float32, y []uint16) {
	for c := range sum {
		v := normal(y[2*c])
		p := float32(x * v)
		total := p + sum[c]
		if !isNormal(p) || !isNormal(total) {
			total = fused(x, v, sum[c])
		}
		sum[c] = total
	}
}

// smallest is the smallest normal float32.
const smallest = 0x1p-126

// flushed returns zero, with the sign of x, for numbers too small to be normal.
func flushed(x float32) float32 {
	if bits := math.Float32bits(x); bits&0x7f800000 == 0 {
		return math.Float32frombits(bits & 0x80000000)
	}
	return x
}

// isNormal reports whether x is neither zero nor subnormal nor infinite nor NaN.
func isNormal(x float32) bool { return math.Float32bits(x)<<1-0x01000000 < 0xfe000000 }

// fused returns a·b + c, rounded once, for a and b in bfloat16; none of them is subnormal. It
// rounds to odd in float64, so that the second rounding makes no error. A result is too small to be
// normal if it is so after rounding to 24 bits.
func fused(a, b, c float32) float32 {
	sum := oddSum(float64(a)*float64(b), float64(c))
	if sum != 0 && math.Abs(sum) < smallest*(1-0x1p-25) {
		return float32(math.Copysign(0, sum))
	}
	return float32(sum)
}

// oddSum returns x + y rounded to odd.
func oddSum(x, y float64) float64 {
	sum := x + y
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return sum
	}
	back := sum - x
	lost := float64(x-float64(sum-back)) + float64(y-back)
	bits := math.Float64bits(sum)
	switch {
	case lost == 0 || bits&1 == 1:
		return sum
	case lost > 0 == (sum > 0):
		return math.Float64frombits(bits | 1)
	}
	return math.Float64frombits(bits - 1)
}

// multiplyOdd is Arm's product of two numbers of bfloat16, which needs no rounding.
func multiplyOdd(a, b float32) float32 {
	return roundOdd(float64(a) * float64(b))
}

// addOdd is Arm's sum of two results.
func addOdd(a, b float32) float32 { return roundOdd(oddSum(float64(a), float64(b))) }

// roundOdd rounds a number to odd, to float32. Numbers too small to be normal become zero.
func roundOdd(x float64) float32 {
	switch size := math.Abs(x); {
	case size < smallest:
		return float32(math.Copysign(0, x))
	case size >= 0x1p128 || math.IsNaN(x):
		return float32(x)
	}
	const cut = 1<<29 - 1 // the bits that float32 lacks
	bits := math.Float64bits(x)
	if bits&cut != 0 {
		bits = bits&^cut | (cut + 1)
	}
	return float32(math.Float64frombits(bits))
}
