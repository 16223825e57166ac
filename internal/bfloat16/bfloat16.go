// Package bfloat16 converts bfloat16, the upper half of an IEEE binary32.
package bfloat16

import "math"

// From rounds to the nearest bfloat16, and ties to the even one. Values beyond the largest one
// become infinite. The NaN that arithmetic makes stays NaN; one with bits set in its lower half may
// become another value, as in the assembly that rounds the same way.
func From(x float32) uint16 {
	bits := math.Float32bits(x)
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// Float32 returns the value of a bfloat16.
func Float32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// Round returns the value of the nearest bfloat16.
func Round(x float32) float32 { return Float32(From(x)) }
