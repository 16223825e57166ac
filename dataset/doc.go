// Package dataset holds sets of images: where they come from, how a training run walks through
// them, and how their pixels become numbers and bytes again.
//
// # Sources
//
// A [Source] is a finite set of images of one shape, numbered from 0. [Open] reads a set by name or
// path. [List] returns the names that Open knows. [Split] holds some images out. MNIST is part of
// the program:
//
//	set, err := dataset.Open(ctx, "mnist", dataset.Options{})
//
// A new data set is one entry of the registry in known.go. A new file format is a case of openPath
// that returns a [Set].
//
// # Formats
//
//	a folder with train-images-idx3-ubyte and more   IDX as MNIST has it (idx.go, idxset.go)
//	files like it, with or without .gz, or one of them
//	a folder with data_batch_*.bin, or one of them   CIFAR-10's binary version (cifar.go)
//	a .npy file of uint8, or of floats in [-1,1],    NumPy's array, [N,H,W] or [N,H,W,C] (npy.go)
//	any other folder, or a .zip                      pictures: PNG, JPEG, GIF, WebP (files.go,
//	                                                 picture.go, pictures.go)
//
// The first bytes of a picture's file tell its format. Folders are classes, at the first level
// where there are several. Folders called train and test (or val) divide the pictures. A picture is
// cropped to the largest square in its middle and resized by Lanczos' filter. It is turned as its
// Exif data says. Transparent pixels become white.
//
// # Pixels
//
// Images are NHWC float32 as everywhere in fmimg: an image of h rows, w columns and c channels is
// h·w·c numbers, channels contiguous, rows from the top. Byte b is the number b/127.5 - 1: 0
// (MNIST's background) is -1 and 255 is 1. [FromByte] and [ToByte] convert. All 256 bytes survive
// the round trip.
//
// # Order
//
// [Order] gives the order in which an epoch visits the images. The order depends on the number of
// images, the seed and the epoch alone. So a run that is resumed in the middle of an epoch needs no
// saved state, and the number of threads changes nothing.
//
// # Memory
//
// Images are kept as bytes (MNIST: 47 MB for training, 8 MB for testing). MNIST is decoded once and
// shared. [Source.Image] converts an image into the caller's memory and allocates nothing. Several
// goroutines may use a source at once, as sources are read-only. The same is true of reading a
// [Permutation].
//
// What a header claims is checked before memory is taken: a parser takes at most 4 times its input
// and 16 MiB. Pictures and archives unpack to more, and have limits of their own (files.go): the
// pixels of a picture, the pixels of all pictures that are decoded at once, the bytes of an archive
// against its size, and the bytes of the whole set.
package dataset
