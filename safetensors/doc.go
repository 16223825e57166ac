// Package safetensors reads and writes the file format of that name, which keeps named tensors and
// PyTorch reads too.
//
// # Layout
//
//	8 bytes    the length of the header, little endian
//	header     a JSON object: for each tensor its type, shape and data_offsets; free text
//	data       the tensors' elements, little endian, the last dimension varying fastest
//
// The format is described at https://huggingface.co/docs/safetensors. [Read] is stricter than that: it
// accepts no file that two readers could take differently.
//
// # Memory
//
// [Read] converts elements as they come in, and its memory grows with the bytes that have come, not with
// what the header claims. The [File] that it returns is the caller's. [Write] keeps nothing of its
// argument.
package safetensors
