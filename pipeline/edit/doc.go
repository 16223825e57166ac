// Package edit changes images by a model of the velocity of a flow.
//
//   - [Inpaint] draws a part of each image anew.
//   - [Interpolate] walks from one image to another through noise.
//   - [Vary] adds noise to an image and removes it again.
//
// Each writes a picture with a row for each image, or pair of images. All take [Options], which
// name the model, the images and the solver. The mathematics is in package flow.
//
// # Notation
//
// x is images, [N, H, W, C] in [-1, 1]; t runs from 0, noise, to 1, images. An input is an image
// that is edited. A state is an image on its way between noise and image.
//
// # Where to start
//
// Inpaint, Interpolate and Vary make an editor (editor.go), which opens the model and the inputs,
// starts workers, and solves for many states at a time. The noise of a state is keyed by its input
// and its number, so a result depends neither on the number of threads nor on the other images.
package edit
