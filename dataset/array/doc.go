// Package array reads sets of images that are arrays of numbers, whatever file they come in: IDX,
// NumPy's .npy and .npz, CIFAR's batches, and tables of pixels as CSV.
//
// [Find] recognises the sets among the files of a folder or an archive. Each becomes a [Source],
// whose Read returns a [Set]: images as bytes, NHWC, with labels, and notes on all that was assumed
// or left out. [Join] makes one set of arrays that lie in several files (join.go, stack.go).
//
// # How numbers become pixels
//
// A reader describes its numbers ([numbers]): their dimensions and a walk over them in the order of
// the file. Package array finds which dimension is which (layout.go), looks at all numbers to find
// which of them is black and which is white (scale.go), and walks a second time to write bytes
// where they belong (fill.go). So floats and transposed arrays take no memory besides the images.
// The range is one for training and test images together.
//
// # Memory
//
// What a header claims is checked against the size of the file before memory is taken. Where a file
// is compressed, its numbers are counted first. So a reader takes at most 4 times its input and
// 16 MiB besides the images, and these stay within [Limits].
package array
