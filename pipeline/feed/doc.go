// Package feed opens data and hands its images to the workers of a run.
//
// # Where to start
//
//   - [DataOptions] say which data is read, and [DataOptions.Open] opens it. A [Request] asks for
//     data in the shape that a network takes.
//   - A [Feed] gives each position of each batch its image, mirrored, shifted or dequantised if
//     asked for. An [Order] shuffles every epoch.
//   - [HeldImage] gives the images of the validation loss.
//
// # Randomness and memory
//
// Every draw is keyed by the seed, the step and the position, so an image does not depend on the
// worker that reads it. The generator is the worker's own: a Feed and an Order are only read while
// a batch is worked on. Images go into slices of the caller, [H, W, C] in [-1, 1].
package feed
