// Package realnvp is the normalizing flow of images (Dinh et al. 2017, "Density estimation using
// Real NVP"): coupling layers of package flow whose conditioners are small convolutional networks
// of package nn, at several scales.
//
//	pixels in [-1, 1] ► logit ─► 3 couplings, checkerboard ─► squeeze ─► 3 couplings, channels ─┬─► noise
//	                             └─────────── a scale, with an activation norm before each ───┘ └─► the next scale, half the numbers
//
// The last scale is four checkerboard couplings. A squeeze makes of 2x2 pixels of C channels one of
// 4·C.
//
// A [Model] is the parameters; a [Replica] has the activations of one worker, and shares them.
package realnvp
