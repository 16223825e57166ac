// Package classify holds a network that finds the classes of images, and trains it. Package metrics
// compares images by the features of this network.
//
// # Notation
//
//	N, H, W, C   images, and the rows, columns and channels of each
//	K, D         classes, and the features of an image
//	x            images [N, H, W, C], numbers in [-1, 1]
//	z, p         logits [N, K] and their softmax
//	q            target of an image [K]: its label, smoothed
//
// # Files
//
// A classifier's file is safetensors. It holds the parameters of the [Network], in PyTorch's
// shapes, and its [Config], as JSON in the metadata. It may hold a [Reference] too: the mean and
// covariance of the features of real images. One such file, of a classifier of MNIST's digits, is
// part of the program.
//
// # Memory
//
// A [Network] owns the parameters, which its replicas only read. A [Replica] owns the activations
// of one worker, so that forward and backward allocate nothing. Results go into slices of the
// caller.
//
// # Where to start
//
// [Classify] uses a network, [EmbeddedMNIST] and [Read] get one, and [Train] makes one. The layers
// are in network.go, the loss is in crossentropy.go, and task.go has what a worker does in a
// training step.
package classify
