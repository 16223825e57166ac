// Package fmimg trains small image generators by flow matching, and draws images with them, on the CPU. It is the
// door for programs:
//
//   - [Open], [OpenFS] and [Read] load a model, [Model.Sample] draws with it, and [Grid] lays images out on a picture;
//   - [Train] makes a model from pictures.
//
// Each is a few lines over the packages below pipeline, which do more:
//
//   - pipeline/train, pipeline/distill: runs that leave a folder; pipeline/engine: single steps of a loss of one's own;
//   - pipeline/sample, pipeline/edit: drawing into files, changing images;
//   - pipeline/evaluate, pipeline/likelihood: how good images are, and how likely;
//   - unet, flow, ode, bijection, dataset: the network, the mathematics, and the data, each usable alone.
//
// ARCHITECTURE.md draws all folders and says where to change what. The command is cmd/fmimg.
package fmimg
