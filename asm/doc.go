// Package asm holds the micro-kernels: small loops over float32 in assembly, and beside each the Go
// loop that it equals. It knows no convolution and no network.
//
// A routine takes one pointer to a struct of pointers, counts and distances. Distances between
// elements are in bytes, counts in elements. Nothing is checked: package kernels prepares the
// arguments, and decides through cpuid which routine may run.
//
// Five families:
//
//   - [Product]: tiles of C = A·B + bias + R, where the columns of A run through a strided nest;
//   - [Outer]: a tile of C += Σ a·bᵀ over strided vectors a and b;
//   - [Transform]: Y = M·X·Mᵀ for grids X of vectors of channels and a small constant matrix M;
//   - [Channels]: walks over the pixels of maps, one vector of channels after another;
//   - [Vectors]: element-wise work on flat vectors.
//
// A routine named …2x7x32AVX512 handles two segments of 7 rows and 32 columns with AVX-512. The .s
// files and their declarations are written by asm/gen, which describes each routine once for AVX2,
// AVX-512 and NEON; the Go loops (…Go) are by hand. The assembly may differ from its Go loop in rounding
// alone: it fuses multiplications and additions. Build tags noasm and purego leave the assembly out.
package asm

//go:generate go run ./gen
