package ode

import "context"

// Adams2 returns the solver that takes steps equal steps of the method of Adams and Bashforth of
// order 2 (1883),
//
//	x_{i+1} = x_i + h·(3/2·v_i − 1/2·v_{i−1}).
//
// It extrapolates the velocity linearly from the last two. So it needs one evaluation a step, where
// Runge-Kutta methods of order 2 need two. Its first step is that of Euler's method. The error h²
// of that one step does not lower the order of the whole. Behind a step of another size, where r is
// h over that size, the weights are 1 + r/2 and −r/2. Where a term of the field begins or ends
// to act, the velocity jumps, and a line through both sides of the jump would overshoot: the solver
// asks a [Restater] for the earlier velocity as it would be with the terms of now. The solver is a
// [FixedSteps], and panics when steps is below 1.
func Adams2(steps int) Solver {
	return NewFixedSteps(Method{Name: adams2, Stages: 2, Step: adams2Step}, steps)
}

const adams2 = "adams2"

// adams2Step keeps the velocity at x in stage 0, and the velocity of the step before in stage 1.
// The velocity of a step is that in its middle, on the line through both.
func adams2Step(ctx context.Context, b *Batch, s Step) error {
	weights := [2]float64{1, 0}
	if s.Index > 0 {
		ahead := s.Size / s.Before / 2
		weights = [2]float64{1 + ahead, -ahead}
	}
	if err := b.Evaluate(ctx, 0, b.X, s.From); err != nil {
		return err
	}
	if f, ok := b.field.(Restater); ok && s.Index > 0 {
		f.Restate(b.Velocity(1))
	}
	b.Advance(s.Size, weights[:])
	b.Swap(0, 1)
	return nil
}
