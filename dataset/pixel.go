package dataset

// The range of pixels as numbers: byte 0 is PixelMin, byte 255 is PixelMax.
const (
	PixelMin = -1.0
	PixelMax = 1.0
)

// halfRange is the number of byte steps from the middle of the range to either end.
const halfRange = 127.5

// FromByte returns b/127.5 - 1, the number in [-1,1] that stands for a pixel of value b.
func FromByte(b uint8) float32 { return float32(b)/halfRange - 1 }

// ToByte returns the byte nearest to the number: round((x+1)·127.5), halves up, clamped to 0..255. It is
// the inverse of [FromByte] for all 256 bytes. NaN becomes 0.
func ToByte(x float32) uint8 {
	// The conversions keep the compiler from fusing the product and the sum, so that a tie rounds the
	// same way on every CPU.
	v := float64((float64(x) + 1) * halfRange)
	if !(v > 0) { // NaN too
		return 0
	}
	return uint8(min(v+0.5, 255))
}

// fromByte is FromByte as a table: a look-up is faster than a division.
var fromByte = func() (table [256]float32) {
	for b := range table {
		table[b] = FromByte(uint8(b))
	}
	return table
}()
