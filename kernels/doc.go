// Package kernels holds the operations of a convolutional network on float32 and bfloat16, forward
// and backward, for every instruction set. It is the only place that names instruction sets: [Best]
// asks the CPU, and each operation takes an [ISA] and picks its micro-kernels from package asm.
//
// # Layout
//
// Activations are [Map] values: NHWC, channels contiguous, with a halo of one zero pixel where a
// 3x3 convolution reads them. A convolution is then a matrix product that reads its input in place
// (implicit GEMM): a row of the product is a pixel of the output, and its factor is the window of
// pixels around that pixel, whose rows are runs of 3·C elements. Some channels of a map can be used
// as a map of their own, so concatenation costs nothing.
//
// Weights are [KH][KW][IC][OC] where they are trained, and are packed into panels
// [OC/cols][KH·KW·IC][cols] once per optimiser step.
//
// # Memory
//
// Operations allocate nothing once a [Scratch] has grown to its size. A wrong shape is a bug of the
// caller and panics with both shapes. Kernels may read, and ignore, up to 64 elements behind a
// map's last element; maps are allocated with that slack.
//
// # Files
//
// asm/gen writes the files that choose among the routines of package asm: dispatch_GOARCH.go,
// routines.go and targets.go. blocks.go holds all block sizes, also those of packages nn and
// metrics.
package kernels
