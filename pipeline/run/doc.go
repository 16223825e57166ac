// Package run is what a training of any kind has in common: a folder, a budget, previews,
// checkpoints, and the loop over steps. What the run trains is a [Job], whose steps package engine
// takes.
//
// # The run folder
//
//	model.safetensors      the averaged weights as a model file, for drawing
//	guide.safetensors      the same of an early step, where the options ask for it
//	state.safetensors      everything to resume: weights, averages, moments, and a [Progress]
//	config.json            a [Config]: the resolved options, the data, and how far the run is
//	metrics.jsonl          a [Metric] for each step
//	events.out.tfevents.*  the same for TensorBoard, where the options ask for it
//	samples/               previews, step-NNNNNN.png
//	checkpoints/           numbered model files, as many as the options keep
//	loss.png, README.md    the curve of losses and the model's card, for people
//	.lock                  the lock
//
// All files but the logs (metrics.jsonl and the events) are replaced atomically. The state comes
// first, so the folder can be resumed whatever ends the process. The system releases the lock with
// the process, so only one process at a time trains in a folder.
//
// # Determinism
//
// A draw of a step is keyed by the seed and the step. So a resumed run ends with the same tensors,
// byte for byte, as one that never stopped. Previews, checkpoints and validation losses change no
// number: a pace may look at the clock to decide when they are due. A budget in time does change
// the learning rate, which depends on the number of steps that the run expects. The run records
// each estimate in its schedule, and with the schedule it can be repeated without a clock.
//
// # Ranks
//
// Several processes may do a run together. All execute the same code with the same options.
// Rank 0 owns the folder and the lock, writes, sends events, and decides by its clock what is due;
// after each step the others learn of that. Before the run all compare what their numbers depend
// on: [Run.Meet]. An error of one rank is made one of all by [Options.Agree], so that none waits
// for another that has gone. Where the ranks lose each other, a [LostError] says how to go on.
//
// # Memory
//
// A [Run] owns its workers, its files and its trainer. The trainer holds the parameters four times
// (values, averages and AdamW's two moments), and threads + log₂(micro-batches) + 2 gradients. Each
// worker that trains has a replica. Jobs own their data and the buffers of their tasks.
//
// Start reading at run.go, then folder.go.
package run
