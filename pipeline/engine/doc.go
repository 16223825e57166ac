// Package engine does training steps. A program that has a network and a loss of its own makes a [Task] for each
// worker and a [Trainer] of them, and takes the steps one by one; the example does so.
//
// # A step
//
// The batch is cut into micro-batches, whose size the [Recipe] fixes. Workers take them in turn from a [Reducer]. Each
// worker has a task of its own, which runs forward and backward with single-threaded kernels. Gradients meet in a binary
// tree over the index of the micro-batch. The tail of the step is the norm of the gradient, clipping, the optimiser, the
// averages of the weights, and packing the weights for the kernels. Workers share it at fixed places:
//
//	            Take                Deliver
//	micro 0 ──► task ──► gradient ──┐
//	micro 1 ──► task ──► gradient ──┴─┐
//	micro 2 ──► task ──► gradient ──┐ ├─► root ──► norm ──► optimiser, averages ──► Repack
//	micro 3 ──► task ──► gradient ──┴─┘
//
// So the same seed gives the same tensors, byte for byte, for any number of threads on one instruction set. A step
// allocates nothing after the first ones.
//
// # Learning rates
//
// The learning rate depends on the step and on the number of steps that the run expects to make. A run with a budget in
// time estimates that number again as it goes, and records each estimate in a [RateSchedule]. With the record, the run
// can be repeated without a clock.
//
// # Memory
//
// A trainer holds the parameters up to four times (values, averages, two moments), and threads + log2(micro-batches) + 2
// gradients. Parameters belong to the model, activations to the tasks.
package engine
