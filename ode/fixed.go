package ode

import (
	"context"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/internal/text"
)

// A Method says how a solver of fixed steps makes a step. See [NewFixedSteps].
type Method struct {
	Name     string // as String and errors show it
	Settings string // what String shows behind the name, for example "noise level 1"; may be empty
	Stages   int    // velocities that a step keeps
	// Step moves the states b.X from s.From to s.To. The steps of one call of Solve share b, in
	// order.
	Step func(ctx context.Context, b *Batch, s Step) error
}

// A Step is one of the steps of a call of Solve.
type Step struct {
	Index    int     // counts from 0
	Last     bool    // whether the step ends at t1
	From, To float64 // times
	Size     float64 // To−From; of equal steps (t1−t0)/steps, which differs by rounding
	// Before are the sizes of the steps before, the latest first; 0 where there was none.
	Before [2]float64
}

// A Spacing returns the time after i of a number of steps from t0 to t1. It is t0 after no step,
// and exactly t1 after all of them. [TimeOf] is that of equal steps.
type Spacing func(i, steps int, t0, t1 float64) float64

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

// Scratch returns memory as long as X. [Batch.Ahead] uses the same memory.
func (b *Batch) Scratch() []float32 { return b.y }

// States returns the number of states.
func (b *Batch) States() int { return len(b.index) }

// Ahead returns the states X + h·Σ_j w[j]·k_j, with k the stages. They stand in the memory of
// [Batch.Scratch].
func (b *Batch) Ahead(h float64, w []float64) []float32 {
	b.k.combine(b.y, b.X, 0, h, w)
	return b.y
}

// Advance moves the states X by h·Σ_j w[j]·k_j, with k the stages. Log-determinants move likewise.
func (b *Batch) Advance(h float64, w []float64) {
	b.k.combine(b.X, b.X, 0, h, w)
	for i := range b.index {
		b.dets.advance(i, i, h, w)
	}
}

// Swap exchanges two stages.
func (b *Batch) Swap(i, j int) {
	b.k[i], b.k[j] = b.k[j], b.k[i]
	b.dets.swap(i, j)
}

// FixedSteps is a [Solver] and a [LogDetSolver] whose steps do not depend on the states. All states
// of a batch move together. An observer sees every step.
type FixedSteps struct {
	method  Method
	steps   int
	spacing Spacing // nil: equal
	spaced  string  // what String says of the spacing
	observe Observer
	scratch *states.FreeList[Batch]
}

// NewFixedSteps returns the solver that takes steps equal steps of a method. It panics when steps
// is below 1.
func NewFixedSteps(m Method, steps int) *FixedSteps {
	if steps < 1 {
		panic(fmt.Sprintf("ode: %s: %d steps", m.Name, steps))
	}
	return &FixedSteps{method: m, steps: steps, scratch: new(states.FreeList[Batch])}
}

// Spaced returns the solver with steps of another spacing. String says so by text, such as "shift
// 2".
func (s *FixedSteps) Spaced(spacing Spacing, text string) *FixedSteps {
	other := *s
	other.spacing, other.spaced = spacing, text
	return &other
}

// With returns the solver of another method, which shares the buffers.
func (s *FixedSteps) With(m Method) *FixedSteps {
	other := *s
	other.method = m
	return &other
}

// Fixed returns the solver that takes steps equal steps of the method tab, a [FixedSteps]. It
// panics when steps is below 1 or tab fails its check.
func Fixed(tab *Tableau, steps int) Solver {
	if err := tab.Check(); err != nil {
		panic(err)
	}
	return NewFixedSteps(Method{Name: tab.Name, Stages: tab.stagesUsed(), Step: tab.step}, steps)
}

// Observed implements [Solver].
func (s *FixedSteps) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// String implements [Solver].
func (s *FixedSteps) String() string {
	name := s.method.Name
	if s.method.Settings != "" {
		name += ", " + s.method.Settings
	}
	if s.steps == 1 {
		return name + ", 1 step"
	}
	name += ", " + text.Count(s.steps, "step", "steps")
	if s.spaced != "" {
		name += ", " + s.spaced
	}
	return name
}

// Solve implements [Solver].
func (s *FixedSteps) Solve(
	ctx context.Context, f Field, x []float32, n int, t0, t1 float64,
) (Stats, error) {
	return s.integrate(ctx, problem{field: f, x: x, n: n, t0: t0, t1: t1})
}

// SolveLogDet implements [LogDetSolver].
func (s *FixedSteps) SolveLogDet(
	ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64,
) (Stats, error) {
	stats, err := s.integrate(ctx, problem{divergence: f, x: x, logDet: logDet, n: n, t0: t0, t1: t1})
	i := slices.IndexFunc(logDet, func(v float64) bool { return !states.Finite(v) })
	if err == nil && i >= 0 {
		err = s.notFinite(i / (len(logDet) / n))
	}
	return stats, err
}

// integrate solves p.
func (s *FixedSteps) integrate(ctx context.Context, p problem) (Stats, error) {
	d, idle, err := p.check()
	if err != nil || idle {
		return Stats{States: p.n}, err
	}
	b := s.scratch.Get()
	defer s.scratch.Put(b)
	b.X, b.field = p.x, p.field
	b.reset(s.method.Stages, p.n, d)
	b.dets.reset(p.divergence, p.logDet, s.method.Stages, p.n)
	defer b.end()

	steps, err := s.run(ctx, b, p.t0, p.t1)
	if i := slices.IndexFunc(p.x, func(v float32) bool { return v-v != 0 }); err == nil && i >= 0 {
		err = s.notFinite(i / d)
	}
	return Stats{
		States:      p.n,
		Calls:       b.calls,
		Evaluations: Tally{b.calls * p.n, b.calls},
		Steps:       Tally{steps * p.n, steps},
	}, err
}

// end drops all references to the caller's slices and functions.
func (b *Batch) end() {
	b.X, b.field = nil, nil
	b.dets.end()
}

// run takes the steps and returns how many it took.
func (s *FixedSteps) run(ctx context.Context, b *Batch, t0, t1 float64) (int, error) {
	s.observe.show(0, t0, b.X)
	var before [2]float64
	for i := range s.steps {
		step := s.step(i, t0, t1)
		step.Before = before
		before = [2]float64{step.Size, before[0]}
		if err := s.method.Step(ctx, b, step); err != nil {
			return i, err
		}
		s.observe.show(i+1, step.To, b.X)
	}
	return s.steps, nil
}

// step returns step i, but for Before.
func (s *FixedSteps) step(i int, t0, t1 float64) Step {
	step := Step{Index: i, Last: i == s.steps-1}
	if s.spacing == nil {
		step.From, step.To = TimeOf(i, s.steps, t0, t1), TimeOf(i+1, s.steps, t0, t1)
		step.Size = (t1 - t0) / float64(s.steps)
		return step
	}
	step.From, step.To = s.spacing(i, s.steps, t0, t1), s.spacing(i+1, s.steps, t0, t1)
	step.Size = step.To - step.From
	return step
}

// TimeOf returns the time after i of the given number of equal steps from t0 to t1. It is computed
// from i rather than by a running sum, so that the time after all steps is exactly t1.
func TimeOf(i, steps int, t0, t1 float64) float64 {
	if i == steps {
		return t1
	}
	return t0 + float64((t1-t0)*float64(i))/float64(steps)
}

// show shows the batch to an observer that is not nil.
func (o Observer) show(step int, t float64, x []float32) {
	if o != nil {
		o(step, t, x)
	}
}

// notFinite is the error of a state that overflowed or met a velocity that is not finite.
func (s *FixedSteps) notFinite(state int) error {
	return fmt.Errorf("ode: %s: state %d is %w: take more than %d steps, or mend a field that gives such velocities",
		s.method.Name, state, ErrNotFinite, s.steps)
}

// step makes a step of the method, for [Method].
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
