package model

import (
	"errors"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
)

// An Objective is what a network learns.
type Objective string

// The objectives: what a network predicts, as package flow names it, and two of other networks.
const (
	VelocityObjective Objective = "velocity"
	NoiseObjective    Objective = "noise"
	DataObjective     Objective = "data"
	// FlowMapObjective is that of a network that was distilled: the mean velocity over a jump.
	FlowMapObjective Objective = "flow-map"
	// FlowObjective is the likelihood, which a normalizing flow is trained by.
	FlowObjective Objective = "nf"
)

// Predictions lists the objectives of flow matching.
func Predictions() []Objective {
	return []Objective{VelocityObjective, NoiseObjective, DataObjective}
}

// Parse returns the objective of flow matching.
func (o Objective) Parse() (flow.Objective, error) { return flow.ParseObjective(string(o)) }

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
		return p, metaError(err)
	}
	if p.Objective, err = objective.Parse(); err != nil {
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

// Velocity returns the velocity field that follows from a network's output for images.
func (p Prediction) Velocity(answers ode.Field) ode.Field {
	return flow.VelocityWithin(answers, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
}

// ToVelocity turns a network's output for the images x at times t into velocities, in place, as
// Velocity does.
func (p Prediction) ToVelocity(v, x, t []float32) {
	flow.ToVelocity(v, x, t, p.Path, p.Objective, dataset.PixelMin, dataset.PixelMax)
}

// The defaults of training, which also hold for files without the entries.
const (
	DefaultPath      = "linear"
	DefaultObjective = VelocityObjective
)
