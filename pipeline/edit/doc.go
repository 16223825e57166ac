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
// A [Task] (task.go) changes images in memory, by the workers of a [Runner]. A [Reader] makes these
// images of pictures, and knows which part a mask means. The functions Inpaint, Interpolate and
// Vary make an editor (editor.go) of the two, which opens the model and the files, has a runner
// with a worker for each thread, and writes the picture. The noise of a state is keyed by its input
// and its number, so a result depends neither on the number of threads nor on the other images.
package edit
