// Package fmimg trains small image generators by flow matching, and draws images with them, on the
// CPU. It is the package for programs:
//
//   - [Open], [OpenFS] and [Read] load a model, and [Model.Sample] draws images with it;
//   - [Grid] lays images out on a picture;
//   - [Train] trains a model on images.
//
// Each is a few lines over the packages below pipeline, which do more:
//
//   - pipeline/train and pipeline/distill: runs that leave a folder;
//   - pipeline/engine: the single training steps, for a loss of one's own;
//   - pipeline/sample and pipeline/edit: drawing into files, and changing images;
//   - pipeline/evaluate and pipeline/likelihood: how good images are, and how likely;
//   - unet, flow, ode, bijection, dataset: the network, the mathematics and the data.
//
// Images are float32 numbers, nominally in [-1, 1], in the order [N, H, W, C]. The caller owns the
// images that it gets; a [Model] owns its weights, and any number of goroutines may draw with it at
// once.
//
// ARCHITECTURE.md draws all folders and says where to change what. The command is cmd/fmimg.
package fmimg
