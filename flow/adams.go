package flow

import "context"

// Adams2 returns the solver that takes steps equal steps of Adams' and Bashforth's method of order 2 (1883),
//
//	x_{i+1} = x_i + h·(3/2·v_i − 1/2·v_{i−1}),
//
// which extrapolates the velocity linearly from the last two: one evaluation a step, where Runge-Kutta methods
// of that order take two. Its first step is Euler's, whose error of h² leaves the order of the whole at 2. All states of
// a batch move together. An observer sees every step. Adams2 panics when steps is below 1.
func Adams2(steps int) Solver { return newFixed(adams2{}, steps) }

type adams2 struct{}

func (adams2) name() string    { return "adams2" }
func (adams2) stagesUsed() int { return 2 }

// step implements [fixedMethod]: stage 0 is the velocity at x, stage 1 that of the step before.
func (adams2) step(ctx context.Context, f Field, b *buffers, x []float32, i int, t, h float64) error {
	weights := []float64{3. / 2, -1. / 2}
	if i == 0 {
		weights = []float64{1, 0}
	}
	b.setTime(t)
	if err := b.evaluate(ctx, f, 0, x); err != nil {
		return err
	}
	b.advanceAll(x, h, weights)
	b.swap(0, 1)
	return nil
}
