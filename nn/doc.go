// Package nn holds layers with parameters, and the sets that these parameters form. Each layer has
// its forward and its backward pass in one file. It also holds Muon, the optimiser of matrices.
//
// # Notation
//
//	x, y       input and output of a layer
//	dx, dy     gradient of the loss by x and by y
//	N          images of a batch, at most as many as the [Builder] made room for
//	H, W, C    rows, columns and channels of a map
//	IC, OC     channels that a layer reads and makes
//	t, δ       time, and the length of a jump
//
// # Layouts
//
// Maps of activations are package kernels' own: NHWC, with a halo. A row for each image is a map
// too, whose pixels are the images: [1][1][N][C].
//
// Parameters have PyTorch's names and shapes, and PyTorch's order in files alone. In memory a
// weight of a convolution is [KH][KW][IC][OC]: see [HWIO].
//
// # Memory
//
// The parameters of a network live in the flat vectors of one [Params], and their packed forms in
// one [Weights]. All workers share both, and only read them while they run. Activations belong to
// one worker. A [Builder] makes that worker's copy of each layer, with the maps that the layer
// reads and writes. So a forward or backward pass allocates nothing.
//
// # Gradients
//
// An [Act] pairs a map of activations with the map of its gradient. The backward pass of a layer
// reads the gradient of its output. It adds to the gradient of its input, or sets it where the
// layer is the first to do so: whoever builds the network knows that. Gradients of parameters are
// added to the flat vector of the [Run].
//
// # Sources
//
// The layers are those of guided-diffusion's U-Net (Dhariwal and Nichol 2021, "Diffusion Models
// Beat GANs on Image Synthesis"). The optimiser names its own.
package nn
