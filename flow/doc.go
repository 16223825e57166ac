// Package flow is the mathematics of flow matching and of diffusion models, over flat []float32
// vectors: probability paths, the losses, times, noise and pairs to train on, what a network may
// predict, and samplers.
//
// # Notation
//
//	x0       noise, x0 ~ N(0, I), at time t = 0
//	x1       data, at time t = 1
//	x_t      = σ_t·x0 + α_t·x1, the path between them: a [Schedule] gives α, σ, α', σ'
//	u_t      = σ'_t·x0 + α'_t·x1 = dx_t/dt, the target velocity given x0 and x1
//	v(x,t)   the velocity field that is learned: an [ode.Field]
//	u(x,t,δ) its mean over a jump from t to t+δ: a [FlowMap]
//
// An [Objective] is what a network predicts: the velocity, the noise x0 or the data x1. On a path
// each of them gives the other two, see [Coefficients.Parts], and [VelocityOf] makes a velocity
// field of any.
//
// # Training
//
// Training minimises E‖v(x_t, t) − u_t‖² over t, x0 and x1 ([Schedule], [ConditionalPairs], [MSE]).
// The minimum is v(x,t) = E[u_t | x_t = x]. That field carries the distribution of x0 to that of x1
// along dx/dt = v(x,t) (Lipman et al. 2023, "Flow Matching for Generative Modeling", theorems 1 and
// 2). For finite data the minimum is known: a [MarginalField]. An [Assigner] pairs noise and data
// by optimal transport.
//
// A flow map is learned from trajectories that a solver made ([MeanVelocity], [PseudoHuber]).
//
// # Sampling
//
// Sampling integrates the equation from t = 0 to t = 1 with an [ode.Solver]. A [PathSolver] also
// knows the path, and may add fresh noise: [DDIM], [DDPM] and [SDE]. A flow map needs a few
// [Jumps]. The same field draws part of a state given the rest ([Resampling], [Guide]).
//
// # Layout and ownership
//
// A batch of n states of d numbers is one slice of n·d numbers, state after state. The package
// keeps no slice that it is given beyond the call, unless the function says so. It writes only to
// destinations, which come first among the arguments. A wrong length is a bug of the caller and
// panics with both lengths. What a user can cause (a name, a noise level, a velocity that is not
// finite) is an error that names the cure.
//
// # Numbers
//
// States, velocities and the time that a field sees are float32. Times, steps, sums and errors
// inside are float64. Products are rounded before they are added (float64(a*b) + c), which keeps
// compilers from fusing them. So the arithmetic gives the same bits on every architecture.
// Randomness is always an argument.
package flow
