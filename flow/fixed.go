package flow

import (
	"context"
	"fmt"
	"slices"
)

// fixedSolver takes steps of equal size.
type fixedSolver struct {
	method  fixedMethod
	steps   int
	observe Observer
	scratch *freeList[buffers]
}

// A fixedMethod makes the steps of a fixedSolver, all with the same number of evaluations.
type fixedMethod interface {
	name() string
	stagesUsed() int // velocities that b has room for
	// step makes step i (from 0), which moves x by h from time t. Steps of one call share b, in order.
	step(ctx context.Context, f Field, b *buffers, x []float32, i int, t, h float64) error
}

func newFixed(m fixedMethod, steps int) Solver {
	if steps < 1 {
		panic(fmt.Sprintf("flow: %s: %d steps", m.name(), steps))
	}
	return &fixedSolver{method: m, steps: steps, scratch: new(freeList[buffers])}
}

// Fixed returns the solver that takes steps equal steps of the method tab; all states of a batch move
// together. An observer sees every step. Fixed panics when steps is below 1 or tab fails its check.
func Fixed(tab *Tableau, steps int) Solver {
	if err := tab.Check(); err != nil {
		panic(err)
	}
	return newFixed(tab, steps)
}

// Observed implements [Solver].
func (s *fixedSolver) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// String implements [Solver].
func (s *fixedSolver) String() string {
	return s.method.name() + ", " + countSteps(s.steps)
}

// countSteps spells a number of steps.
func countSteps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}

// Solve implements [Solver].
func (s *fixedSolver) Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error) {
	return s.solve(ctx, f, nil, x, nil, n, t0, t1)
}

// SolveLogDet implements [LogDetSolver].
func (s *fixedSolver) SolveLogDet(ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64) (Stats, error) {
	stats, err := s.solve(ctx, nil, f, x, logDet, n, t0, t1)
	if i := slices.IndexFunc(logDet, func(v float64) bool { return !finite(v) }); err == nil && i >= 0 {
		err = notFinite(s.method.name(), i/(len(logDet)/n), s.steps)
	}
	return stats, err
}

// solve moves the states by the velocity of f, or by that of g with its divergence.
func (s *fixedSolver) solve(ctx context.Context, f Field, g DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64) (Stats, error) {
	d := stateSize(len(x), n)
	if err := checkSpan(t0, t1); err != nil {
		return Stats{States: n}, err
	}
	if n == 0 || t0 == t1 {
		clear(logDet)
		return Stats{States: n}, nil
	}
	b := s.scratch.get()
	defer s.scratch.put(b)
	defer b.dets.end()
	b.reset(s.method.stagesUsed(), n, d)
	b.dets.reset(g, logDet, s.method.stagesUsed(), n)

	steps, err := s.run(ctx, f, b, x, t0, t1)
	if err == nil {
		err = checkFinite(x, d, s.method.name(), s.steps)
	}
	return Stats{
		States:      n,
		Calls:       b.calls,
		Evaluations: Tally{b.calls * n, b.calls},
		Steps:       Tally{steps * n, steps},
	}, err
}

// run takes the steps and returns how many it took.
func (s *fixedSolver) run(ctx context.Context, f Field, b *buffers, x []float32, t0, t1 float64) (int, error) {
	h := (t1 - t0) / float64(s.steps)
	s.observe.show(0, t0, x)
	for i := range s.steps {
		if err := s.method.step(ctx, f, b, x, i, timeOf(i, s.steps, t0, t1), h); err != nil {
			return i, err
		}
		s.observe.show(i+1, timeOf(i+1, s.steps, t0, t1), x)
	}
	return s.steps, nil
}

// timeOf returns the time of step i of steps equal ones; from i rather than a running sum, so that the last is t1.
func timeOf(i, steps int, t0, t1 float64) float64 {
	if i == steps {
		return t1
	}
	return t0 + float64((t1-t0)*float64(i))/float64(steps)
}

// show shows the batch, if there is somebody to show it to.
func (o Observer) show(step int, t float64, x []float32) {
	if o != nil {
		o(step, t, x)
	}
}

// checkFinite finds a state that overflowed or met a velocity that is not finite.
func checkFinite(x []float32, d int, solver string, steps int) error {
	i := slices.IndexFunc(x, func(v float32) bool { return v-v != 0 })
	if i < 0 {
		return nil
	}
	return notFinite(solver, i/d, steps)
}

func notFinite(solver string, state, steps int) error {
	return fmt.Errorf("flow: %s: state %d is %w: take more than %d steps, or mend a field that gives such velocities",
		solver, state, ErrNotFinite, steps)
}

func (tab *Tableau) name() string { return tab.Name }

// step implements [fixedMethod].
func (tab *Tableau) step(ctx context.Context, f Field, b *buffers, x []float32, _ int, t, h float64) error {
	for i := range tab.stagesUsed() {
		y := x
		if i > 0 {
			y = b.y
			b.k.advance(y, x, 0, h, tab.A[i])
		}
		b.setTime(t + float64(tab.C[i]*h))
		if err := b.evaluate(ctx, f, i, y); err != nil {
			return err
		}
	}
	b.advanceAll(x, h, tab.B)
	return nil
}
