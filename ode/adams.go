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

// ABM2 returns the solver that takes steps equal steps of the methods of order 2 of Adams and
// Bashforth, which predicts, and of Adams and Moulton, the trapezoidal rule, which corrects
// (Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I", section III.1):
//
//	x̂_{i+1} = x_i + h·(3/2·v_i − 1/2·v_{i−1}),   v_{i+1} = v(x̂_{i+1}, t_{i+1}),
//	x_{i+1} = x_i + h·(v_{i+1} + v_i)/2.
//
// The velocity of a predicted state stands for that of the corrected one (the mode PEC). So a step
// needs one evaluation as that of [Adams2] does, and the same one serves for correcting and for
// predicting. The step after the last prediction never comes, so the result is the prediction, and
// an observer sees predictions. First steps, steps of other sizes and terms that begin or end are
// as for Adams2. The solver is a [FixedSteps], and panics when steps is below 1.
func ABM2(steps int) Solver {
	return NewFixedSteps(Method{Name: abm2, Stages: 3, Step: abm2Step}, steps)
}

const (
	adams2 = "adams2"
	abm2   = "abm2"
)

// ahead returns a of the weights 1+a and −a, by which two velocities give that in the middle of a
// step on the line through both. There is one velocity alone in the first step.
func ahead(size, before float64) float64 {
	if before == 0 {
		return 0
	}
	return size / before / 2
}

// adams2Step keeps the velocity at x in stage 0, and the velocity of the step before in stage 1.
func adams2Step(ctx context.Context, b *Batch, s Step) error {
	if err := b.evaluateNext(ctx, s, 1); err != nil {
		return err
	}
	a := ahead(s.Size, s.Before[0])
	b.Advance(s.Size, []float64{1 + a, -a}[:min(s.Index, 1)+1])
	b.Swap(0, 1)
	return nil
}

// abm2Step keeps the velocity at the predicted state b.X in stage 0, and those of the two steps
// before in stages 1 and 2. It corrects the step before, and predicts this one, at once.
func abm2Step(ctx context.Context, b *Batch, s Step) error {
	if err := b.evaluateNext(ctx, s, 2); err != nil {
		return err
	}
	last := s.Before[0] / s.Size
	was, a := ahead(s.Before[0], s.Before[1]), ahead(s.Size, s.Before[0])
	weights := [3]float64{1 + a + last/2, -a - last*(0.5+was), last * was}
	b.Advance(s.Size, weights[:min(s.Index, 2)+1])
	b.Swap(1, 2)
	b.Swap(0, 1)
	return nil
}

// evaluateNext sets stage 0 to the velocities where the states stand. Those of as many steps
// before, in the stages from 1 on, get the terms of now.
func (b *Batch) evaluateNext(ctx context.Context, s Step, kept int) error {
	if err := b.Evaluate(ctx, 0, b.X, s.From); err != nil {
		return err
	}
	if f, ok := b.field.(Restater); ok {
		for i := range min(s.Index, kept) {
			f.Restate(b.Velocity(i + 1))
		}
	}
	return nil
}
