// Package train trains networks on images: a U-Net by flow matching, or a normalizing flow by
// maximum likelihood. Package run keeps the folder and the budget, and package engine takes the
// steps.
//
//   - [Train] makes a run folder, or goes on with a run;
//   - [NewSession] gives a caller single steps, without a folder.
//
// # Flow matching
//
// An image x1 and noise x0 make the state x_t = σ_t·x0 + α_t·x1 and its velocity u_t = σ'_t·x0 +
// α'_t·x1. The network v(x_t, t, y) learns u_t, or the noise, or the data:
//
//	(seed, step, i) ──► image x1, class y ──┐
//	(seed, step, i) ──► noise x0, time t ───┴──► x_t, u_t ──► network ──► v
//
//	loss = mean over the batch of ‖v − u_t‖²/d
//
// With the coupling by optimal transport, noises and images of a class are paired over groups of
// positions, so that all paths together are shortest.
//
// # Maximum likelihood
//
// A normalizing flow maximises the density of dequantised images. Its loss is in bits per
// dimension.
//
// # Layouts
//
// A worker takes a micro-batch of slots: states are [micro, H, W, C], times and classes [micro]. A
// position is an index into the batch of a step. All draws are keyed by the seed, the step and the
// position, so they do not depend on the number of threads.
//
// # Memory
//
// A run owns the data, which may be the caller's Source, and each worker owns the buffers of its
// task. What the workers share (matching, fitting, pairing) changes only while a step is prepared.
//
// Start reading at train.go, then matchlesson.go and matching.go.
package train
