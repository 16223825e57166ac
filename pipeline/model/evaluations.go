package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
)

// StepsFor implements [Network].
func (u *UNet) StepsFor(path string, evaluations int, m Method) (int, error) {
	if u.Config().FlowMap {
		return onlySteps(u, path, evaluations, m)
	}
	open := m.opensGuidance()
	m, err := u.SettleGuidance(path, m)
	if err != nil {
		return 0, err
	}
	m = m.usual(u.Predicts, open).WithDefaults()
	each, err := flow.EvaluationsFor(m.Solver, 1)
	if err == nil && m.Guidance != 1 {
		return m.guidedSteps(evaluations, each)
	}
	steps, err := flow.StepsFor(m.Solver, evaluations)
	if wrong, ok := errors.AsType[*flow.EvaluationsError](err); ok {
		err = option.Errorf("evaluations", nil, "%s", wrong.Reason())
	}
	return steps, err
}

// guidedSteps is StepsFor where guidance acts: the largest number of steps that takes so many
// evaluations. each is the number of velocities of a step.
func (m Method) guidedSteps(evaluations, each int) (int, error) {
	if err := option.Between("evaluations", evaluations, 1, maxEvaluations); err != nil {
		return 0, err
	}
	within := m.Interval.orDefault()
	// A step has each·(1 + A·share/N) evaluations on average, where A networks give guidance, and
	// it is computed for every Nth velocity. A stage is within the interval in as many steps as its
	// share of them says, or in one more or less.
	share := flow.Unshifted(within[1], m.TimeShift) - flow.Unshifted(within[0], m.TimeShift)
	likely := float64(evaluations) / (float64(each) * (1 + float64(m.guidedBy())*share/float64(max(m.GuidanceEvery, 1))))
	below, above := "", ""
	for steps := int(likely) + 2 + each; steps >= max(1, int(likely)-2-each); steps-- {
		switch n := m.Evaluations(steps); {
		case n == evaluations:
			return steps, nil
		case n > evaluations:
			above = fmt.Sprintf("%s %d", takeSteps(steps), n)
		case below == "":
			below = fmt.Sprintf("%s %d, ", takeSteps(steps), n)
		}
	}
	wrong := option.Errorf("evaluations", nil, "%d are those of no number of steps of %s with %s: %s%s; guidance 1 takes any number",
		evaluations, m.Solver, m.DescribeGuidance(), below, above)
	if m.GuidanceEvery > 1 {
		wrong = wrong.Cured("add %v for other numbers", option.Setting{Option: "guidance-every", Value: 1})
	}
	return 0, wrong
}

// guidedBy returns how many evaluations give what guidance adds.
func (m Method) guidedBy() int {
	if m.Guide != nil && m.GuideShare != 0 && m.GuideShare != 1 {
		return 2
	}
	return 1
}

// maxEvaluations bounds the evaluations that steps are looked for.
const maxEvaluations = 1_000_000

// takeSteps begins a sentence about what steps take.
func takeSteps(n int) string {
	if n == 1 {
		return "1 step takes"
	}
	return text.Count(n, "step", "steps") + " take"
}

// Evaluations returns the evaluations of networks for an image by a settled method whose solver
// takes fixed steps. Where guidance is computed, a velocity takes two, or three with a guide that
// has a part of what guidance leads away from.
func (m Method) Evaluations(steps int) int {
	m.Steps = steps
	solver, err := NewSolver(m, Prediction{Path: flow.Linear{}})
	if err != nil {
		panic(err) // a settled method has a solver
	}
	if s, ok := solver.(flow.PathSolver); ok {
		solver = s.WithNoise(func(z []float32, _, _ int) { clear(z) })
	}
	n, led := 0, 0
	count := ode.FieldFunc(func(v, _, t []float32, _ []int) {
		clear(v)
		n++
		if m.Guidance != 1 && m.Interval.Has(t[0]) {
			if ComputesGuidance(led, m.GuidanceEvery) {
				n += m.guidedBy()
			}
			led++
		}
	})
	if _, err := solver.Solve(context.Background(), count, []float32{0}, 1, 0, 1); err != nil {
		panic(err) // nothing moves
	}
	return n
}
