// Package model says what a model file is: it opens, describes and exports trained networks, and
// hides behind one interface what kinds of network there are.
//
// # Files
//
// A model file is in safetensors, with the names and shapes of PyTorch's state dict. Its metadata
// hold the network's configuration and a [Meta] as JSON: on what the network was trained, for how
// long, and what it predicts. [Open] takes the path of such a file, a run folder, or the name of a
// model that is part of the program; [OpenFS] and [Read] take a file system and a reader. All
// return a [Checkpoint].
//
// # Networks
//
// A [Network] carries noise to images. There are three kinds:
//
//   - a [UNet] that predicts velocity, noise or data: a solver follows its velocity;
//   - a [UNet] that is a flow map, which jumps: x + δ·u(x, t, δ) is where the flow is δ later;
//   - a [NormalizingFlow], which is an invertible function.
//
// A [Method] says how to draw and a [DensityMethod] how to find densities, with zero fields where
// the network is to choose. [Network.Settle] completes a method and returns a [Plan]; a [Drawer]
// carries it out. A method may name a [Guide], a weaker model of which a drawer has a replica too,
// and the [Interval] of t in which guidance acts. [Network.DensityModel] does the same for
// densities, with a [DensityEstimator].
//
// # Notation and layouts
//
// x is a state or an image, t its time, y its class, v what a U-Net predicts, and d or δ the length
// of a jump. States of a batch are [n, H, W, C] float32, with pixels nominally in [-1, 1]; times
// are [n] and classes [n] int32, rows of the label embedding. Density is in nats.
//
// # Memory
//
// The checkpoint owns the weights. Several goroutines may use it at once as long as nobody changes
// them. Drawers, estimators and replicas have buffers of their own, and one goroutine uses each;
// they read the checkpoint's weights. Callers own the slices that they pass.
//
// Start reading at network.go, which has the interfaces, and checkpoint.go.
package model
