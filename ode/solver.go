package ode

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/states"
)

// A Field is a velocity field v(x, t) over a batch of states.
//
// Velocity sets v to the velocities of len(t) states x, of d = len(x)/len(t) numbers each, one after the
// other; t[i] is the time of state i. index[i] is its position in the batch that the solver was given:
// adaptive solvers drop finished states, so a field whose states have conditions of their own (a class)
// finds them there. Only v may be written to, and nothing kept. For results that do not depend on
// what else is in the batch, the velocity of a state must not either.
type Field interface {
	Velocity(v, x, t []float32, index []int)
}

// A FieldFunc is a function used as a [Field].
type FieldFunc func(v, x, t []float32, index []int)

// Velocity calls f.
func (f FieldFunc) Velocity(v, x, t []float32, index []int) { f(v, x, t, index) }

// A Solver integrates dx/dt = v(x, t). It does not change, so several goroutines may use it at once (each
// with a field that allows that), and it keeps the buffers of finished calls for the next: after the first, calls
// that are no larger do not allocate.
type Solver interface {
	// Solve moves the n states in x, in place, from time t0 to t1, which may be the earlier one. It asks
	// ctx before each evaluation of f and returns ctx.Err() as it is when that is not nil; after an error
	// x holds no solution. Statistics are those up to then.
	Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error)
	// Observed returns a solver with the same results that also shows the way to o.
	Observed(o Observer) Solver
	// String describes the solver, for example "midpoint, 20 steps".
	String() string
}

// An Observer is shown the whole batch x at times t, from step 0 at t0 to the last step at t1. It must not
// change x, nor keep it.
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
	Calls       int   // of the field, on all states then under way
	Evaluations Tally // of a state's velocity
	Steps       Tally // that advanced a state
	Rejected    Tally // steps of a state that were tried again, smaller
}

// A Tally is a count over the states of a batch.
type Tally struct {
	Total int // of all states
	Max   int // of any one
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

// fixedMethods are the methods of fixed step size that NewSolver knows.
var fixedMethods = []knownMethod{
	knownTableau(Euler), knownTableau(Midpoint), knownTableau(Heun), knownTableau(RK4), {adams2, 1, Adams2},
}

type knownMethod struct {
	name        string
	evaluations int // a step
	solver      func(steps int) Solver
}

func knownTableau(tab *Tableau) knownMethod {
	return knownMethod{tab.Name, len(tab.B), func(steps int) Solver { return Fixed(tab, steps) }}
}

// findMethod returns nil when there is none of that name.
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

// NewSolver returns the solver of that name, one of [SolverNames]. Those of fixed step size take steps equal steps
// and ignore tol. dopri5 keeps the error of each step below tol·(1+|x|), with tol from 1e-7 (float32 has no more
// digits) to 1; an observer of it sees steps+1 evenly spaced times, 21 when steps is not positive.
func NewSolver(name string, steps int, tol float64) (Solver, error) {
	if name == Dopri5.Name {
		if !(tol >= 1e-7 && tol <= 1) {
			return nil, fmt.Errorf("ode: %s: tolerance %g: want one from 1e-7 to 1, for example 1e-4", name, tol)
		}
		return Adaptive(Dopri5, AdaptiveOptions{RTol: tol, ATol: tol, Frames: max(steps, 0)}), nil
	}
	m := findMethod(name)
	if m == nil {
		return nil, fmt.Errorf("ode: unknown solver %q: known are %s", name, strings.Join(SolverNames(), ", "))
	}
	if steps < 1 {
		return nil, fmt.Errorf("ode: %s: %d steps: want at least 1, for example 20", name, steps)
	}
	return m.solver(steps), nil
}

// EvaluationsPerStep returns how often the solver of that name evaluates the field in a step. ok is false when the name is
// unknown, and for dopri5, which chooses its steps.
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
