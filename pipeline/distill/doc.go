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
// round. It depends on the seed and the round, so a resumed run draws its pool again. The student
// starts as its teacher: the embeddings of δ and of the weight of guidance, which it has beside the
// teacher's weights, start at zero.
//
// From [Options].OnPolicyFrom of the budget on, jumps on the way begin at states of the student:
//
//	noise ──► student, 1 to 3 jumps with averaged weights ──► x_t ──► teacher, 1 jump ──► x_{t+δ}
//
// These x_t depend on weights that the next step changes. The file of the run's state keeps them,
// so that a resumed run has the same pool.
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
// Start reading at distill.go (the run), then jumptask.go (the task), teacher.go (the pool) and
// onpolicy.go (the student's states).
package distill
