// Package evaluate measures generated images: by the features that a classifier finds in them, and
// by the pixels of their nearest training images.
//
// # What is compared
//
//	generated   images that a model draws, or that come from elsewhere
//	reference   real test images, which training does not see
//	floor       real training images, measured like generated ones
//
// All are rounded to bytes first, as in a PNG. A score of generated images means something beside
// the same score of the floor. The scores are in package metrics.
//
// # Where to start
//
// [Evaluate] goes from [Options] to a [Report]. evaluate.go opens everything, drawn.go gets the
// generated images, scores.go compares.
//
// # Memory
//
// Images are kept as bytes, features as float32. The references of the nearest distances are read
// again from the data, block by block.
package evaluate
