package model

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/realnvp"
)

// flowSolver is the solver, in [Method], of a normalizing flow, which has no other.
const flowSolver = "normalizing-flow"

// A NormalizingFlow draws in one pass and has an exact density.
type NormalizingFlow struct {
	*realnvp.Model
	replicas func(n int) PassReplica // in place of those of the model; nil: none
}

// A PassReplica runs a normalizing flow in both directions for one worker. [realnvp.Replica]
// implements it and documents the shapes.
type PassReplica interface {
	Sample(x []float32, n int)
	LogProb(logp []float64, x []float32)
}

// Through returns the same flow, but its drawers and estimators run it by the replicas that create
// makes, each for up to n images.
func (f *NormalizingFlow) Through(create func(n int) PassReplica) *NormalizingFlow {
	return &NormalizingFlow{f.Model, create}
}

// replica returns a replica for a drawer or an estimator.
func (f *NormalizingFlow) replica(n int) PassReplica {
	if f.replicas != nil {
		return f.replicas(n)
	}
	return f.NewReplica(n, false)
}

// Shape implements [Network].
func (f *NormalizingFlow) Shape() pipeline.Shape {
	cfg := f.Config()
	return pipeline.Shape{Height: cfg.ImageSize[0], Width: cfg.ImageSize[1], Channels: cfg.Channels}
}

// Labels implements [Network]: a normalizing flow takes no class.
func (*NormalizingFlow) Labels() Labels { return Labels{} }

// Describe implements [Network].
func (f *NormalizingFlow) Describe() string {
	cfg := f.Config()
	return fmt.Sprintf("a normalizing flow of %s, conditioners of %s, %s each",
		text.Count(cfg.Scales, "scale", "scales"), text.Count(cfg.Hidden, "channel", "channels"), text.Count(cfg.Blocks, "block", "blocks"))
}

// FLOPs implements [Network].
func (f *NormalizingFlow) FLOPs() float64 { return f.Config().FLOPs() }

// HasTrajectory implements [Network]: there is nothing between noise and image.
func (*NormalizingFlow) HasTrajectory() bool { return false }

// SettleGuidance implements [Network].
func (*NormalizingFlow) SettleGuidance(path string, m Method) (Method, error) {
	if m.Guide != nil {
		return m, option.Errorf("guide", m.GuideName(), "%s is a normalizing flow, which takes no guide: leave it out",
			ModelName(path))
	}
	return m.unguided(path)
}

// Settle implements [Network].
func (f *NormalizingFlow) Settle(path string, m Method) (Plan, Method, error) {
	m, err := f.SettleGuidance(path, m)
	if err != nil {
		return Plan{}, m, err
	}
	option.SetDefault(&m.Solver, flowSolver)
	option.SetDefault(&m.Steps, 1)
	const needs = "is a normalizing flow, which draws in one pass: leave it out"
	switch {
	case m.Solver != flowSolver:
		err = option.Errorf("solver", m.Solver, "%s %s", ModelName(path), needs)
	case m.Steps != 1:
		err = option.Errorf("steps", m.Steps, "%s %s", ModelName(path), needs)
	case m.Tol != 0:
		err = option.Errorf("tol", m.Tol, "%s %s", ModelName(path), needs)
	case m.TimeShift != 0 && m.TimeShift != 1:
		err = option.Errorf("time-shift", m.TimeShift, "%s %s", ModelName(path), needs)
	case m.NoiseLevel != 0:
		err = option.Errorf("noise-level", m.NoiseLevel, "%s %s", ModelName(path), needs)
	}
	return Plan{}, m.WithDefaults(), err
}

// StepsFor implements [Network].
func (f *NormalizingFlow) StepsFor(path string, evaluations int, m Method) (int, error) {
	return onlySteps(f, path, evaluations, m)
}

// NewDrawer implements [Network].
func (f *NormalizingFlow) NewDrawer(n int, _ Plan) Drawer {
	return NewPassDrawer(f.replica(n), f.Config().ImageLen())
}

// A PassDrawer draws by one pass through a normalizing flow. There is no trajectory between noise
// and image.
type PassDrawer struct {
	flow     PassReplica
	imageLen int
}

// NewPassDrawer returns the drawer of a replica.
func NewPassDrawer(replica PassReplica, imageLen int) *PassDrawer {
	return &PassDrawer{replica, imageLen}
}

// Draw implements [Drawer].
func (w *PassDrawer) Draw(ctx context.Context, d *Drawing, from int, x []float32) (ode.Stats, error) {
	show := d.Frame
	if show == nil {
		show = func(int, int, []float32) {}
	}
	n := len(x) / w.imageLen
	show(from, 0, x)
	w.flow.Sample(x, n)
	for _, v := range x {
		if v-v != 0 {
			return ode.Stats{}, fmt.Errorf("image of the normalizing flow: %w", ode.ErrNotFinite)
		}
	}
	show(from, 1, x)
	once := ode.Tally{Total: n, Max: 1}
	return ode.Stats{States: n, Calls: 1, Evaluations: once, Steps: once}, ctx.Err()
}

// DensityModel implements [Network].
func (f *NormalizingFlow) DensityModel(path string, m DensityMethod) (DensityModel, error) {
	const needs = "is a normalizing flow, which knows its likelihood exactly in one pass: leave it out"
	switch {
	case m.Probes != 0:
		return nil, option.Errorf("probes", m.Probes, "%s %s", ModelName(path), needs)
	case m.Solver != "":
		return nil, option.Errorf("solver", m.Solver, "%s %s", ModelName(path), needs)
	case m.Steps != 0:
		return nil, option.Errorf("steps", m.Steps, "%s %s", ModelName(path), needs)
	case m.Tol != 0:
		return nil, option.Errorf("tol", m.Tol, "%s %s", ModelName(path), needs)
	}
	return exactDensity{f}, nil
}

// An exactDensity is the [DensityModel] of a normalizing flow.
type exactDensity struct{ flow *NormalizingFlow }

// Method implements [DensityModel].
func (exactDensity) Method() DensityMethod { return DensityMethod{Exact: true} }

// Solver implements [DensityModel].
func (exactDensity) Solver() string { return flowSolver }

// NewEstimator implements [DensityModel].
func (s exactDensity) NewEstimator(_ context.Context, n int) DensityEstimator {
	return exactEstimator{s.flow.replica(n)}
}

// An exactEstimator is the [DensityEstimator] of a normalizing flow.
type exactEstimator struct{ flow PassReplica }

// SetImage implements [DensityEstimator]: there are no random directions.
func (exactEstimator) SetImage(int, uint64, int) {}

// LogProb implements [DensityEstimator].
func (w exactEstimator) LogProb(_ context.Context, logp []float64, x []float32, _ []int32) (ode.Stats, error) {
	w.flow.LogProb(logp, x)
	for _, v := range logp {
		if v-v != 0 {
			return ode.Stats{}, fmt.Errorf("likelihood under the normalizing flow: %w", ode.ErrNotFinite)
		}
	}
	return ode.Stats{States: len(logp), Evaluations: ode.Tally{Total: len(logp), Max: 1}}, nil
}
