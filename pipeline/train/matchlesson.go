package train

import (
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/unet"
)

// A matchLesson is flow matching: a U-Net learns the velocity, the noise or the data at states
// between noise and images.
type matchLesson struct {
	network *unet.Model // nil until it is loaded or built
	match   *matching
}

// resolve implements [lesson].
func (l *matchLesson) resolve(r *training, isa kernels.ISA) error {
	if r.Settings.Resume {
		return r.options.useNetwork(*r.options.Network, r.data)
	}
	var err error
	l.network, err = r.options.resolveNetwork(r.data, r.had, isa)
	return err
}

// layers implements [lesson].
func (*matchLesson) layers(o *Options) run.LayerShapes { return run.LayersOf(*o.Network) }

// build implements [lesson].
func (l *matchLesson) build(r *training, isa kernels.ISA) error {
	times, err := flow.ParseTimeDistribution(r.options.TimeDist)
	if err != nil {
		return err
	}
	if err := l.makeNetwork(r, isa); err != nil {
		return err
	}
	feed := r.newFeed()
	l.match = r.options.matching(times, feed)
	l.match.done = func(step int) float64 { return r.Progress.Schedule.Done(step) }
	if l.match.predicts, l.match.loss, err = r.options.prediction(); err != nil {
		return err
	}
	predicts := l.match.predicts
	// A preview takes few steps, as it should cost little time.
	nets := r.SetUNet(model.NewUNet(l.network, predicts, nil),
		model.Plan{Solver: ode.Fixed(ode.Midpoint, 10), Predicts: predicts})
	if l.match.labels {
		r.Shown = r.had.rows(r.Labels)
		r.Notes = append(r.Notes, r.had.notes(r.data.Classes())...)
	}
	l.match.held, r.Validated = r.heldOut, r.heldOut != nil
	if r.options.Coupling == OptimalTransport {
		l.match.pairs = newPairing(feed, r.Settings.Seed, r.Settings.Batch, r.options.Paired, r.had, r.Crew,
			r.Settings.Ranks)
	}
	for _, m := range newMatchers(l.match, nets) {
		r.Tasks = append(r.Tasks, m)
	}
	r.PrepareBy(l.match.prepare)
	return nil
}

// makeNetwork makes a network with its first weights, unless it was loaded. A resumed run reads its
// weights later.
func (l *matchLesson) makeNetwork(r *training, isa kernels.ISA) error {
	var err error
	switch {
	case r.Settings.Resume:
		l.network, err = unet.New(*r.options.Network, isa, nil)
	case l.network == nil:
		l.network, err = r.options.newModel(isa)
	}
	return err
}

// matching returns what the workers share. It leaves the prediction, the loss, the pairs and the
// held-out data to the caller.
func (o *Options) matching(times flow.TimeDistribution, f *feed.Feed) *matching {
	m := &matching{
		feed: f, seed: o.Seed, batch: o.Batch, micro: o.MicroBatch, times: times,
		labels: o.Network.NumClasses > 0, null: -1, drop: option.OrNone(o.LabelDrop),
	}
	if o.Network.NullClass {
		m.null = int32(o.Network.NumClasses - 1)
	}
	return m
}

// labelled implements [lesson].
func (l *matchLesson) labelled() bool { return l.match.labels }

// about implements [lesson].
func (l *matchLesson) about(o *Options) lessonText {
	t := lessonText{
		network: "network", method: "Flow matching", by: "by flow matching,",
		loss: "mean squared error of the " + string(o.LossWeight),
	}
	if o.LossWeight != o.Objective {
		t.loss += ", by weights"
	}
	t.predicts = fmt.Sprintf("the %s, on the %s path", o.Objective, o.Path)
	return t
}

// meta implements [lesson].
func (l *matchLesson) meta(m *model.Meta, o *Options) {
	m.TimeDist, m.Path, m.Init = o.TimeDist, fmt.Sprint(l.match.predicts.Path), o.InitHash
}

// heldLen returns the number of held-out images.
func heldLen(s dataset.Source) int {
	if s == nil {
		return 0
	}
	return s.Len()
}
