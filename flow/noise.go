package flow

import "math/rand/v2"

// weyl is 2⁶⁴ divided by the golden ratio, made odd: the increment of SplitMix64.
const weyl = 0x9e3779b97f4a7c15

// Seed sets p to the start of the stream of random numbers that words name, for example a seed and the
// index of an image, or a seed, a step and an index. A stream depends on its words (and how many they are)
// alone, so draw k is the same in whatever batch, order or goroutine it is made.
//
// The words are absorbed one after the other into the generator's state (a, b), which starts at (weyl·number of
// words, 0), by
//
//	a = mix64(a + word + weyl),  b = mix64(b + a),
//
// where mix64 is the finaliser of SplitMix64. It is a bijection, so two different pairs of words never give the
// same state; with three words or more, as with two streams that overlap, the chance is that of 128 random bits.
func Seed(p *rand.PCG, words ...uint64) {
	a, b := weyl*uint64(len(words)), uint64(0)
	for _, w := range words {
		a = mix64(a + w + weyl)
		b = mix64(b + a)
	}
	p.Seed(a, b)
}

// mix64 is the finaliser of SplitMix64, a bijection in which every bit of the result depends on every bit
// of x (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", with Stafford's
// variant 13 of the constants).
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// OpenUniform draws a number that is uniform on (0, 1): an odd multiple of 2⁻⁵³, neither 0 nor 1.
func OpenUniform(p *rand.PCG) float64 {
	return (float64(p.Uint64()>>12) + 0.5) / (1 << 52)
}

// Gaussian fills x with independent standard normal numbers. Number i is the normal quantile of draw i:
// no draw is ever rejected, so a last bit that differs between machines can't shift the numbers after it.
func Gaussian(x []float32, p *rand.PCG) {
	for i := range x {
		x[i] = float32(normalQuantile(OpenUniform(p)))
	}
}

// Noise fills x with the standard normal noise of the stream (seed, index), see [Seed]: x0 of image index.
func Noise(x []float32, seed, index uint64) {
	var p rand.PCG
	Seed(&p, seed, index)
	Gaussian(x, &p)
}
