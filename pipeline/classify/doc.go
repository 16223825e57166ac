// Package classify holds the network that tells the classes of images, and whose features package
// metrics compares images by.
//
// # Notation
//
//	N, H, W, C   images, and the rows, columns and channels of each
//	K, D         classes, and the features of an image
//	x            images [N, H, W, C], numbers in [-1, 1]
//	z, p         logits [N, K] and their softmax
//	q            the target of an image: its label, smoothed
//
// # Files
//
// A classifier's file is safetensors: the parameters of the [Network] under PyTorch's rules for shapes,
// its [Config] as JSON in the metadata and, where real images were measured, a [Reference]: the mean and
// covariance of their features. The program holds the file of one classifier, of MNIST's digits.
//
// # Memory
//
// A [Network] owns the parameters, which its replicas only read. A [Replica] owns the activations of one
// worker, so that forward and backward allocate nothing. Results go into slices of the caller.
package classify
