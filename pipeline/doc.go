// Package pipeline is what fmimg does, as functions of option structs: [Train] makes a run folder,
// [Distill] one whose model draws in a few evaluations; [Generate] draws images from it, [Field] evaluates its network on
// tensors; [TrainClassifier] trains the network by whose features images are compared, [Classify] runs it, and [Evaluate]
// compares with real images. Of what trains or draws images it is the one place with goroutines.
//
// # A training step
//
// The batch is cut into micro-batches whose size the options fix. Workers, each with a replica of the
// network, take them in turn (reducer), draw noise, times and dropped labels keyed by (seed, step,
// position), and run forward and backward with single-threaded kernels. Gradients meet in a binary tree over
// the index of the micro-batch. The tail of the step — norm, clipping, AdamW and Muon, averages, packing the weights
// for the kernels — is cut over the workers at fixed places (engine, stepper, crew):
//
//	            take                deliver
//	micro 0 ──► worker ──► gradient ──┐
//	micro 1 ──► worker ──► gradient ──┴─┐
//	micro 2 ──► worker ──► gradient ──┐ ├─► root ──► norm ──► stepper, averages ──► Repack
//	micro 3 ──► worker ──► gradient ──┴─┘
//
// What a worker does with its micro-batch is a task: flow matching (matching), jumping along a model's trajectories
// (distilling), or telling the classes of images (classifying). The engine knows none of them, and asks each for a gradient and a loss.
//
// So the same seed gives the same tensors, byte for byte, for any number of threads on one instruction
// set, and a step allocates nothing.
//
// # Schedules
//
// The learning rate depends on the step and on the number of steps that the run expects to make. A budget in
// time re-estimates that number as it goes, and records each estimate ([Schedule]): with the record, the
// run can be repeated without a clock.
//
// # Memory
//
// A run holds the parameters four times (values, averages, AdamW's moments), threads + log2(micro-batches) + 2
// gradients, and a replica for each thread, at most one for each micro-batch.
//
// # Models in programs
//
// [OpenCheckpoint], [OpenCheckpointFS] and [ReadCheckpoint] load a model from a path, a file system or a reader;
// [Checkpoint.Sample] draws images from it, for several goroutines at once, and [Grid] makes a picture of them.
//
// # Files
//
// All files but the logs (metrics, TensorBoard's events) are replaced atomically, the state first: whatever ends the process, the
// folder can be resumed. A lock, which the system releases with the process, keeps a second trainer out.
package pipeline
