// Package asm holds the micro-kernels: small loops over float32 and bfloat16 in assembly, and
// beside each loop the Go loop that it equals. It knows no convolution and no network.
//
// A routine takes one pointer to a struct of pointers, counts and distances. Distances are in
// bytes, counts in elements. Routines check nothing: package kernels prepares the arguments, and
// asks cpuid which routines may run.
//
// There are these families:
//
//   - [Product]: tiles of C = A·B + bias + R, where the elements of a row of A lie in a nest of
//     loops;
//   - [Outer]: a tile of C += Σ a·bᵀ over vectors a and b in a nest of loops;
//   - [Transform]: Y = M·X·Mᵀ for grids X of vectors of channels and a small constant matrix M;
//   - [Channels]: walks over the pixels of maps, one vector of channels after another;
//   - [Vectors]: element-wise work on flat vectors;
//   - [Pairs]: tiles of C = A·B + bias + R for A and B in bfloat16, by matrix units or dot
//     products;
//   - [Interleave] and [Turn]: what prepares the operands of [Pairs];
//   - [Fetch]: memory that will soon be used.
//
// A routine named …2x7x32AVX512 handles two segments of 7 rows and 32 columns with AVX-512. asm/gen
// describes each routine once, and writes it for AVX2, AVX-512 and NEON, with its declaration, its
// entry in the tables of tests and the switch by which package kernels calls it. The routines of
// [Pairs] are for AVX512_BF16, AMX and Arm's BF16, whose other routines are those of AVX-512 and
// NEON. The Go loops (…Go) are written by hand. The assembly may differ from its Go loop in
// rounding alone, because it fuses multiplications and additions; the loops of [Pairs] round as the
// instructions do. The build tags noasm and purego leave the assembly out.
package asm

//go:generate go run ./gen
