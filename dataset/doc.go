// Package dataset holds sets of images: where they come from, how a training run walks through them,
// and how their pixels become numbers and bytes again.
//
// # Sources
//
// A [Source] is a finite set of images of one shape, numbered from 0. [Open] finds one by name; [List]
// says which names there are. MNIST is part of the program:
//
//	train, test, err := dataset.Open("mnist", dataset.Options{})
//
// A new data set is one line of the registry in source.go; a new file format is a case of openPath there
// that returns a Source.
//
// # Pixels
//
// Images are NHWC float32 as everywhere in fmimg: an image of h rows, w columns and c channels is h·w·c
// numbers, channels contiguous, rows from the top. Byte b is the number b/127.5 - 1: 0 (MNIST's
// background) is -1 and 255 is 1. [FromByte] and [ToByte] convert; all 256 bytes survive the round trip.
//
// # Order
//
// [Order] gives the order in which an epoch visits the images. It depends on the number of images, the
// seed and the epoch alone, so a run that is resumed in the middle of an epoch needs no saved state, and
// the number of threads changes nothing.
//
// # Memory
//
// Images are kept as bytes (MNIST: 47 MB for training, 8 MB for testing), decoded at the first Open and
// shared by all sources that follow. [Source.Image] converts one into the caller's memory and allocates
// nothing. Sources are read-only and may be used by several goroutines at once; a [Permutation] may be
// read so. What a file's header claims is checked against a limit, and memory grows only with the
// bytes that are really there.
package dataset
