// Package safetensors reads and writes the file format of that name. Such a file holds named
// tensors and some text. PyTorch reads and writes it too.
//
// # Layout
//
//	8 bytes    the length of the header, little endian
//	header     a JSON object: type, shape and data_offsets of each tensor, and free text
//	data       the elements of the tensors, little endian; the last dimension varies fastest
//
// https://huggingface.co/docs/safetensors describes the format. [Read] is stricter: it accepts no
// file that two readers could take differently. IEEE 754-2008 defines the floats.
//
// Reading and writing are our own. Once duplicate keys, holes and overlaps are checked, a library
// would have nothing left to do.
//
// # Memory
//
// [Read] converts elements as they come in. Its memory grows with the bytes that have come in,
// whatever the header claims. The [File] that it returns is the caller's. [Write] keeps nothing of
// its argument.
package safetensors
