package model

import (
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
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
	if objective == FlowMapObjective { // without a jump it is the velocity
		objective = DefaultObjective
	}
	option.SetDefault(&path, DefaultPath)
	option.SetDefault(&objective, DefaultObjective)
	p := Prediction{}
	var err error
	if p.Path, err = flow.ParseSchedule(path); err != nil {
		return p, fmt.Errorf("metadata %s: %s", MetaKey, pipeline.TrimOption(err, "flow: "))
	}
	if p.Objective, err = flow.ParseObjective(objective); err != nil {
		return p, fmt.Errorf("metadata %s: %s", MetaKey, pipeline.TrimOption(err, "flow: "))
	}
	return p, nil
}

// Velocity returns the velocity field of a network's answers about images.
func (p Prediction) Velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
}

// The defaults of training. Those of files that do not say are the same.
const (
	DefaultPath      = "linear"
	DefaultObjective = "velocity"
)
