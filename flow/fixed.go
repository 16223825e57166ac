package flow

import (
	"context"
	"fmt"
	"slices"
)

// fixedSolver takes steps of equal size by an explicit Runge-Kutta method.
type fixedSolver struct {
	tab     *Tableau
	steps   int
	observe Observer
	scratch *freeList[buffers]
}

// Fixed returns the solver that takes steps equal steps of the method tab; all states of a batch move
// together. An observer sees every step. Fixed panics when steps is below 1 or tab fails its check.
func Fixed(tab *Tableau, steps int) Solver {
	if err := tab.Check(); err != nil {
		panic(err)
	}
	if steps < 1 {
		panic(fmt.Sprintf("flow: %s: %d steps", tab.Name, steps))
	}
	return &fixedSolver{tab: tab, steps: steps, scratch: new(freeList[buffers])}
}

// Observed implements [Solver].
func (s *fixedSolver) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// String implements [Solver].
func (s *fixedSolver) String() string {
	if s.steps == 1 {
		return s.tab.Name + ", 1 step"
	}
	return fmt.Sprintf("%s, %d steps", s.tab.Name, s.steps)
}

// Solve implements [Solver].
func (s *fixedSolver) Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error) {
	return s.solve(ctx, f, nil, x, nil, n, t0, t1)
}

// SolveLogDet implements [LogDetSolver].
func (s *fixedSolver) SolveLogDet(ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64) (Stats, error) {
	stats, err := s.solve(ctx, nil, f, x, logDet, n, t0, t1)
	if i := slices.IndexFunc(logDet, func(v float64) bool { return !finite(v) }); err == nil && i >= 0 {
		err = s.notFinite(i / (len(logDet) / n))
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
	b.reset(s.tab.stagesUsed(), n, d)
	b.dets.reset(g, logDet, s.tab.stagesUsed(), n)

	steps, err := s.run(ctx, f, b, x, t0, t1)
	if err == nil {
		err = s.checkFinite(x, d)
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
	s.show(0, t0, x)
	for i := range s.steps {
		if err := s.step(ctx, f, b, x, s.time(i, t0, t1), h); err != nil {
			return i, err
		}
		s.show(i+1, s.time(i+1, t0, t1), x)
	}
	return s.steps, nil
}

// time returns the time of step i; from i rather than a running sum, so that the last is t1.
func (s *fixedSolver) time(i int, t0, t1 float64) float64 {
	if i == s.steps {
		return t1
	}
	return t0 + float64((t1-t0)*float64(i))/float64(s.steps)
}

// step moves x by h from time t.
func (s *fixedSolver) step(ctx context.Context, f Field, b *buffers, x []float32, t, h float64) error {
	for i := range s.tab.stagesUsed() {
		y := x
		if i > 0 {
			y = b.y
			b.k.advance(y, x, 0, h, s.tab.A[i])
		}
		at := float32(t + float64(s.tab.C[i]*h))
		for j := range b.t {
			b.t[j] = at
		}
		if err := b.evaluate(ctx, f, i, y); err != nil {
			return err
		}
	}
	b.k.advance(x, x, 0, h, s.tab.B)
	for i := range b.index {
		b.dets.advance(i, i, h, s.tab.B)
	}
	return nil
}

func (s *fixedSolver) show(step int, t float64, x []float32) {
	if s.observe != nil {
		s.observe(step, t, x)
	}
}

// checkFinite finds a state that overflowed or met a velocity that is not finite.
func (s *fixedSolver) checkFinite(x []float32, d int) error {
	i := slices.IndexFunc(x, func(v float32) bool { return v-v != 0 })
	if i < 0 {
		return nil
	}
	return s.notFinite(i / d)
}

func (s *fixedSolver) notFinite(state int) error {
	return fmt.Errorf("flow: %s: state %d is %w: take more than %d steps, or mend a field that gives such velocities",
		s.tab.Name, state, ErrNotFinite, s.steps)
}
