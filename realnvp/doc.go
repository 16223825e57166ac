// Package realnvp is the normalizing flow of images of Dinh et al. 2017, "Density estimation using
// Real NVP". Its layers are those of package bijection. Its conditioners are small convolutional
// networks of package nn, at several scales.
//
//	pixels in [-1, 1] ► logit ─► couplings ─► squeeze ─► couplings ─┬─► noise: half of the numbers
//	                             checkerboard            channels   └─► next scale
//
// A scale has three couplings with each mask, and an activation norm before each coupling. The last
// scale has four checkerboard couplings. A squeeze turns 2x2 pixels with C channels into one pixel
// with 4·C channels.
//
// A [Model] holds the parameters. Each worker has a [Replica] with activations of its own, which
// shares the parameters.
package realnvp
