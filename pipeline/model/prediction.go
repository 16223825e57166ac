package model

import (
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
)

// A Prediction says what a network's output means: an objective, learned on a path.
type Prediction struct {
	Path      flow.Schedule
	Objective flow.Objective
}

// Prediction returns what the network of a checkpoint predicts. A file that does not say so
// predicts velocities on the linear path, as older files and those of torchcfm do.
func (m Meta) Prediction() (Prediction, error) {
	path, objective := m.Path, m.Objective
	if objective == FlowMapObjective { // at a jump of length 0 it is the velocity
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

// Velocity returns the velocity field that follows from a network's output for images.
func (p Prediction) Velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
}

// The defaults of training, which also hold for files without the entries.
const (
	DefaultPath      = "linear"
	DefaultObjective = "velocity"
)
