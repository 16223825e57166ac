// Package float16 converts IEEE 754 binary16, which most libraries call float16 or half.
package float16

import "math"

// IEEE 754 binary16: 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits. Binary32 has 8,
// 127 and 23.
const (
	halfFractionShift = 23 - 10
	halfBias          = 127 - 15
	halfExponentMask  = 0x1f
	halfFractionMask  = 1<<10 - 1
	halfSign          = 1 << 15
	halfInf           = halfExponentMask << 10
	halfNaN           = halfInf | 1<<9
)

// Bit patterns of float32 at which narrowing proceeds differently.
const (
	floatInf       = 0xff << 23
	floatHalfOver  = 0x477ff000 // 65520, half-way between the largest half, 65504, and 65536
	floatHalfSmall = (127 - 14) << 23
)

// Float32 returns the value of a binary16 number, exactly. The number may be subnormal, infinite or
// NaN.
func Float32(h uint16) float32 {
	sign := uint32(h&halfSign) << 16
	exponent := uint32(h>>10) & halfExponentMask
	fraction := uint32(h & halfFractionMask)
	switch exponent {
	case 0: // subnormal: fraction·2⁻²⁴, a normal float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case halfExponentMask:
		return math.Float32frombits(sign | floatInf | fraction<<halfFractionShift)
	}
	return math.Float32frombits(sign | (exponent+halfBias)<<23 | fraction<<halfFractionShift)
}

// Fits reports whether a number rounds to a finite one. The largest is 65504.
func Fits(x float32) bool { return From(x)&halfInf != halfInf }

// From rounds to the nearest binary16 number, ties to even. Larger numbers become an infinity.
func From(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits>>16) & halfSign
	bits &^= 1 << 31
	switch {
	case bits > floatInf:
		return sign | halfNaN
	case bits >= floatHalfOver:
		return sign | halfInf
	case bits < floatHalfSmall:
		// Near 0.5 the float32 numbers lie 2⁻²⁴ apart, as the subnormals of binary16 do. So adding
		// 0.5 rounds.
		const half = 0.5
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+half)-math.Float32bits(half))
	}
	bits -= halfBias << 23
	odd := bits >> halfFractionShift & 1
	bits += 1<<(halfFractionShift-1) - 1 + odd // carries into the exponent where it must
	return sign | uint16(bits>>halfFractionShift)
}
