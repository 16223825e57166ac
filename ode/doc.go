// Package ode solves ordinary differential equations dx/dt = v(x, t) for batches of states, over
// flat []float32 vectors.
//
// # Notation
//
//	x       a state: d numbers
//	v(x,t)  the velocity field: a [Field]; with its divergence ∇·v a [DivergenceField]
//	h       the size of a step, below 0 when time runs back
//	k_i     the velocity at stage i of a step
//	A, B, C the coefficients of a Runge-Kutta method: a [Tableau]
//
// # Solvers
//
// [Fixed] takes equal steps of a tableau, [Adams2] and [ABM2] those of multistep methods, and
// [NewFixedSteps] those of any [Method]. [Adaptive] chooses its steps by the error that an embedded
// method estimates. [NewSolver] knows all of them by name. Solvers of this package are
// [LogDetSolver] too: they integrate the divergence along the way, which tells how much the flow
// stretches space. Package odetest checks what every solver must keep.
//
// The formulas are those of Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I"
// (1993), and of the papers that the functions name.
//
// # Layout and ownership
//
// A batch of n states of d numbers is one slice of n·d numbers, state after state. A solver moves
// the states in place. It keeps buffers of its own between calls, and no slice that it is given. A
// wrong length is a bug of the caller and panics with both lengths. What a user can cause (a name,
// a tolerance, a velocity that is not finite) is an error that names the cure.
//
// # Numbers
//
// States, velocities and the time that a field sees are float32. Times, steps, sums and errors
// inside are float64. Products are rounded before they are added (float64(a*b) + c), which keeps
// compilers from fusing them. So the arithmetic gives the same bits on every architecture.
package ode
