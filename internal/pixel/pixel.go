// Package pixel has the one rule by which numbers of images become bytes.
package pixel

// HalfRange is the number of byte steps from 0, the middle of the range, to either end.
const HalfRange = 127.5

// ToByte returns the byte nearest to the number: round((x+1)·127.5), halves up, clamped to 0..255.
// NaN becomes 0.
func ToByte(x float32) uint8 {
	// The conversions keep the compiler from fusing the product and the sum, so that a tie rounds
	// the same way on every CPU.
	v := float64((float64(x) + 1) * HalfRange)
	if !(v > 0) { // NaN too
		return 0
	}
	return uint8(min(v+0.5, 255))
}
