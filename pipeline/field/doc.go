// Package field evaluates a network on tensors from a file, with or without gradients, so that
// another implementation can be compared with it.
//
// # Notation and layouts
//
// v(x, t, y) is the velocity of N images x at times t under classes y. d holds the lengths of the
// jumps of a flow map, and dx is the gradient with respect to x. Files have PyTorch's layout, [N,
// C, H, W]. In memory images are [N, H, W, C].
//
// # Where to start
//
// [Evaluate]. file.go reads the input, checks it against the network, and makes the tensors of the
// output. Workers take a few images at a time, and an engine.Reducer sums their gradients.
package field
