// Package fmimg is the root of a module that trains small image generators by flow matching and
// samples them on the CPU. It holds no code; the parts are:
//
//   - cmd/fmimg: the command;
//   - pipeline: training and generating as functions of option structs;
//   - dataset: images to train on, MNIST among them;
//   - flow: the mathematics, over plain vectors: paths, losses, ODE solvers;
//   - metrics: how well generated images stand for real ones;
//   - models: trained networks that are part of the program;
//   - realnvp: a normalizing flow of images; compare, toy: ways to learn distributions of the plane;
//   - unet: the network that is trained; nn: its layers; kernels: the operations on feature maps;
//   - asm: the innermost loops.
//
// ARCHITECTURE.md says how they fit together.
package fmimg
