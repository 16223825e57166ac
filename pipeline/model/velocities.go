package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/unet"
)

// JumpCounts are the numbers of jumps from noise to image that a flow map is trained for, which the shares are of.
var JumpCounts = [3]int{1, 2, 4}

// DescribeNetwork says in a few words what a network is.
func DescribeNetwork(c unet.Config) string {
	classes := "no classes"
	if c.NumClasses > 0 {
		classes = text.Count(c.Classes(), "class", "classes")
		if c.NullClass {
			classes += " and none"
		}
	}
	return fmt.Sprintf("%d channels times %v, %s a level, attention at %v, %s, %d norm groups, time scale %v, %s",
		c.ModelChannels, c.ChannelMult, text.Count(c.NumResBlocks, "block", "blocks"), c.AttentionResolutions,
		text.Count(max(c.NumHeads, 1), "head", "heads"), c.NormGroups, c.TimeScale, classes)
}

// The defaults of drawing by a U-Net.
const (
	defaultSolver = "adams2"
	defaultSteps  = 8  // of the default solver
	defaultOtherSteps   = 16 // of others, some of which have order 1
	DefaultTol    = 1e-4
	// DefaultGuidance is that of models that were trained for it: docs/quality.md has what it is worth.
	DefaultGuidance = 1.15
)

// FlowMapSolver names in [Method] what only flow maps can do, and need not be told.
const FlowMapSolver = "flow-map"

// A UNet is a network of velocities, noise or data, or a flow map.
type UNet struct {
	*unet.Model
	Predicts Prediction
	jumps    []int // of a flow map: the numbers of jumps that it was trained for
}

// NewUNet returns a model as a network that draws. jumps are those of a flow map.
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
	case weight == 0 && cfg.NullClass:
		return DefaultGuidance, nil
	case weight == 0:
		return 1, nil
	case weight == 1 || cfg.NullClass:
		return weight, nil
	case cfg.FlowMap:
		return 0, option.Errorf("guidance", "%v: %s is a flow map, which was settled when it was distilled: leave it at 1, or distil its teacher with another", weight, ModelName(path))
	}
	return 0, unguided(path, weight)
}

// unguided refuses a weight of guidance for a network that was not trained for it.
func unguided(path string, weight float64) error {
	return option.Errorf("guidance", "%v: %s was not trained for it (it has no class that means none): leave it at 1", weight, ModelName(path))
}

// WithDefaults fills in the defaults for a network of velocities.
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

// solverless are the names of what draws without a solver.
var solverless = []string{FlowMapSolver, flowSolver}

// SolverNames returns the solvers that images can be drawn with.
func SolverNames() []string { return append(ode.SolverNames(), flow.PathSolverNames()...) }

// Validate reports the first field that no network could use.
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
		return Plan{}, m, option.Errorf("solver", "%s: %s is none: choose one of %s", m.Solver, ModelName(path), strings.Join(SolverNames(), ", "))
	}
	m = m.WithDefaults()
	solver, err := NewSolver(m, u.Predicts)
	return Plan{Solver: solver, Predicts: u.Predicts}, m, err
}

// NewSolver returns the solver of a method, for a network's field.
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
		return Plan{}, m, option.Errorf("solver", "%s: %s is a flow map, which jumps without a solver: leave it out", m.Solver, ModelName(path))
	case m.Tol != 0:
		return Plan{}, m, option.Errorf("tol", "%v: %s is a flow map, which jumps without a solver: leave it out", m.Tol, ModelName(path))
	case m.NoiseLevel != 0:
		return Plan{}, m, option.Errorf("noise-level", "%v: %s is a flow map, which adds no noise: leave it out", m.NoiseLevel, ModelName(path))
	case !slices.Contains(u.jumps, m.Steps):
		return Plan{}, m, option.Errorf("steps", "%d: %s was trained for %s jumps: choose one of these", m.Steps, ModelName(path), text.Or(u.jumps))
	}
	return Jumps(m.Steps), m.WithDefaults(), nil
}

// Jumps is the plan that takes n jumps of a flow map.
func Jumps(n int) Plan { return Plan{Solver: flow.Jumps(n), Jump: 1 / float64(n)} }

// StepsFor implements [Network].
func (u *UNet) StepsFor(path string, evaluations int, m Method) (int, error) {
	if u.Config().FlowMap {
		return onlySteps(u, path, evaluations, m)
	}
	steps, err := flow.StepsFor(m.WithDefaults().Solver, evaluations)
	if err != nil {
		err = &pipeline.OptionError{Option: "evaluations", Reason: pipeline.TrimOption(err, "flow: ")}
	}
	return steps, err
}

// onlySteps is StepsFor of a network that is evaluated once a step, and may not take every number of them.
func onlySteps(n Network, path string, evaluations int, m Method) (int, error) {
	m.Steps = evaluations
	_, _, err := n.Settle(path, m)
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); ok && wrong.Option == "steps" {
		err = &pipeline.OptionError{Option: "evaluations", Reason: wrong.Reason}
	}
	return evaluations, err
}

// Velocity returns what the network predicts, if that tells a velocity at every state, as solvers need it: a flow
// map learned means over jumps.
func (u *UNet) Velocity(path string) (Prediction, error) {
	if u.Config().FlowMap {
		return Prediction{}, option.Errorf("model", "%s: is a flow map, which knows where jumps lead but no velocity: name the model that it was distilled from", path)
	}
	return u.Predicts, nil
}

// NewDrawer implements [Network].
func (u *UNet) NewDrawer(n int) Drawer {
	return NewVelocityDrawer(u.NewReplica(n, false), n, u.Config().ImageLen())
}

// A Replica runs a U-Net forward and back for one worker: see [unet.Replica] for the shapes.
type Replica interface {
	Forward(v, x, t []float32, y []int32)
	Jump(u, x, t, d []float32, y []int32)
	Backward(dx, dv, grad []float32)
}

// A VelocityDrawer solves dx/dt = v(x, t) from noise at t = 0 to images at t = 1, by a replica of a U-Net. What it
// draws for an image depends on no other image.
type VelocityDrawer struct {
	net      Replica
	imageLen int
	y        []int32
	v0       []float32 // the velocity without class
}

// NewVelocityDrawer returns a drawer of up to n images of imageLen numbers at once.
func NewVelocityDrawer(net Replica, n, imageLen int) *VelocityDrawer {
	return &VelocityDrawer{net: net, imageLen: imageLen, y: make([]int32, n), v0: make([]float32, n*imageLen)}
}

// Draw implements [Drawer].
func (w *VelocityDrawer) Draw(ctx context.Context, d *Drawing, from int, x []float32) (ode.Stats, error) {
	solver := d.Solver
	if s, ok := solver.(flow.PathSolver); ok {
		solver = s.WithNoise(freshNoise(d.Seed, d.First+from))
	}
	if d.Frame != nil {
		solver = solver.Observed(func(step int, _ float64, x []float32) { d.Frame(from, step, x) })
	}
	return solver.Solve(ctx, w.Field(d, from), x, len(x)/w.imageLen, 0, 1)
}

// freshNoise returns the noise that solvers add in their steps: that of a seed, an image's index and a step, where first is
// the image of index 0. It is for one goroutine.
func freshNoise(seed uint64, first int) flow.NoiseFunc {
	var rng rand.PCG
	return func(z []float32, index, step int) {
		pipeline.Seed(&rng, seed, pipeline.StreamStep, first+index, step)
		flow.Gaussian(z, &rng)
	}
}

// Field returns what carries the images from, from+1, … of a drawing.
func (w *VelocityDrawer) Field(d *Drawing, from int) ode.Field {
	if d.Jump == 0 {
		return d.Predicts.Velocity(ode.FieldFunc(func(v, x, t []float32, index []int) { w.predict(d, from, v, x, t, index) }))
	}
	return flow.JumpField(flow.FlowMapFunc(func(u, x, t, lengths []float32, index []int) {
		w.net.Jump(u, x, t, lengths, w.classesOf(d, from, index))
	}), d.Jump)
}

// classesOf returns the classes of the images at an index, nil for a network without.
func (w *VelocityDrawer) classesOf(d *Drawing, from int, index []int) []int32 {
	if d.Labels == nil {
		return nil
	}
	y := w.y[:len(index)]
	for i, k := range index {
		y[i] = d.Labels[from+k]
	}
	return y
}

// predict is v(x, t, y), or what else the network predicts, guided towards the class where asked for (Ho and Salimans
// 2022, with W = 1 for no guidance; Zheng et al. 2023 for velocities; the same for all, see [flow.VelocityOf]).
func (w *VelocityDrawer) predict(d *Drawing, from int, v, x, t []float32, index []int) {
	y := w.classesOf(d, from, index)
	w.net.Forward(v, x, t, y)
	if y == nil || d.Guidance == 1 {
		return
	}
	for i := range y {
		y[i] = d.Null
	}
	v0 := w.v0[:len(v)]
	w.net.Forward(v0, x, t, y)
	weight := float32(d.Guidance)
	for i := range v {
		v[i] = v0[i] + float32(weight*(v[i]-v0[i]))
	}
}
