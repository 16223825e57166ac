// Package nn holds layers with parameters, each with its forward and backward in one file, and the set of
// parameters that they share.
//
// # Memory
//
// A network's parameters live in the flat vectors of one [Params]; their packed forms in one
// [Weights]. Both are shared by all workers and only read while these run. Activations belong to one
// worker: a [Builder] makes a worker's copy of each layer together with the maps that the layer reads
// and writes, so that a forward or backward allocates nothing.
//
// # Gradients
//
// An [Act] pairs a map of activations with the map of its gradient. Backward of a layer reads the
// gradient of its output and adds to the gradient of its input, or sets it when the layer is the
// first to do so, which the builder of the network knows. Gradients of parameters are added to the
// flat vector of the [Run].
package nn
