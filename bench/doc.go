// Package bench measures how fast fmimg is on a CPU, and compares CPUs: kernels one by one, whole
// training steps, and drawing images. What it measures goes into a [Report], a JSON file with a
// versioned schema; [Compare] sets any number of them side by side.
//
// # What the figures mean
//
// A floating-point operation is a multiplication or an addition. Every convolution counts as a
// direct one, whatever algorithm computes it. So GFLOP/s compare between algorithms, and an
// algorithm that multiplies less may exceed 100 % of the peak. The peak is the rate of fused
// multiply-adds in a loop over registers alone, measured in the same run on the same number of
// threads. The direct limit of a network is that peak divided by the operations of its convolutions
// and linear layers ([unet.Config.FLOPs]), or by three times as many for a training step. No direct
// convolution can be faster.
//
// # How they are measured
//
// Each figure is the median of repeated calls after a warm-up, with the quartiles as its spread.
// With several threads, all run at once, each on data of its own, and their rates are added. A
// virtual machine shares its cores with strangers: trust the ratios within one run more than the
// figures of two.
//
// # Memory
//
// Cases of kernels and workers of steps own the memory that they work on, and make it before they
// are timed. A [Report] is plain data.
//
// Start reading at report.go; kernels.go measures kernels, and network.go measures steps and
// images. The folders below hold programs: peer compares with PyTorch, quality keeps scores of
// trained models, and same compares the results of two versions.
package bench
