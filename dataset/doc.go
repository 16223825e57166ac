// Package dataset holds sets of images: where they come from, how a training run walks through
// them, and how their pixels become numbers and bytes again.
//
// # Sources
//
// A [Source] is a finite set of images of one shape, numbered from 0. [Open] reads one by name or
// path;
// [List] says which names there are, and [Split] holds some images out. MNIST is part of the program:
//
//	set, err := dataset.Open(ctx, "mnist", dataset.Options{})
//
// A new data set is one entry of the registry in known.go; a new file format is a case of openPath
// that returns a [Set].
//
// # Formats
//
//	a folder with train-images-idx3-ubyte and kin,   IDX as MNIST has it (idx.go, idxset.go)
//	each with or without .gz, or one of the files
//	a folder with data_batch_*.bin, or one of them   CIFAR-10's binary version (cifar.go)
//	a .npy file of uint8, or of floats in [-1,1],    NumPy's array, [N,H,W] or [N,H,W,C] (npy.go)
//	any other folder, or a .zip                      pictures: PNG, JPEG, GIF, WebP (files.go,
//	                                                 picture.go, pictures.go)
//
// Formats of pictures are told by their first bytes. The folders that the pictures lie in are their
// classes, below what they all lie in; folders called train and test (or val) divide them. A
// picture is cropped to the largest square in its middle, resized by Lanczos' filter, and turned as
// its Exif data says; what is transparent becomes white.
//
// # Pixels
//
// Images are NHWC float32 as everywhere in fmimg: an image of h rows, w columns and c channels is
// h·w·c numbers, channels contiguous, rows from the top. Byte b is the number b/127.5 - 1: 0
// (MNIST's background) is -1 and 255 is 1. [FromByte] and [ToByte] convert; all 256 bytes survive
// the round trip.
//
// # Order
//
// [Order] gives the order in which an epoch visits the images. It depends on the number of images, the
// seed and the epoch alone, so a run that is resumed in the middle of an epoch needs no saved
// state, and the number of threads changes nothing.
//
// # Memory
//
// Images are kept as bytes (MNIST: 47 MB for training, 8 MB for testing); those of MNIST are
// decoded once and shared. [Source.Image] converts one into the caller's memory and allocates
// nothing. Sources are read-only and may be used by several goroutines at once; a [Permutation] may
// be read so.
//
// What a header claims is checked before memory is taken: a parser takes at most 4 times its input
// and 16 MiB. Pixels and archives unpack to more, and have limits of their own (files.go): of a
// picture, of all pictures that are decoded at once, of an archive against its size, of the whole
// set.
package dataset
