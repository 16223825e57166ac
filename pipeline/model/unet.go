package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/unet"
)

// JumpCounts are the numbers of jumps, from noise to image, that a flow map can be trained for.
var JumpCounts = [3]int{1, 2, 4}

// DescribeNetwork describes a U-Net in a few words.
func DescribeNetwork(c unet.Config) string {
	classes := "no classes"
	if c.NumClasses > 0 {
		classes = text.Count(c.Classes(), "class", "classes")
		if c.NullClass {
			classes += " and none"
		}
	}
	return fmt.Sprintf("%s times %v, %s a level, attention at %v, %s, %s, time scale %v, %s",
		text.Count(c.ModelChannels, "channel", "channels"), c.ChannelMult, text.Count(c.NumResBlocks, "block", "blocks"), c.AttentionResolutions,
		text.Count(max(c.NumHeads, 1), "head", "heads"), text.Count(c.NormGroups, "norm group", "norm groups"),
		c.TimeScale, classes)
}

// The defaults of drawing by a U-Net.
const (
	defaultSolver     = "adams2"
	defaultSteps      = 8  // of the default solver
	defaultOtherSteps = 16 // of others, some of which have order 1
	// DefaultTol is the error that an adaptive solver allows for a step.
	DefaultTol = 1e-4
	// DefaultGuidance is the weight of models that were trained for guidance. docs/quality.md
	// measures its gain.
	DefaultGuidance = 1.15
)

// FlowMapSolver is the solver, in [Method], of a flow map, which has no other.
const FlowMapSolver = "flow-map"

// A UNet predicts velocity, noise or data, or is a flow map.
type UNet struct {
	*unet.Model
	Predicts Prediction
	jumps    []int // for a flow map: the numbers of jumps that it was trained for
}

// NewUNet makes a network that draws of a model. jumps are the numbers of jumps that a flow map was
// trained for.
func NewUNet(m *unet.Model, predicts Prediction, jumps []int) *UNet { return &UNet{m, predicts, jumps} }

// Shape implements [Network].
func (u *UNet) Shape() pipeline.Shape { return shapeOf(u.Config()) }

// shapeOf returns the shape of a network's images.
func shapeOf(cfg unet.Config) pipeline.Shape {
	return pipeline.Shape{Height: cfg.ImageSize[0], Width: cfg.ImageSize[1], Channels: cfg.InChannels}
}

// Labels implements [Network].
func (u *UNet) Labels() Labels { return labelsOf(u.Config()) }

// labelsOf returns the classes that a network takes.
func labelsOf(cfg unet.Config) Labels { return Labels{cfg.Classes(), cfg.NullClass} }

// Describe implements [Network].
func (u *UNet) Describe() string { return DescribeNetwork(u.Config()) }

// FLOPs implements [Network].
func (u *UNet) FLOPs() float64 { return u.Config().FLOPs() }

// HasTrajectory implements [Network].
func (u *UNet) HasTrajectory() bool { return true }

// SettleGuidance implements [Network].
func (u *UNet) SettleGuidance(path string, weight float64) (float64, error) {
	cfg := u.Config()
	switch {
	case weight == 0 && cfg.NullClass && !cfg.FlowMap:
		return DefaultGuidance, nil
	case weight == 0:
		return 1, nil
	case weight == 1 || cfg.NullClass && !cfg.FlowMap:
		return weight, nil
	case cfg.FlowMap:
		return 0, option.Errorf("guidance", weight,
			"%s is a flow map, which was settled when it was distilled: "+
				"leave it at 1, or distil its teacher with another",
			ModelName(path))
	}
	return 0, unguided(path, weight)
}

// unguided returns the error of a guidance for a network that was not trained for it.
func unguided(path string, weight float64) error {
	return option.Errorf("guidance", weight,
		"%s was not trained for it (it has no class that means none): leave it at 1", ModelName(path))
}

// WithDefaults fills in the defaults of networks that predict velocities.
func (m Method) WithDefaults() Method {
	option.SetDefault(&m.Solver, defaultSolver)
	if m.Solver == defaultSolver {
		option.SetDefault(&m.Steps, defaultSteps)
	}
	option.SetDefault(&m.Steps, defaultOtherSteps)
	if !slices.Contains(solverless, m.Solver) {
		option.SetDefault(&m.Tol, DefaultTol)
		option.SetDefault(&m.NoiseLevel, 1)
	}
	option.SetDefault(&m.Guidance, 1)
	return m
}

// solverless are the names, in [Method], of networks that draw without a solver.
var solverless = []string{FlowMapSolver, flowSolver}

// SolverNames returns the names of the solvers that can draw images.
func SolverNames() []string { return append(ode.SolverNames(), flow.PathSolverNames()...) }

// Validate reports the first field that no network can use, as a [*pipeline.OptionError].
func (m Method) Validate() error {
	m = m.WithDefaults()
	return option.First(
		option.Between("guidance", m.Guidance, -100, 100),
		option.Between("steps", m.Steps, 1, 100000),
		option.Optional("tol", m.Tol, 1e-7, 1),
		option.Optional("noise-level", m.NoiseLevel, 1e-6, 100),
		m.validateSolver(),
	)
}

// validateSolver checks the name of the solver.
func (m Method) validateSolver() error {
	if slices.Contains(solverless, m.Solver) {
		return nil
	}
	return option.OneOf("solver", m.Solver, SolverNames()...)
}

// Settle implements [Network].
func (u *UNet) Settle(path string, m Method) (Plan, Method, error) {
	var err error
	if m.Guidance, err = u.SettleGuidance(path, m.Guidance); err != nil {
		return Plan{}, m, err
	}
	if u.Config().FlowMap {
		return u.settleJumps(path, m)
	}
	if slices.Contains(solverless, m.Solver) {
		return Plan{}, m, option.Errorf("solver", m.Solver,
			"%s is none: choose one of %s", ModelName(path), strings.Join(SolverNames(), ", "))
	}
	m = m.WithDefaults()
	solver, err := NewSolver(m, u.Predicts)
	return Plan{Solver: solver, Predicts: u.Predicts}, m, err
}

// NewSolver returns the solver of a method that is settled, for a network that predicts p.
func NewSolver(m Method, p Prediction) (ode.Solver, error) {
	if slices.Contains(flow.PathSolverNames(), m.Solver) {
		return flow.NewPathSolver(m.Solver, p.Path, m.Steps, m.NoiseLevel)
	}
	return ode.NewSolver(m.Solver, m.Steps, m.Tol)
}

// settleJumps is Settle for a flow map.
func (u *UNet) settleJumps(path string, m Method) (Plan, Method, error) {
	option.SetDefault(&m.Solver, FlowMapSolver)
	option.SetDefault(&m.Steps, slices.Max(u.jumps))
	switch {
	case m.Solver != FlowMapSolver:
		return Plan{}, m, option.Errorf("solver", m.Solver,
			"%s is a flow map, which jumps without a solver: leave it out", ModelName(path))
	case m.Tol != 0:
		return Plan{}, m, option.Errorf("tol", m.Tol,
			"%s is a flow map, which jumps without a solver: leave it out", ModelName(path))
	case m.NoiseLevel != 0:
		return Plan{}, m, option.Errorf("noise-level", m.NoiseLevel,
			"%s is a flow map, which adds no noise: leave it out", ModelName(path))
	case !slices.Contains(u.jumps, m.Steps):
		return Plan{}, m, option.Errorf("steps", m.Steps,
			"%s was trained for %s jumps: choose one of these", ModelName(path), text.Or(u.jumps))
	}
	return Jumps(m.Steps), m.WithDefaults(), nil
}

// Jumps returns the plan that takes n equal jumps of a flow map.
func Jumps(n int) Plan { return Plan{Solver: flow.Jumps(n), Jump: 1 / float64(n)} }

// StepsFor implements [Network].
func (u *UNet) StepsFor(path string, evaluations int, m Method) (int, error) {
	if u.Config().FlowMap {
		return onlySteps(u, path, evaluations, m)
	}
	steps, err := flow.StepsFor(m.WithDefaults().Solver, evaluations)
	if wrong, ok := errors.AsType[*flow.EvaluationsError](err); ok {
		err = option.Errorf("evaluations", nil, "%s", wrong.Reason())
	}
	return steps, err
}

// onlySteps is StepsFor for a network that is evaluated once in a step and cannot take every number
// of steps.
func onlySteps(n Network, path string, evaluations int, m Method) (int, error) {
	m.Steps = evaluations
	_, _, err := n.Settle(path, m)
	return evaluations, option.Rename(err, "steps", "evaluations")
}

// Velocity returns what the network predicts, for callers that need a velocity at every state. It
// is an error for a flow map, which learned mean velocities over jumps.
func (u *UNet) Velocity(path string) (Prediction, error) {
	if u.Config().FlowMap {
		return Prediction{}, option.Errorf("model", path,
			"is a flow map, which knows where jumps lead but no velocity: name the model that it was distilled from")
	}
	return u.Predicts, nil
}

// NewDrawer implements [Network].
func (u *UNet) NewDrawer(n int) Drawer {
	return NewVelocityDrawer(u.NewReplica(n, false), n, u.Config().ImageLen())
}
