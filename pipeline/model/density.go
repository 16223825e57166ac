package model

import (
	"context"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
)

// The defaults of densities.
const (
	defaultDensitySolver = "dopri5"
	defaultDensitySteps  = 50
	slowEnd              = 3 // power of ode.SlowEnd; docs/theory.md measures its gain
)

// WithDefaults fills in the defaults of networks that predict velocities.
func (m DensityMethod) WithDefaults() DensityMethod {
	if !m.Exact {
		option.SetDefault(&m.Probes, 1)
	}
	option.SetDefault(&m.Solver, defaultDensitySolver)
	option.SetDefault(&m.Steps, defaultDensitySteps)
	option.SetDefault(&m.Tol, DefaultTol)
	return m
}

// maxProbes is the largest number of random directions for an image.
const maxProbes = 1024

// Validate reports the first field that no network can use, as an [*pipeline.OptionError].
func (m DensityMethod) Validate() error {
	given := m.Probes
	m = m.WithDefaults()
	if err := option.First(
		option.Optional("probes", m.Probes, 1, maxProbes),
		option.Between("steps", m.Steps, 1, 100000),
		option.Between("tol", m.Tol, 1e-7, 1),
		option.OneOf("solver", m.Solver, ode.SolverNames()...),
	); err != nil {
		return err
	}
	if m.Exact && given > 0 {
		return option.Errorf("probes", given, "an exact divergence has none: leave one of the two out")
	}
	return nil
}

// DensityModel implements [Network].
func (u *UNet) DensityModel(path string, m DensityMethod) (DensityModel, error) {
	predicts, err := u.Velocity(path)
	if err != nil {
		return nil, err
	}
	m = m.WithDefaults()
	solver, err := ode.NewSolver(m.Solver, m.Steps, m.Tol)
	if err != nil {
		return nil, err
	}
	able, ok := solver.(ode.LogDetSolver)
	if !ok {
		return nil, option.Errorf("solver", m.Solver, "it cannot integrate a divergence: choose dopri5 or rk4")
	}
	return &velocityDensity{u, predicts, m, able}, nil
}

// A velocityDensity is the [DensityModel] of a network that predicts velocities.
type velocityDensity struct {
	unet       *UNet
	predicts   Prediction
	settled    DensityMethod
	integrator ode.LogDetSolver
}

// Method implements [DensityModel].
func (s *velocityDensity) Method() DensityMethod { return s.settled }

// Solver implements [DensityModel].
func (s *velocityDensity) Solver() string { return s.integrator.String() }

// NewEstimator implements [DensityModel].
func (s *velocityDensity) NewEstimator(ctx context.Context, n int) DensityEstimator {
	imageLen := s.unet.Config().ImageLen()
	field := newDiverger(s.unet.NewEvaluator(n, true), n, imageLen, s.settled.Probes)
	field.ctx = ctx
	slow := ode.SlowEnd(flow.DivergenceOf(field, s.predicts.Path, s.predicts.Objective), slowEnd)
	return &velocityEstimator{solver: s.integrator, field: field, slow: slow, imageLen: imageLen}
}

// A velocityEstimator integrates the flow backwards to noise together with its divergence: see
// [bijection.LogLikelihood].
type velocityEstimator struct {
	solver   ode.LogDetSolver
	field    *diverger
	slow     ode.DivergenceField // field, with time stretched by slowEnd
	imageLen int
}

// SetImage implements [DensityEstimator].
func (w *velocityEstimator) SetImage(i int, seed uint64, image int) { w.field.draw(i, seed, image) }

// LogProb implements [DensityEstimator].
func (w *velocityEstimator) LogProb(ctx context.Context, logp []float64, x []float32, y []int32) (ode.Stats, error) {
	w.field.y = y
	return bijection.LogLikelihood(ctx, w.solver, w.slow, x, logp, len(x)/w.imageLen)
}
