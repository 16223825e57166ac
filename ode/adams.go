package ode

import "context"

// Adams2 returns the solver that takes steps equal steps of Adams' and Bashforth's method of order 2 (1883),
//
//	x_{i+1} = x_i + h·(3/2·v_i − 1/2·v_{i−1}),
//
// which extrapolates the velocity linearly from the last two: one evaluation a step, where Runge-Kutta methods
// of that order take two. Its first step is Euler's, whose error of h² leaves the order of the whole at 2. All states of
// a batch move together. An observer sees every step. Adams2 panics when steps is below 1.
func Adams2(steps int) Solver {
	return NewEqualSteps(Method{Name: adams2, Stages: 2, Step: adams2Step}, steps)
}

const adams2 = "adams2"

var (
	adams2First = []float64{1, 0}
	adams2Later = []float64{3. / 2, -1. / 2}
)

// adams2Step keeps in stage 0 the velocity at x, and in stage 1 that of the step before.
func adams2Step(ctx context.Context, b *Batch, s Step) error {
	weights := adams2Later
	if s.Index == 0 {
		weights = adams2First
	}
	if err := b.Evaluate(ctx, 0, b.X, s.From); err != nil {
		return err
	}
	b.Advance(s.Size, weights)
	b.Swap(0, 1)
	return nil
}
