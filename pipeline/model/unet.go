package model

import (
	"fmt"
	"math"
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
	patches := ""
	if c.PatchSize > 1 {
		patches = fmt.Sprintf("patches of %dx%d, ", c.PatchSize, c.PatchSize)
	}
	heads := text.Count(max(c.NumHeads, 1), "head", "heads")
	if c.NumHeadChannels > 0 {
		heads = "heads of " + text.Count(c.NumHeadChannels, "channel", "channels")
	}
	return patches + fmt.Sprintf("%s times %v, %s a level, attention at %v, %s, %s, time scale %v, %s",
		text.Count(c.ModelChannels, "channel", "channels"), c.ChannelMult, text.Count(c.NumResBlocks, "block", "blocks"), c.AttentionResolutions,
		heads, text.Count(c.NormGroups, "norm group", "norm groups"),
		c.TimeScale, classes)
}

// The defaults of drawing by a U-Net.
const (
	defaultSolver     = "abm2"
	defaultSteps      = 8  // of solvers of several steps
	defaultOtherSteps = 16 // of others, some of which have order 1
	// DefaultShift is that of solvers of several steps. docs/quality.md measures its gain.
	DefaultShift = 2
	// DefaultGuidanceEvery is how often guidance is computed by such solvers, where its weight is
	// at most HeldGuidance from 1: the error of what is held grows with that distance.
	// docs/quality.md measures what it costs.
	DefaultGuidanceEvery = 2
	HeldGuidance         = 0.25
	// DefaultGuideEvery and HeldGuideWeight are those of a guide that shares with no class, within
	// [UsualGuideInterval].
	DefaultGuideEvery = 3
	HeldGuideWeight   = 0.5
	// MostGuidanceEvery bounds how often.
	MostGuidanceEvery = 1000
	// LeastShift bounds a shift.
	LeastShift = 0.1
	// MostShift bounds it too: the last of 8 steps is more than half of the way.
	MostShift = 10
	// DefaultTol is the error that an adaptive solver allows for a step.
	DefaultTol = 1e-4
	// DefaultGuidance is the weight of models that were trained for guidance. docs/quality.md
	// measures its gain.
	DefaultGuidance = 1.15
	// DefaultClusterGuidance is that of models whose classes are clusters. Pictures of one cluster
	// differ more than those of one class do.
	DefaultClusterGuidance = 1.6
	// DefaultGuideWeight is the weight with a [Guide], and DefaultGuideShare the share of the guide
	// in what guidance leads away from. docs/quality.md measures their gain.
	DefaultGuideWeight = 1.45
	DefaultGuideShare  = 0.67
	// DefaultClusterGuideWeight is the weight with a guide of models whose classes are clusters.
	DefaultClusterGuideWeight = 2.2
	// leastGuideShare bounds a share.
	leastGuideShare = 0.01
)

// FlowMapSolver is the solver, in [Method], of a flow map, which has no other.
const FlowMapSolver = "flow-map"

// A UNet predicts velocity, noise or data, or is a flow map.
type UNet struct {
	*unet.Model
	Predicts Prediction
	jumps    []int   // for a flow map: the numbers of jumps that it was trained for
	usual    float64 // the weight of guidance that it draws by unless it is told another
	led      float64 // the same for drawings with a guide
	// For a flow map that takes weights of guidance: those that it was trained for.
	weights GuidanceRange

	replicas func(n int, train bool) Replica // in place of those of the model; nil: none
}

// NewUNet makes a network that draws of a model. jumps are the numbers of jumps that a flow map was
// trained for.
func NewUNet(m *unet.Model, predicts Prediction, jumps []int) *UNet {
	return &UNet{Model: m, Predicts: predicts, jumps: jumps, usual: DefaultGuidance, led: DefaultGuideWeight}
}

// Through returns the same network, but its drawers and estimators evaluate it by the replicas that
// create makes, each for up to n images. train says whether Backward will be called.
func (u *UNet) Through(create func(n int, train bool) Replica) *UNet {
	other := *u
	other.replicas = create
	return &other
}

// NewEvaluator returns a replica for a drawer or an estimator of up to n images. train says whether
// Backward will be called.
func (u *UNet) NewEvaluator(n int, train bool) Replica {
	if u.replicas != nil {
		return u.replicas(n, train)
	}
	return u.NewReplica(n, train)
}

// SetGuidance says which weights of guidance a flow map takes that has them as an input, and which
// one any network draws by unless it is told another.
func (u *UNet) SetGuidance(weights GuidanceRange, usual float64) { u.weights, u.usual = weights, usual }

// UsualGuidance returns the weight that the network draws by with m's guide, where it has guidance,
// unless it is told another.
func (u *UNet) UsualGuidance(m Method) float64 {
	if m.Guide != nil {
		return u.led
	}
	return u.usual
}

// JumpChoices returns the numbers of jumps that a flow map was trained for; nil for other networks.
func (u *UNet) JumpChoices() []int {
	if !u.Config().FlowMap {
		return nil
	}
	return slices.Clone(u.jumps)
}

// GuidanceChoices returns the weights of guidance that a flow map takes as an input. ok is false
// for other networks.
func (u *UNet) GuidanceChoices() (r GuidanceRange, ok bool) {
	return u.weights, u.Config().GuidanceEmbed
}

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
func (u *UNet) SettleGuidance(path string, m Method) (Method, error) {
	cfg := u.Config()
	switch {
	case cfg.FlowMap && m.Guide != nil:
		return m, option.Errorf("guide", m.GuideName(), "%s is a flow map, which was settled when it was distilled: "+
			"leave it out, or distil its teacher with the guide", ModelName(path))
	case cfg.GuidanceEmbed:
		return u.settleWeight(path, m)
	case cfg.FlowMap && m.Guidance != 0 && m.Guidance != 1:
		return m, option.Errorf("guidance", m.Guidance,
			"%s is a flow map, which was settled when it was distilled: "+
				"leave it at 1, or distil its teacher with another",
			ModelName(path))
	case cfg.FlowMap:
		return m.unguided(path)
	case m.Guide == nil && m.GuideShare != 0:
		return m, option.Errorf("guide-share", m.GuideShare, "there is no guide").Cured(
			"add %v, or leave it out", option.Setting{Option: "guide"})
	case m.Guide != nil && !cfg.NullClass && m.GuideShare != 0 && m.GuideShare != 1:
		return m, option.Errorf("guide-share", m.GuideShare,
			"%s was not trained without a class: leave it out", ModelName(path))
	case m.Guide != nil, cfg.NullClass:
		m = u.usualGuide(m)
	default:
		return m.unguided(path)
	}
	if m.Guidance == 1 && !m.Interval.Whole() {
		return m, option.Errorf("guidance-interval", m.Interval, "there is no guidance").Cured(
			"add %v or %v, or leave it out", option.Setting{Option: "guidance"}, option.Setting{Option: "guide"})
	}
	if m.Guidance == 1 && m.GuidanceEvery > 1 {
		return m, option.Errorf("guidance-every", m.GuidanceEvery, "there is no guidance: leave it out")
	}
	m.Interval = m.Interval.orDefault()
	return m, nil
}

// usualGuide fills in the weight of guidance, and the share of a guide.
func (u *UNet) usualGuide(m Method) Method {
	option.SetDefault(&m.Guidance, u.UsualGuidance(m))
	switch {
	case m.Guide == nil:
	case u.Config().NullClass:
		option.SetDefault(&m.GuideShare, DefaultGuideShare)
	default:
		m.GuideShare = 1
	}
	return m
}

// settleWeight is SettleGuidance for a flow map that takes weights.
func (u *UNet) settleWeight(path string, m Method) (Method, error) {
	option.SetDefault(&m.Guidance, u.usual)
	if !u.weights.Contains(m.Guidance) {
		return m, option.Errorf("guidance", m.Guidance,
			"%s was distilled for weights from %v to %v: choose one of these, or distil its teacher with others",
			ModelName(path), u.weights[0], u.weights[1])
	}
	if !m.Interval.Whole() {
		return m, option.Errorf("guidance-interval", m.Interval,
			"%s is a flow map, which was settled when it was distilled: leave it out", ModelName(path))
	}
	if m.GuidanceEvery > 1 {
		return m, option.Errorf("guidance-every", m.GuidanceEvery,
			"%s is a flow map, which was settled when it was distilled: leave it out", ModelName(path))
	}
	m.Interval = m.Interval.orDefault()
	return m, nil
}

// unguided is SettleGuidance for a network that has no guidance.
func (m Method) unguided(path string) (Method, error) {
	if m.Guidance != 0 && m.Guidance != 1 {
		return m, option.Errorf("guidance", m.Guidance,
			"%s was not trained for it (it has no class that means none): leave it at 1", ModelName(path))
	}
	if !m.Interval.Whole() {
		return m, option.Errorf("guidance-interval", m.Interval, "%s has no guidance: leave it out", ModelName(path))
	}
	if m.GuidanceEvery > 1 {
		return m, option.Errorf("guidance-every", m.GuidanceEvery, "%s has no guidance: leave it out", ModelName(path))
	}
	m.Guidance, m.Interval = 1, m.Interval.orDefault()
	return m, nil
}

// WithDefaults fills in the defaults of networks that predict velocities.
func (m Method) WithDefaults() Method {
	option.SetDefault(&m.Solver, defaultSolver)
	if m.ofSeveralSteps() {
		option.SetDefault(&m.Steps, defaultSteps)
	}
	option.SetDefault(&m.Steps, defaultOtherSteps)
	if !slices.Contains(solverless, m.Solver) {
		option.SetDefault(&m.Tol, DefaultTol)
		option.SetDefault(&m.NoiseLevel, 1)
		option.SetDefault(&m.TimeShift, 1)
		option.SetDefault(&m.GuidanceEvery, 1)
	}
	if m.Guide != nil {
		option.SetDefault(&m.Guidance, DefaultGuideWeight)
	}
	option.SetDefault(&m.Guidance, 1)
	m.Interval = m.Interval.orDefault()
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
		m.Interval.Validate(),
		option.Optional("guidance-every", m.GuidanceEvery, 1, MostGuidanceEvery),
		option.Optional("guide-share", m.GuideShare, leastGuideShare, 1),
		option.Between("steps", m.Steps, 1, 100000),
		option.Optional("time-shift", m.TimeShift, LeastShift, MostShift),
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
	open := m.opensGuidance()
	m, err := u.SettleGuidance(path, m)
	if err != nil {
		return Plan{}, m, err
	}
	if u.Config().FlowMap {
		return u.settleJumps(path, m)
	}
	if slices.Contains(solverless, m.Solver) {
		return Plan{}, m, option.Errorf("solver", m.Solver,
			"%s is none: choose one of %s", ModelName(path), strings.Join(SolverNames(), ", "))
	}
	m = m.usual(u.Predicts, open).WithDefaults()
	if m.GuidanceEvery != 1 && m.Solver == ode.Dopri5.Name {
		return Plan{}, m, option.Errorf("guidance-every", m.GuidanceEvery, "solver %s chooses its steps itself: leave it out", m.Solver)
	}
	solver, err := NewSolver(m, u.Predicts)
	return Plan{Solver: solver, Guide: m.Guide, GuideShare: m.GuideShare, Predicts: u.Predicts}, m, err
}

// ofSeveralSteps reports whether the solver joins the velocities of several steps. Such a solver
// evaluates the network once a step and begins like Euler's method.
func (m Method) ofSeveralSteps() bool { return m.Solver == "abm2" || m.Solver == "adams2" }

// UsualGuideInterval returns the interval in which guidance acts where its weight is held, a guide
// shares with no class, and the method says nothing of when and how often. All but the first step
// of 8 and the last begin in it. An image takes as many evaluations then as without a guide.
// docs/quality.md measures what it costs.
func UsualGuideInterval() Interval { return Interval{0.05, 0.7} }

// opensGuidance reports whether a method that is not settled leaves open when, and how often,
// guidance acts.
func (m Method) opensGuidance() bool { return m.Interval == (Interval{}) && m.GuidanceEvery == 0 }

// usual fills in the shift, and how often guidance is computed, where they are not 1 for a network
// that predicts p. With a guide it chooses the interval too, if the method left it open. They were
// measured on the linear path alone.
func (m Method) usual(p Prediction, open bool) Method {
	option.SetDefault(&m.Solver, defaultSolver)
	if _, linear := p.Path.(flow.Linear); linear && m.ofSeveralSteps() {
		option.SetDefault(&m.TimeShift, DefaultShift)
		far, every := HeldGuidance, DefaultGuidanceEvery
		if m.Guide != nil {
			far, every = HeldGuideWeight, DefaultGuideEvery
		}
		shared := m.Guide == nil || m.GuideShare != 0 && m.GuideShare != 1
		if shared && m.Guidance != 1 && math.Abs(m.Guidance-1) <= far {
			if m.Guide != nil && open {
				m.Interval = UsualGuideInterval()
			}
			option.SetDefault(&m.GuidanceEvery, every)
		}
	}
	return m
}

// NewSolver returns the solver of a method that is settled, for a network that predicts p.
func NewSolver(m Method, p Prediction) (ode.Solver, error) {
	solver, err := newEqualSolver(m, p)
	if err != nil || m.TimeShift == 0 || m.TimeShift == 1 {
		return solver, err
	}
	shifted, ok := flow.Shifted(solver, m.TimeShift)
	if !ok {
		return nil, option.Errorf("time-shift", m.TimeShift, "solver %s chooses its steps itself: leave it out", m.Solver)
	}
	return shifted, nil
}

// Times returns the times after 0, 1, …, Steps steps of a settled method over the whole way. Those
// of dopri5 are the ones at which it shows states.
func (m Method) Times() []float64 {
	spacing := ode.Spacing(ode.TimeOf)
	if m.TimeShift != 0 {
		spacing = flow.Shift(m.TimeShift)
	}
	times := make([]float64, m.Steps+1)
	for i := range times {
		times[i] = spacing(i, m.Steps, 0, 1)
	}
	return times
}

// newEqualSolver is NewSolver but for the shift.
func newEqualSolver(m Method, p Prediction) (ode.Solver, error) {
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
	case m.TimeShift != 0 && m.TimeShift != 1:
		return Plan{}, m, option.Errorf("time-shift", m.TimeShift,
			"%s is a flow map, which learned equal jumps: leave it out", ModelName(path))
	case m.NoiseLevel != 0:
		return Plan{}, m, option.Errorf("noise-level", m.NoiseLevel,
			"%s is a flow map, which adds no noise: leave it out", ModelName(path))
	case !slices.Contains(u.jumps, m.Steps):
		return Plan{}, m, option.Errorf("steps", m.Steps,
			"%s was trained for %s jumps: choose one of these", ModelName(path), text.Or(u.jumps))
	}
	return u.Jumps(m.Steps), m.WithDefaults(), nil
}

// Jumps returns the plan that takes n equal jumps of a flow map over the whole way from noise to
// image.
func (u *UNet) Jumps(n int) Plan { return u.JumpsOver(Part{}, n) }

// JumpsOver returns the plan that takes n equal jumps of a flow map over a part of the way.
func (u *UNet) JumpsOver(part Part, n int) Plan {
	return Plan{
		Solver: flow.Jumps(n), Jump: (part.end() - part.From) / float64(n), TakesGuidance: u.Config().GuidanceEmbed,
	}
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
func (u *UNet) NewDrawer(n int, p Plan) Drawer {
	return u.DrawerOf(u.NewEvaluator(n, false), n, p)
}

// DrawerOf is NewDrawer with a replica of the network that the caller uses too.
func (u *UNet) DrawerOf(net Replica, n int, p Plan) *VelocityDrawer {
	return NewVelocityDrawer(net, p.Guide.newReplica(n), n, u.Config().ImageLen())
}
