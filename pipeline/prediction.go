package pipeline

import (
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
)

// A Prediction is what a network's answers mean: the objective that it learned on a path.
type Prediction struct {
	Path      flow.Schedule
	Objective flow.Objective
}

// Prediction returns what the network of a checkpoint predicts. Files that do not say are as they all were once, and as those of
// torchcfm: velocities on the linear path.
func (m Meta) Prediction() (Prediction, error) {
	path, objective := m.Path, m.Objective
	if objective == flowMapObjective { // without a jump it is the velocity
		objective = defaultObjective
	}
	option.SetDefault(&path, defaultPath)
	option.SetDefault(&objective, defaultObjective)
	p := Prediction{}
	var err error
	if p.Path, err = flow.ParseSchedule(path); err != nil {
		return p, fmt.Errorf("metadata %s: %s", metaKey, trimOption(err, "flow: "))
	}
	if p.Objective, err = flow.ParseObjective(objective); err != nil {
		return p, fmt.Errorf("metadata %s: %s", metaKey, trimOption(err, "flow: "))
	}
	return p, nil
}

// Velocity returns the velocity field of a network's answers about images.
func (p Prediction) Velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
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
		return option.Errorf("normalizing-flow", "is a network of objective %s alone, and the objective is %s", flowObjective, o.Objective)
	}
	if _, err := flow.ParseSchedule(o.Path); err != nil {
		return &OptionError{"path", trimOption(err, "flow: unknown path ", "flow: path ")}
	}
	if err := option.OneOf("objective", o.Objective, append(flow.ObjectiveNames(), flowObjective)...); err != nil {
		return err
	}
	return option.OneOf("loss-weight", o.LossWeight, flow.ObjectiveNames()...)
}

// prediction returns what the network learns to predict, and the objective whose error the loss is. The options are valid.
func (o *TrainOptions) prediction() (p Prediction, loss flow.Objective, err error) {
	if p.Path, err = flow.ParseSchedule(o.Path); err != nil {
		return p, 0, err
	}
	if p.Objective, err = flow.ParseObjective(o.Objective); err != nil {
		return p, 0, err
	}
	loss, err = flow.ParseObjective(o.LossWeight)
	return p, loss, err
}

// adoptPrediction takes the path and the objective of a checkpoint to start from, where they are not given on purpose: its
// weights answer that question. A note says so when they answer another one than will be trained.
func (o *TrainOptions) adoptPrediction(m *Meta) error {
	p, err := m.Prediction()
	if err != nil {
		return err
	}
	own, objective := o.LossWeight == o.Objective, p.Objective.String()
	if !slices.Contains(o.Given, "path") && m.Path != "" {
		o.Path = fmt.Sprint(p.Path)
	}
	if !slices.Contains(o.Given, "objective") && m.Objective != "" {
		o.Objective = objective
	}
	if own && !slices.Contains(o.Given, "loss-weight") {
		o.LossWeight = o.Objective
	}
	if path, err := flow.ParseSchedule(o.Path); err != nil || path != p.Path || o.Objective != objective {
		o.note("the network of %s predicts the %s on the %v path, and learns the %s on the %s path now", o.Init, objective, p.Path, o.Objective, o.Path)
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
