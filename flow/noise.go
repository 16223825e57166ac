package flow

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/internal/keyed"
)

// Seed sets p to the start of a stream of random numbers. Words name the stream: for example a seed
// and the index of an image, or a seed, a step and an index. A stream depends on its words, and on
// how many they are, alone. So draw k is the same in any batch, order or goroutine.
//
// The words are absorbed one after the other into the state (a, b) of the generator. It starts at
// (γ·number of words, 0), and each word makes
//
//	a = mix(a + word + γ),  b = mix(b + a),
//
// where mix is [keyed.Mix] and γ is [keyed.Increment]. The function mix is a bijection, so two
// different pairs of words never give the same state. With three words or more, two streams share a
// state with the chance of 128 random bits. Two streams overlap with a chance of that size too.
func Seed(p *rand.PCG, words ...uint64) {
	a, b := keyed.Increment*uint64(len(words)), uint64(0)
	for _, w := range words {
		a = keyed.SplitMix64(a + w)
		b = keyed.Mix(b + a)
	}
	p.Seed(a, b)
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
