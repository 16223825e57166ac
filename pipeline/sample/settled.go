package sample

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// A Settled says which images to draw from a model: options that were checked against the model,
// with the defaults filled in. Several goroutines may use it at once.
type Settled struct {
	ck      *model.Checkpoint
	opt     Options
	plan    model.Plan
	classes []int32 // classes that the images take in turn; nil for random ones
	random  model.RowDraw
}

// Settle checks the options against the model. It tells o.OnEvent of what was assumed. A mistake in
// the options is a [*pipeline.OptionError].
func Settle(ck *model.Checkpoint, o Options) (*Settled, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Settled{ck: ck, random: ck.Meta.RowDraw(ck.Labels())}
	var err error
	if s.plan, o.Method, err = ck.Settle(ck.Path, o.Method); err != nil {
		return nil, err
	}
	s.opt = o.WithDefaults()
	var notes []pipeline.Event
	if s.classes, notes, err = s.opt.requested(ck); err != nil {
		return nil, err
	}
	for _, note := range notes {
		if s.opt.OnEvent != nil {
			s.opt.OnEvent(note)
		}
	}
	if flows := s.opt.Solver != model.FlowMapSolver; flows && s.opt.Guide == nil && len(s.classes) > 0 &&
		slices.Min(s.classes) == ck.Labels().NullRow() {
		// away from no class to no class
		s.opt.Guidance, s.opt.Interval, s.opt.GuidanceEvery = 1, model.WholeWay(), 1
	}
	return s, nil
}

// requested returns the rows that the options ask for, nil for random ones, with notes on what was
// assumed.
func (o Options) requested(ck *model.Checkpoint) (rows []int32, notes []pipeline.Event, err error) {
	if o.NoClass {
		rows, err = ck.RequestedNoClass(o.Method)
		return rows, nil, err
	}
	return ck.RequestedClasses(o.Class, o.Method)
}

// Options returns the options with all defaults filled in.
func (s *Settled) Options() Options { return s.opt }

// Checkpoint returns the model.
func (s *Settled) Checkpoint() *model.Checkpoint { return s.ck }

// Drawing returns the drawing of the images first..first+n-1 of the seed.
func (s *Settled) Drawing(first, n int) model.Drawing {
	return model.Drawing{
		Seed: s.opt.Seed, First: first, Labels: s.labels(first, n), Guidance: s.opt.Guidance, Interval: s.opt.Interval,
		GuidanceEvery: s.opt.GuidanceEvery, Null: s.ck.Labels().NullRow(), Plan: s.plan,
	}
}

// labels returns the classes of the images first..first+n-1, or nil for a network without classes.
func (s *Settled) labels(first, n int) []int32 {
	if s.ck.Labels().Rows() == 0 {
		return nil
	}
	labels := make([]int32, n)
	var rng rand.PCG
	for i := range labels {
		if s.classes != nil {
			labels[i] = s.classes[(first+i)/s.opt.PerClass%len(s.classes)]
			continue
		}
		labels[i] = s.random.Row(&rng, s.opt.Seed, first+i)
	}
	return labels
}

// Texts returns what a PNG says of the origin of its images.
func (s *Settled) Texts(images *picture.Images) []picture.Text {
	t := []picture.Text{
		{"Software", "fmimg " + pipeline.Version()},
		{"fmimg.version", pipeline.Version()},
		{"fmimg.model", s.ck.Hash},
		{"fmimg.seed", strconv.FormatUint(s.opt.Seed, 10)},
		{"fmimg.solver", s.opt.Solver},
		{"fmimg.steps", strconv.Itoa(s.opt.Steps)},
		{"fmimg.guidance", strconv.FormatFloat(s.opt.Guidance, 'g', -1, 64)},
	}
	if s.opt.Solver == ode.Dopri5.Name {
		t[5] = picture.Text{"fmimg.tol", strconv.FormatFloat(s.opt.Tol, 'g', -1, 64)}
	}
	if s.opt.TimeShift != 1 && s.opt.TimeShift != 0 {
		t = append(t, picture.Text{"fmimg.time-shift", strconv.FormatFloat(s.opt.TimeShift, 'g', -1, 64)})
	}
	if s.opt.Solver == "sde" {
		t = append(t, picture.Text{"fmimg.noise-level", strconv.FormatFloat(s.opt.NoiseLevel, 'g', -1, 64)})
	}
	t = append(t, GuidanceTexts(s.opt.Method)...)
	if p := s.ck.Precision(); p != "" {
		t = append(t, picture.Text{"fmimg.precision", p})
	}
	if images.Labels != nil {
		t = append(t, picture.Text{"fmimg.classes", picture.JoinInts(images.Labels)})
	}
	return t
}

// GuidanceTexts returns what a PNG says of guidance beside its weight: how often it is computed
// where that is not always, the interval where it is not the whole way, and the guide. The method
// is settled.
func GuidanceTexts(m model.Method) []picture.Text {
	var t []picture.Text
	if m.GuidanceEvery > 1 {
		t = append(t, picture.Text{"fmimg.guidance-every", strconv.Itoa(m.GuidanceEvery)})
	}
	if within := m.GuidedWithin(); within != (model.Interval{}) {
		t = append(t, picture.Text{"fmimg.guidance-interval", within.String()})
	}
	if m.GuideShare != 0 && m.GuideShare != 1 {
		t = append(t, picture.Text{"fmimg.guide-share", strconv.FormatFloat(m.GuideShare, 'g', -1, 64)})
	}
	if hash := m.GuideHash(); hash != "" {
		t = append(t, picture.Text{"fmimg.guide", hash})
	}
	return t
}
