// Package distill trains flow maps: networks that draw in 1, 2 or 4 evaluations what their teacher,
// a model of velocities, draws in many. A distillation is a run, with the folder that package run
// makes.
//
// # The task
//
// The teacher draws a pool of trajectories x_t, from noise at t = 0 to an image at t = 1, and keeps
// the states at t = 0, ¼, ½, ¾ and 1. The student u(x, t, δ) learns the mean velocity of jumps
// between them:
//
//	(seed, round, i) ──► noise, class ──► teacher, all workers ──► trajectories: a pool
//	                                                                    │ x_t, x_{t+δ}
//	(seed, step, i)  ──► δ, t ──────────────────────────────────────────┴──► student ──► u
//
//	loss = pseudo-Huber of δ^P · (u(x_t, t, δ) − (x_{t+δ} − x_t)/δ)
//
// A pool serves as many steps as use each of its trajectories [Options].Reuse times, which is a
// round. It depends on the seed and the round alone, so a resumed run draws its pool again. The
// student starts as its teacher: the embedding of δ, which it has beside the teacher's weights,
// starts at zero.
//
// # Layouts
//
// A pool holds five arrays of states, [n, H, W, C] each. A worker's buffers are [micro, H, W, C]
// for states and [micro] for t, δ and classes.
//
// # Memory
//
// The pool and the held-out trajectories belong to the run. Workers write to parts of a pool of
// their own while the teacher draws, and only read it while the student trains. The teacher has a
// replica for each worker beside the student's.
//
// Start reading at distill.go (the run), then jumptask.go (the task) and teacher.go (the pool).
package distill
