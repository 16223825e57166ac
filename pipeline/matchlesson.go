package pipeline

import (
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/unet"
)

// A matchLesson is flow matching: a U-Net learns the velocity, the noise or the data of the states between noise and
// images.
type matchLesson struct {
	network *unet.Model // nil until it is loaded or built
	match   *matching
}

// resolve implements [lesson].
func (l *matchLesson) resolve(r *training, isa kernels.ISA) error {
	if r.opt.Resume {
		return r.options.useNetwork(*r.options.Network, r.data)
	}
	var err error
	l.network, err = r.options.resolveNetwork(r.data, isa)
	return err
}

// layers implements [lesson].
func (*matchLesson) layers(o *TrainOptions) layerShapes { return layersOf(*o.Network) }

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
	if l.match.predicts, l.match.loss, err = r.options.prediction(); err != nil {
		return err
	}
	predicts := l.match.predicts
	// Half the default steps: a preview should cost less than it tells.
	nets := r.hireReplicas(NewUNet(l.network, predicts, nil), Plan{Solver: ode.Fixed(ode.Midpoint, 10), Predicts: predicts})
	l.match.held, r.validated = r.heldOut, r.heldOut != nil
	if r.options.Coupling == OptimalTransport {
		l.match.pairs = newPairing(feed, r.opt.Seed, r.opt.Batch, r.crew)
	}
	for _, m := range newMatchers(l.match, nets) {
		r.tasks = append(r.tasks, m)
	}
	r.equip(l.match.prepare)
	return nil
}

// makeNetwork draws the first weights of a network that was not loaded. Those of a resumed run will be read.
func (l *matchLesson) makeNetwork(r *training, isa kernels.ISA) error {
	var err error
	switch {
	case r.opt.Resume:
		l.network, err = unet.New(*r.options.Network, isa, nil)
	case l.network == nil:
		l.network, err = r.options.newModel(isa)
	}
	return err
}

// matching returns what the draws and the loss of a step depend on.
func (o *TrainOptions) matching(times flow.TimeDistribution, f *feed) *matching {
	m := &matching{
		feed: f, seed: o.Seed, batch: o.Batch, micro: o.MicroBatch, times: times,
		labels: o.Network.NumClasses > 0, null: -1, drop: o.LabelDrop,
	}
	if o.Network.NullClass {
		m.null = int32(o.Network.NumClasses - 1)
	}
	return m
}

// labelled implements [lesson].
func (l *matchLesson) labelled() bool { return l.match.labels }

// about implements [lesson].
func (l *matchLesson) about(o *TrainOptions) lessonText {
	t := lessonText{network: "network", by: "by flow matching,", loss: "mean squared error of the " + o.LossWeight}
	if o.LossWeight != o.Objective {
		t.loss += ", by weights"
	}
	t.predicts = fmt.Sprintf("the %s, on the %s path", o.Objective, o.Path)
	return t
}

// meta implements [lesson].
func (l *matchLesson) meta(m *Meta, o *TrainOptions) {
	m.TimeDist, m.Path = o.TimeDist, fmt.Sprint(l.match.predicts.Path)
}

// heldLen returns how many images are held out.
func heldLen(s dataset.Source) int {
	if s == nil {
		return 0
	}
	return s.Len()
}
