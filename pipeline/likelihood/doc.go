// Package likelihood measures how likely images are under a model, in bits per dimension.
//
// # Notation
//
//	x       an image [H, W, C] in [-1, 1], d numbers; noise u spreads its bytes over their width
//	p(x)    the density of the model, found by solving its flow backwards to noise
//	y       a class of the model, a row of the label embedding
//	sample  a draw of u
//	probe   a random direction that estimates a trace (Hutchinson)
//
// −log₂ P(bytes)/d is at most −log p/(d·ln 2) + 7 in expectation: 7 is 8 bits for 256 bytes, less
// one bit for pixels that span 2.
//
// # Where to start
//
// [Measure] goes from [Options] to a [Report]. plan.go picks the images; gauge.go lists a task for
// each image, sample and class, and measures images in memory; worker.go solves tasks; scores.go
// makes likelihoods of the solutions; extremes.go draws the likeliest images and those least
// likely.
//
// Noise and probes are keyed by the image, so a result does not depend on the number of threads.
package likelihood
