package ode

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/states"
)

// A Field is a velocity field v(x, t) over a batch of states.
//
// Velocity sets v to the velocities of len(t) states x. States have d = len(x)/len(t) numbers each,
// one state after the other. t[i] is the time of state i, and index[i] is its position in the batch
// that the solver was given. Adaptive solvers drop finished states. A field whose states have
// conditions of their own, such as a class, finds them by index.
//
// Velocity may write to v only, and keeps no slice. The velocity of a state must not depend on the
// other states, if solutions are not to depend on what else is in the batch.
type Field interface {
	Velocity(v, x, t []float32, index []int)
}

// A FieldFunc is a function used as a [Field].
type FieldFunc func(v, x, t []float32, index []int)

// Velocity calls f.
func (f FieldFunc) Velocity(v, x, t []float32, index []int) { f(v, x, t, index) }

// A Restater is a [Field] with a term that acts at some times and not at others. Solvers of several
// steps ([Adams2], [ABM2]) join the velocities of several times. Those must have the same terms, or
// the jump between them would be taken for a slope.
type Restater interface {
	Field
	// Restate changes v, the velocities of all states of a batch with the terms that acted in the
	// last call of Velocity but one. They become those with the terms that act in the last call,
	// as far as these are known: a term that began to act is taken to have been what it is.
	Restate(v []float32)
}

// A Solver integrates dx/dt = v(x, t).
//
// A Solver does not change, so several goroutines may use it at once, if their fields allow that.
// It keeps the buffers of finished calls for later ones. So a call allocates nothing when an
// earlier call was as large.
type Solver interface {
	// Solve moves the n states in x, in place, from time t0 to t1. t1 may be earlier than t0. Solve
	// asks ctx before each evaluation of f, and returns ctx.Err() as it is when that is not nil.
	// After an error x holds no solution, and the statistics are those up to the error.
	Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error)
	// Observed returns a solver with the same results that shows the trajectories to o.
	Observed(o Observer) Solver
	// String describes the solver, for example "midpoint, 20 steps".
	String() string
}

// An Observer is shown the whole batch x at times t, from step 0 at t0 to the last step at t1. It
// must neither change x nor keep it.
type Observer func(step int, t float64, x []float32)

// Errors that a solver's error may wrap.
var (
	ErrNotFinite = errors.New("not finite")
	ErrTooMany   = errors.New("too many steps")
	ErrTooSmall  = errors.New("the step size vanished")
)

// Stats counts the work of a call of Solve.
type Stats struct {
	States      int
	Calls       int   // of the field; a call evaluates all states under way
	Evaluations Tally // velocities of a state
	Steps       Tally // steps that moved a state
	Rejected    Tally // steps that were too large and were tried again
}

// A Tally is a count over the states of a batch.
type Tally struct {
	Total int // of all states
	Max   int // of the state with the most
}

func (t *Tally) add(count int) {
	t.Total += count
	t.Max = max(t.Max, count)
}

// MeanEvaluations returns the evaluations per state.
func (s Stats) MeanEvaluations() float64 {
	return float64(s.Evaluations.Total) / float64(max(s.States, 1))
}

// Merge returns the statistics of two batches together.
func (s Stats) Merge(o Stats) Stats {
	merge := func(a, b Tally) Tally { return Tally{a.Total + b.Total, max(a.Max, b.Max)} }
	return Stats{
		States:      s.States + o.States,
		Calls:       s.Calls + o.Calls,
		Evaluations: merge(s.Evaluations, o.Evaluations),
		Steps:       merge(s.Steps, o.Steps),
		Rejected:    merge(s.Rejected, o.Rejected),
	}
}

// fixedMethods are the methods with steps of equal size that NewSolver knows.
var fixedMethods = []knownMethod{
	knownTableau(Euler), knownTableau(Midpoint), knownTableau(Heun), knownTableau(RK4),
	{adams2, 1, Adams2}, {abm2, 1, ABM2},
}

type knownMethod struct {
	name        string
	evaluations int // in a step
	solver      func(steps int) Solver
}

func knownTableau(tab *Tableau) knownMethod {
	return knownMethod{tab.Name, len(tab.B), func(steps int) Solver { return Fixed(tab, steps) }}
}

// findMethod returns nil when no method has that name.
func findMethod(name string) *knownMethod {
	for i := range fixedMethods {
		if fixedMethods[i].name == name {
			return &fixedMethods[i]
		}
	}
	return nil
}

// SolverNames returns the names that NewSolver knows.
func SolverNames() []string {
	var names []string
	for _, m := range fixedMethods {
		names = append(names, m.name)
	}
	return append(names, Dopri5.Name)
}

// An UnknownError is a name that is not one of a solver.
type UnknownError = option.ValueError

// NewSolver returns the solver of that name, one of [SolverNames]; another name is an
// [*UnknownError].
//
// dopri5 keeps the error of each step below tol·(1+|x|), with tol from 1e-7 to 1: float32 has no
// more digits. An observer of dopri5 sees steps+1 evenly spaced times, or 21 when steps is not
// positive. All other solvers take steps equal steps, and ignore tol.
func NewSolver(name string, steps int, tol float64) (Solver, error) {
	if name == Dopri5.Name {
		if !(tol >= 1e-7 && tol <= 1) {
			return nil, fmt.Errorf("ode: %s: tolerance %g: want one from 1e-7 to 1, for example 1e-4", name, tol)
		}
		return Adaptive(Dopri5, AdaptiveOptions{RTol: tol, ATol: tol, Frames: max(steps, 0)}), nil
	}
	m := findMethod(name)
	if m == nil {
		return nil, &UnknownError{
			Package: "ode", Kind: "solver", Text: name,
			Known: SolverNames(), Reason: "known are " + strings.Join(SolverNames(), ", "),
		}
	}
	if steps < 1 {
		return nil, fmt.Errorf("ode: %s: %d steps: want at least 1, for example 20", name, steps)
	}
	return m.solver(steps), nil
}

// EvaluationsPerStep returns how often the solver of that name evaluates the field in a step. ok is
// false for an unknown name, and for dopri5, which chooses its steps.
func EvaluationsPerStep(name string) (n int, ok bool) {
	m := findMethod(name)
	if m == nil {
		return 0, false
	}
	return m.evaluations, true
}

// checkSpan verifies the times of a call of Solve.
func checkSpan(t0, t1 float64) error {
	if !states.Finite(t0) || !states.Finite(t1) {
		return fmt.Errorf("ode: cannot solve from t = %v to %v: a time is %w", t0, t1, ErrNotFinite)
	}
	return nil
}

// A problem is what a call of Solve or SolveLogDet is given: one of the two fields, and n states.
type problem struct {
	field      Field
	divergence DivergenceField
	x          []float32
	logDet     []float64
	n          int
	t0, t1     float64
}

// check returns the size of a state. When there is nothing to integrate, idle is true, and the
// integrals are 0.
func (p *problem) check() (d int, idle bool, err error) {
	d = states.Size(len(p.x), p.n)
	if err := checkSpan(p.t0, p.t1); err != nil {
		return d, false, err
	}
	if p.n > 0 && p.t0 != p.t1 {
		return d, false, nil
	}
	clear(p.logDet)
	return d, true, nil
}
