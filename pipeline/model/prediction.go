package model

import (
	"errors"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
)

// A Prediction says what a network's answers mean: the objective that it learned, on a path.
type Prediction struct {
	Path      flow.Schedule
	Objective flow.Objective
}

// Prediction returns what the network of a checkpoint predicts. A file that does not say predicts
// velocities on the linear path, like the first files of fmimg, and those of torchcfm.
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
		return p, metaError(err)
	}
	if p.Objective, err = flow.ParseObjective(objective); err != nil {
		return p, metaError(err)
	}
	return p, nil
}

// metaError says where a wrong name is: in the metadata.
func metaError(err error) error {
	if wrong, ok := errors.AsType[*flow.ParseError](err); ok {
		here := *wrong
		here.Package = "metadata " + MetaKey
		return &here
	}
	return err
}

// Velocity returns the velocity field of a network's answers about images.
func (p Prediction) Velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
}

// The defaults of training, and of files that do not say.
const (
	DefaultPath      = "linear"
	DefaultObjective = "velocity"
)
