package model

import (
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
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
	if p.Objective, err = objective.Parse(); err != nil {
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
	DefaultObjective = VelocityObjective
)
