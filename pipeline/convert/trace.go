package convert

import (
	"context"

	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A trace is what a solver does, whatever the field is: each state at which it evaluates the field,
// and its result, are sums of the noise and of earlier answers of the field with fixed weights. So
// the steps of a solver can be written down as operators of a graph.
//
// Weights are those of a basis. Term 0 is the noise, and evaluation j has two terms: 1+2j is the
// velocity of the network alone, and 2+2j is what guidance adds to it.
type trace struct {
	evaluations []evaluation
	result      []float32 // weights of the image
}

// An evaluation is one of a field.
type evaluation struct {
	t      float32
	state  []float32 // weights
	acts   bool      // guidance adds to the velocity
	guided bool      // what it adds is computed here
}

// traceSolver runs a solver of fixed steps from noise at time 0 to images at time 1. It evaluates
// the field at most the given number of times. acts says at which times guidance acts. every says
// how often it is computed, as for [model.ComputesGuidance]: what is held is the term of an earlier
// evaluation.
func traceSolver(solver ode.Solver, most int, acts func(t float32) bool, every int) (*trace, error) {
	f := &tracedField{acts: acts, every: every, trace: &trace{}}
	x := make([]float32, 1+2*most)
	x[0] = 1
	if _, err := solver.Solve(context.Background(), f, x, 1, 0, 1); err != nil {
		return nil, err
	}
	f.trace.result = x
	return f.trace, nil
}

// A tracedField answers with the terms of the basis. It is an [ode.Restater], as the fields are
// that a drawer solves.
type tracedField struct {
	acts  func(t float32) bool
	every int
	trace *trace
	led   int // velocities to which guidance has added
	added int // the term that guidance added when it was computed last
}

// Velocity implements [ode.Field].
func (f *tracedField) Velocity(v, x, t []float32, _ []int) {
	j := len(f.trace.evaluations)
	e := evaluation{t: t[0], state: append([]float32(nil), x...), acts: f.acts(t[0])}
	if e.acts {
		e.guided = model.ComputesGuidance(f.led, f.every)
		f.led++
	}
	f.trace.evaluations = append(f.trace.evaluations, e)
	clear(v)
	v[1+2*j] = 1
	if e.guided {
		f.added = 2 + 2*j
	}
	if e.acts {
		v[f.added] = 1
	}
}

// Restate implements [ode.Restater].
func (f *tracedField) Restate(v []float32) {
	done := f.trace.evaluations
	now, before := done[len(done)-1].acts, done[len(done)-2].acts
	switch {
	case now && !before:
		v[f.added]++
	case before && !now:
		v[f.added]--
	}
}
