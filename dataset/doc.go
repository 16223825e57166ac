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
// A new data set is one entry of the registry in known.go. place.read chooses among the kinds of
// files.
//
// # Formats
//
// A path leads to a folder, an archive or a file. Package dataset/tree makes a list of files of it.
// Among these files, the first of the following that is there makes the set:
//
//	arrays     IDX, NumPy's .npy and .npz, CIFAR, CSV of pixels (dataset/array)
//	rows       parquet files with a picture in each row (dataset/rows)
//	pictures   files of pictures in any of many formats (dataset/decode, loader.go)
//
// A set of arrays or rows that lies among more pictures than it has files is not taken.
//
// # What folders mean
//
// Folders at the first level where there are several are classes. Folders with one of the usual
// names of splits (train, val, test) divide the pictures instead, and what lies beside these
// folders is left out. Pictures that lie beside class folders have no class; where they are most,
// no picture has one (layout.go). A split may also be in longer names, such as cats_train
// (splitwords.go), or in lists of names, such as train.txt and test.txt (tables.go). Masks that lie
// beside their pictures are left out (masks.go).
//
// Labels may also come from tables of file names (labels.go, nameindex.go, labelling.go), or from a
// small file beside each picture (gallerylabels.go). Options.Labels decides. What was guessed, left
// out or not found is in Set.Notes.
//
// The classes of a set of pictures are those of its training pictures, with numbers in the order of
// numbers. A set of arrays keeps the numbers of its labels, also those without an image.
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
// and 16 MiB. Pictures and archives unpack to more, and have limits of their own: the pixels of a
// picture, the pixels of all pictures that are decoded at once (decode.Room), the bytes of an
// archive against its size (tree.Limits), and the bytes of the whole set.
package dataset
