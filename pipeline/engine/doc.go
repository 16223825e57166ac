// Package engine does training steps. A program with a network and a loss of its own writes a
// [Task], gives one to each worker of a [Trainer], and takes the steps one by one. The example does
// so.
//
// # A step
//
// The batch is cut into micro-batches, whose size the [Recipe] fixes. Workers take micro-batches in
// turn from a [Reducer]. Each worker has a task of its own, which runs forward and backward with
// single-threaded kernels. Gradients meet in a binary tree over the index of the micro-batch. The
// tail of the step is the norm of the gradient, clipping, the optimiser, the averages of the
// weights, and packing the weights for the kernels. It is cut at fixed places, and the workers
// share the parts:
//
//	            Take                Deliver
//	micro 0 ──► task ──► gradient ──┐
//	micro 1 ──► task ──► gradient ──┴─┐
//	micro 2 ──► task ──► gradient ──┐ ├─► root ──► norm ──► optimiser, averages ──► Repack
//	micro 3 ──► task ──► gradient ──┴─┘
//
// So the same seed gives the same tensors, byte for byte, for any number of threads on one
// instruction set. After the first steps, a step allocates nothing.
//
// # Ranks
//
// Several processes, the ranks, may take the steps of a run together. A rank sums a range of the
// micro-batches along the same tree, as far as its leaves go, and sends each of these sums to the
// others while it computes the next. A share of the flat vectors is its own: there it adds all sums
// up, in the tree's order, and steps the parameters, and the others receive the new values part by
// part. Sums of squares are exchanged by chunks. So the tensors are the same, byte for byte, for
// any number of ranks. Averages and moments lie where they were computed until [Trainer.Average]
// and [Trainer.Collect] bring them together. Alone the same code has one rank, and nothing to send.
//
// # Learning rates
//
// The learning rate depends on the step and on the number of steps that the run expects to make. A
// run with a budget in time estimates this number again as it goes, and records each estimate in a
// [RateSchedule]. With the record, the run can be repeated without a clock.
//
// # Memory
//
// A trainer holds up to three vectors as long as the parameters (averages and two moments), and
// threads + log2(micro-batches) + 2 gradients. A rank of several has a buffer more for each of its
// sums, and room for the share of the others'. Parameters belong to the model, activations to the
// tasks.
//
// # Where to start
//
// [Task] and [Trainer.Step] in trainer.go. The sums are in reduce.go, the tail of a step in
// optimizer.go, what ranks do for each other in team.go, the learning rates in schedule.go.
package engine
