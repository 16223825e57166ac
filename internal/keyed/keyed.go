// Package keyed makes random bits from keys. A key gives the same bits in whatever order keys are
// used.
package keyed

// Increment is 2⁶⁴ divided by the golden ratio, made odd. In each step SplitMix64 adds it to its
// state.
const Increment = 0x9e3779b97f4a7c15

// SplitMix64 returns the number that the generator SplitMix64 gives in the state x. The function is
// a bijection in which each bit of x changes about half of the bits of the result.
func SplitMix64(x uint64) uint64 { return Mix(x + Increment) }

// Mix is SplitMix64 without its increment, which is also a bijection (Steele, Lea and Flood 2014,
// "Fast Splittable Pseudorandom Number Generators", with variant 13 of Stafford's constants).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
