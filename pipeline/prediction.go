package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

// A prediction is what a network's answers mean: the objective that it learned on a path.
type prediction struct {
	path      flow.Schedule
	objective flow.Objective
}

// prediction returns what the network of a checkpoint predicts. Files that do not say are as they all were once, and as those of
// torchcfm: velocities on the linear path.
func (m Meta) prediction() (prediction, error) {
	path, objective := m.Path, m.Objective
	if objective == flowMapObjective { // without a jump it is the velocity
		objective = defaultObjective
	}
	setDefault(&path, defaultPath)
	setDefault(&objective, defaultObjective)
	p := prediction{}
	var err error
	if p.path, err = flow.ParseSchedule(path); err != nil {
		return p, fmt.Errorf("metadata %s: %s", metaKey, trimOption(err, "flow: "))
	}
	if p.objective, err = flow.ParseObjective(objective); err != nil {
		return p, fmt.Errorf("metadata %s: %s", metaKey, trimOption(err, "flow: "))
	}
	return p, nil
}

// predictsVelocity returns what the network of a checkpoint predicts, if that tells a velocity at every state, as solvers
// need it: a flow map learned means over jumps.
func (c *Checkpoint) predictsVelocity() (prediction, error) {
	if c.config().FlowMap {
		return prediction{}, optionErrorf("model", "%s: is a flow map, which knows where jumps lead but no velocity: name the model that it was distilled from", c.Path)
	}
	return c.Meta.prediction()
}

// velocity returns the velocity field of a network's answers about images.
func (p prediction) velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.path, p.objective, dataset.PixelMin, dataset.PixelMax)
}

// The defaults of training. Those of files that do not say are the same.
const (
	defaultPath      = "linear"
	defaultObjective = "velocity"
)

// validateObjective checks what the network learns.
func (o *TrainOptions) validateObjective() error {
	if o.Objective == flowObjective {
		return o.validateFlow()
	}
	if o.Flow != nil {
		return optionErrorf("normalizing-flow", "is a network of objective %s alone, and the objective is %s", flowObjective, o.Objective)
	}
	if _, err := flow.ParseSchedule(o.Path); err != nil {
		return &OptionError{"path", trimOption(err, "flow: unknown path ", "flow: path ")}
	}
	if err := oneOf("objective", o.Objective, append(flow.ObjectiveNames(), flowObjective)...); err != nil {
		return err
	}
	return oneOf("loss-weight", o.LossWeight, flow.ObjectiveNames()...)
}

// prediction returns what the network learns to predict, and the objective whose error the loss is. The options are valid.
func (o *TrainOptions) prediction() (p prediction, loss flow.Objective, err error) {
	if p.path, err = flow.ParseSchedule(o.Path); err != nil {
		return p, 0, err
	}
	if p.objective, err = flow.ParseObjective(o.Objective); err != nil {
		return p, 0, err
	}
	loss, err = flow.ParseObjective(o.LossWeight)
	return p, loss, err
}

// adoptPrediction takes the path and the objective of a checkpoint to start from, where they are not given on purpose: its
// weights answer that question. A note says so when they answer another one than will be trained.
func (o *TrainOptions) adoptPrediction(m *Meta) error {
	p, err := m.prediction()
	if err != nil {
		return err
	}
	own, objective := o.LossWeight == o.Objective, p.objective.String()
	if !slices.Contains(o.Given, "path") && m.Path != "" {
		o.Path = fmt.Sprint(p.path)
	}
	if !slices.Contains(o.Given, "objective") && m.Objective != "" {
		o.Objective = objective
	}
	if own && !slices.Contains(o.Given, "loss-weight") {
		o.LossWeight = o.Objective
	}
	if path, err := flow.ParseSchedule(o.Path); err != nil || path != p.path || o.Objective != objective {
		o.note("the network of %s predicts the %s on the %v path, and learns the %s on the %s path now", o.Init, objective, p.path, o.Objective, o.Path)
	}
	return nil
}

// lossWeightMost is the largest weight of an image in the loss, as in Li and He 2025, "Back to Basics": where the noise is less
// than a twentieth of the data, the error of the velocity is more than this many times that of the data, and of a few
// images of a batch would be all that a step follows.
const lossWeightMost = 400

// lossWeight returns how much the error of a prediction counts.
func lossWeight(c flow.Coefficients, predicted, loss flow.Objective) float64 {
	return min(c.LossWeight(predicted, loss), lossWeightMost)
}

// solverNames returns the solvers that images can be drawn with.
func solverNames() []string { return append(ode.SolverNames(), flow.PathSolverNames()...) }

// newSolver returns the solver that options name, for a network's field.
func newSolver(o SampleOptions, p prediction) (ode.Solver, error) {
	if slices.Contains(flow.PathSolverNames(), o.Solver) {
		return flow.NewPathSolver(o.Solver, p.path, o.Steps, o.NoiseLevel)
	}
	return ode.NewSolver(o.Solver, o.Steps, o.Tol)
}

// freshNoise returns the noise that solvers add in their steps: that of a seed, an image's index and a step, where first is
// the image of index 0. It is for one goroutine.
func freshNoise(seed uint64, first int) flow.NoiseFunc {
	var rng rand.PCG
	return func(z []float32, index, step int) {
		seedStream(&rng, seed, streamStep, first+index, step)
		flow.Gaussian(z, &rng)
	}
}
