package dataset

import "github.com/fmimg/fmimg/internal/pixel"

// The range of pixels as numbers: byte 0 is PixelMin, byte 255 is PixelMax.
const (
	PixelMin = -1.0
	PixelMax = 1.0
)

// FromByte returns b/127.5 - 1, the number in [-1,1] that stands for a pixel of value b.
func FromByte(b uint8) float32 { return float32(b)/pixel.HalfRange - 1 }

// ToByte returns the byte nearest to the number: round((x+1)·127.5), halves up, clamped to 0..255.
// It is the inverse of [FromByte] for all 256 bytes. NaN becomes 0.
func ToByte(x float32) uint8 { return pixel.ToByte(x) }

// dequantizedSteps is the number of byte widths from the middle of the range to either end, when
// each byte has a width.
const dequantizedSteps = 128

// BitsOfScale is the number of bits by which the density of dequantised pixels differs from that of
// bytes. A byte is 1/128 wide, so for each number log₂ p of the byte is log₂ p of the number less
// 7.
const BitsOfScale = 7

// Dequantize returns (b+u)/128 - 1. It is the number in [-1,1] of byte b, spread over the width of
// the byte by u in [0,1). The 256 bytes fill the range without gaps, so that the numbers have a
// density. The points of [FromByte] have none. The result differs from FromByte by at most half the
// width of a byte on average, and never by more than the whole width.
func Dequantize(b uint8, u float64) float32 { return float32((float64(b)+u)/dequantizedSteps - 1) }

// fromByte is FromByte as a table. To look a number up is faster than to divide.
var fromByte = func() (table [256]float32) {
	for b := range table {
		table[b] = FromByte(uint8(b))
	}
	return table
}()
