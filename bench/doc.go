// Package bench measures how fast fmimg is on a CPU, and compares CPUs: kernels one by one, whole
// training steps, and drawing images. What it measures goes into a [Report], a JSON file with a
// versioned schema; [Compare] sets any number of them side by side.
//
// # What the figures mean
//
// A floating-point operation is a multiplication or an addition. Every convolution is counted as a
// direct one, whatever algorithm computes it: GFLOP/s are comparable between algorithms, and one that
// multiplies less may exceed 100 % of the peak. The peak is that of fused multiply-adds in a loop over
// registers alone, measured in the same run on as many threads at once. The direct limit of a network
// is that peak over the operations of its convolutions and linear layers (unet.Config.FLOPs), three
// times that for a training step: no direct convolution can be faster.
//
// # How they are measured
//
// Each figure is the median of repeated calls after a warm-up, with the quartiles as its spread. With
// several threads each has data of its own and all run at once; rates are added. A virtual machine
// shares its cores with strangers: trust ratios of one run more than figures of two.
package bench
