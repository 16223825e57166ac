package flow

import "math/rand/v2"

// weyl is 2⁶⁴ divided by the golden ratio, made odd: the increment of SplitMix64.
const weyl = 0x9e3779b97f4a7c15

// Seed sets p to the start of a stream of random numbers. Words name the stream: for example a seed
// and the index of an image, or a seed, a step and an index. A stream depends on its words, and on
// how many they are, alone. So draw k is the same in any batch, order or goroutine.
//
// The words are absorbed one after the other into the state (a, b) of the generator. It starts at
// (weyl·number of words, 0), and each word makes
//
//	a = mix64(a + word + weyl),  b = mix64(b + a),
//
// where mix64 is the finaliser of SplitMix64. It is a bijection, so two different pairs of words
// never give the same state. With three words or more, two streams share a state with the chance of
// 128 random bits. Two streams overlap with a chance of that size too.
func Seed(p *rand.PCG, words ...uint64) {
	a, b := weyl*uint64(len(words)), uint64(0)
	for _, w := range words {
		a = mix64(a + w + weyl)
		b = mix64(b + a)
	}
	p.Seed(a, b)
}

// mix64 is the finaliser of SplitMix64: a bijection in which every bit of the result depends on
// every bit of x (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators",
// with variant 13 of the constants by Stafford).
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// OpenUniform draws a uniform number from (0, 1): an odd multiple of 2⁻⁵³, neither 0 nor 1.
func OpenUniform(p *rand.PCG) float64 {
	return (float64(p.Uint64()>>12) + 0.5) / (1 << 52)
}

// Gaussian fills x with independent standard normal numbers. Number i is the normal quantile of
// draw i. No draw is rejected, so a last bit that differs between machines cannot shift the numbers
// behind it.
func Gaussian(x []float32, p *rand.PCG) {
	for i := range x {
		x[i] = float32(normalQuantile(OpenUniform(p)))
	}
}

// Noise fills x with the standard normal noise of the stream (seed, index), see [Seed]: x0 of image
// index.
func Noise(x []float32, seed, index uint64) {
	var p rand.PCG
	Seed(&p, seed, index)
	Gaussian(x, &p)
}
