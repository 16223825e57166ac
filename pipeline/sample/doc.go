// Package sample draws images from a model, into memory or into files.
//
//   - [Draw] returns images, for any number of callers at once;
//   - [Sampler] keeps its workers between calls, for many small batches;
//   - [Generate] writes images: a grid, a strip or an animation of trajectories, an array, or PNGs;
//   - [Pool] lies below all of them: it spreads images over the workers of a crew.
//
// # Determinism
//
// Image i of a seed starts from the noise of (seed, i), and takes a random class of (seed, i) where
// none is asked for. It depends on nothing else: not on the other images, the number of threads, or
// the way it is written.
//
// # Layouts
//
// Images are [N, H, W, C] float32, nominally in [-1, 1]. A trajectory has a state of that shape for
// each step of the solver, from noise at t = 0 to the image at t = 1. A strip has n moments of it
// side by side, moment k at t = k/(n−1).
//
// # Memory
//
// A worker draws up to [ReplicaImages] images at once and has a replica's buffers for them. [Draw]
// and [Sampler.Draw] hold all images of a call, at most [MaxElements] numbers; a folder is written
// in blocks instead. The caller owns the images that it gets.
//
// Start reading at sampler.go.
package sample
