package ode

import (
	"context"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/internal/states"
)

// A Method is how a solver of equal steps steps, see [NewEqualSteps].
type Method struct {
	Name     string // of the method, in errors too
	Settings string // what String shows behind the name, for example "noise level 1"; may be empty
	Stages   int    // velocities that a step keeps
	// Step moves the states b.X from s.From to s.To. The steps of one call of Solve share b, in order.
	Step func(ctx context.Context, b *Batch, s Step) error
}

// A Step is one of the equal steps of a call of Solve.
type Step struct {
	Index    int     // counts from 0
	Last     bool    // whether it ends at t1
	From, To float64 // times
	Size     float64 // (t1−t0)/steps, which To−From is but for rounding
}

// A Batch is what a [Method] works on: n states and the memory of a step.
type Batch struct {
	X     []float32 // where the states stand
	field Field
	buffers
}

// Evaluate sets stage i to the velocities of the states x at time t. It returns ctx.Err() as it is.
func (b *Batch) Evaluate(ctx context.Context, i int, x []float32, t float64) error {
	b.setTime(t)
	return b.evaluate(ctx, b.field, i, x)
}

// Velocity returns stage i, as long as X.
func (b *Batch) Velocity(i int) []float32 { return b.k[i] }

// Scratch returns memory as long as X, which [Batch.Ahead] uses too.
func (b *Batch) Scratch() []float32 { return b.y }

// States returns the number of states.
func (b *Batch) States() int { return len(b.index) }

// Ahead returns the states X + h·Σ_j w[j]·k_j of the stages k, in the memory of [Batch.Scratch].
func (b *Batch) Ahead(h float64, w []float64) []float32 {
	b.k.advance(b.y, b.X, 0, h, w)
	return b.y
}

// Advance moves the states X, and what is integrated beside them, by h·Σ_j w[j]·k_j of the stages k.
func (b *Batch) Advance(h float64, w []float64) { b.advanceAll(b.X, h, w) }

// Swap exchanges two stages.
func (b *Batch) Swap(i, j int) { b.swap(i, j) }

// EqualSteps is a [Solver] and a [LogDetSolver] that takes steps of equal size; all states of a batch move together.
type EqualSteps struct {
	method  Method
	steps   int
	observe Observer
	scratch *states.FreeList[Batch]
}

// NewEqualSteps returns the solver that takes steps equal steps of a method. It panics when steps is below 1.
func NewEqualSteps(m Method, steps int) *EqualSteps {
	if steps < 1 {
		panic(fmt.Sprintf("ode: %s: %d steps", m.Name, steps))
	}
	return &EqualSteps{method: m, steps: steps, scratch: new(states.FreeList[Batch])}
}

// With returns the solver of another method, which shares the buffers.
func (s *EqualSteps) With(m Method) *EqualSteps {
	other := *s
	other.method = m
	return &other
}

// Fixed returns the solver that takes steps equal steps of the method tab; all states of a batch move
// together. An observer sees every step. Fixed panics when steps is below 1 or tab fails its check.
func Fixed(tab *Tableau, steps int) Solver {
	if err := tab.Check(); err != nil {
		panic(err)
	}
	return NewEqualSteps(Method{Name: tab.Name, Stages: tab.stagesUsed(), Step: tab.step}, steps)
}

// Observed implements [Solver].
func (s *EqualSteps) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// String implements [Solver].
func (s *EqualSteps) String() string {
	name := s.method.Name
	if s.method.Settings != "" {
		name += ", " + s.method.Settings
	}
	if s.steps == 1 {
		return name + ", 1 step"
	}
	return fmt.Sprintf("%s, %d steps", name, s.steps)
}

// Solve implements [Solver].
func (s *EqualSteps) Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error) {
	return s.solve(ctx, f, nil, x, nil, n, t0, t1)
}

// SolveLogDet implements [LogDetSolver].
func (s *EqualSteps) SolveLogDet(ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64) (Stats, error) {
	stats, err := s.solve(ctx, nil, f, x, logDet, n, t0, t1)
	if i := slices.IndexFunc(logDet, func(v float64) bool { return !states.Finite(v) }); err == nil && i >= 0 {
		err = s.notFinite(i / (len(logDet) / n))
	}
	return stats, err
}

// solve moves the states by the velocity of f, or by that of g with its divergence.
func (s *EqualSteps) solve(ctx context.Context, f Field, g DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64) (Stats, error) {
	d := states.Size(len(x), n)
	if err := checkSpan(t0, t1); err != nil {
		return Stats{States: n}, err
	}
	if n == 0 || t0 == t1 {
		clear(logDet)
		return Stats{States: n}, nil
	}
	b := s.scratch.Get()
	defer s.scratch.Put(b)
	b.X, b.field = x, f
	b.reset(s.method.Stages, n, d)
	b.dets.reset(g, logDet, s.method.Stages, n)
	defer b.end()

	steps, err := s.run(ctx, b, t0, t1)
	if i := slices.IndexFunc(x, func(v float32) bool { return v-v != 0 }); err == nil && i >= 0 {
		err = s.notFinite(i / d)
	}
	return Stats{
		States:      n,
		Calls:       b.calls,
		Evaluations: Tally{b.calls * n, b.calls},
		Steps:       Tally{steps * n, steps},
	}, err
}

// end forgets what is the caller's.
func (b *Batch) end() {
	b.X, b.field = nil, nil
	b.dets.end()
}

// run takes the steps and returns how many it took.
func (s *EqualSteps) run(ctx context.Context, b *Batch, t0, t1 float64) (int, error) {
	h := (t1 - t0) / float64(s.steps)
	s.observe.show(0, t0, b.X)
	for i := range s.steps {
		from, to := TimeOf(i, s.steps, t0, t1), TimeOf(i+1, s.steps, t0, t1)
		if err := s.method.Step(ctx, b, Step{Index: i, Last: i == s.steps-1, From: from, To: to, Size: h}); err != nil {
			return i, err
		}
		s.observe.show(i+1, to, b.X)
	}
	return s.steps, nil
}

// TimeOf returns the time at the begin of step i of steps equal ones from t0 to t1. It is computed from i rather than by
// a running sum, so that step steps begins exactly at t1.
func TimeOf(i, steps int, t0, t1 float64) float64 {
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

// notFinite is the error of a state that overflowed or met a velocity that is not finite.
func (s *EqualSteps) notFinite(state int) error {
	return fmt.Errorf("ode: %s: state %d is %w: take more than %d steps, or mend a field that gives such velocities",
		s.method.Name, state, ErrNotFinite, s.steps)
}

// step is the step of a [Method].
func (tab *Tableau) step(ctx context.Context, b *Batch, s Step) error {
	for i := range tab.stagesUsed() {
		y := b.X
		if i > 0 {
			y = b.Ahead(s.Size, tab.A[i])
		}
		if err := b.Evaluate(ctx, i, y, s.From+float64(tab.C[i]*s.Size)); err != nil {
			return err
		}
	}
	b.Advance(s.Size, tab.B)
	return nil
}
