package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/unet"
)

// Train trains a network, or goes on with a run, and leaves everything in a run folder. Options are
// checked before any work and before anything is written; a mistake in them is an [*OptionError].
//
// When ctx ends, Train abandons the step that it is in, saves and returns an [*InterruptedError]; the run can be
// resumed, and its tensors will be the same to the byte as if it had never stopped. When the loss
// stops being a number Train stops with an error, and the last checkpoint stays.
func Train(ctx context.Context, o TrainOptions) (TrainResult, error) {
	if err := o.Validate(); err != nil {
		return TrainResult{}, err
	}
	r, err := openTraining(ctx, o)
	if err != nil {
		return TrainResult{}, err
	}
	defer r.close()
	return r.train(ctx)
}

// A training is a run on images: by flow matching, or of a normalizing flow by its likelihood.
type training struct {
	run
	options TrainOptions // resolved; run.opt is a part of them
	network *unet.Model  // nil for a normalizing flow
	data    dataset.Source
	held    dataset.Source // for the validation loss, nil for none
	digest  string         // of the data, "" when it has none
	// pictures is the folder or archive that the data was read from, "" for other data.
	pictures string
	match    *matching // nil for a normalizing flow
	fit      *fitting  // of one
}

// openTraining opens or makes the run folder and everything that training needs.
func openTraining(ctx context.Context, o TrainOptions) (*training, error) {
	r := newTraining(o)
	var err error
	if o.Resume {
		err = r.reopen(ctx, o)
	} else {
		err = r.create(ctx)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// newTraining returns a run that has nothing yet.
func newTraining(o TrainOptions) *training {
	r := &training{options: o.withDefaults()}
	r.run = run{opt: &r.options.RunOptions, job: r, saved: -1}
	return r
}

// create resolves the options of a new run and makes its folder.
func (r *training) create(ctx context.Context) error {
	isa, err := kernels.Parse(r.opt.ISA)
	if err != nil {
		return err
	}
	r.opt.ISA = isa.String()
	if err := r.openData(ctx); err != nil {
		return err
	}
	if r.options.Objective == flowObjective {
		err = r.options.resolveFlow(r.data)
	} else {
		r.network, err = r.options.resolveNetwork(r.data, isa)
	}
	if err != nil {
		return err
	}
	if err := r.outsideData(); err != nil {
		return err
	}
	if err := r.setOut(r.options.Data); err != nil {
		return err
	}
	r.done = progress{Seed: r.opt.Seed, Schedule: r.options.plan(r.data.Len())}
	if r.options.Flow != nil {
		return r.createFlow(isa)
	}
	r.warnOfMemory(layersOf(*r.options.Network))
	if r.network == nil {
		if r.network, err = r.options.newModel(isa); err != nil {
			return err
		}
	}
	return r.build()
}

// reopen continues the run in a folder.
func (r *training) reopen(ctx context.Context, given TrainOptions) error {
	path, c, err := findRun(given.Out)
	if err != nil {
		return err
	}
	if c.Options == nil {
		return otherCommand(path, "distill")
	}
	recorded := *c.Options
	r.finished = c.Finished
	if c.Data.Digest != "" { // which tells the same files in another place
		overrideWith(&recorded.Data, given.Data)
	}
	if err := conflict(path, fieldsOf(recorded), fieldsOf(given.withDefaults()), given.Given); err != nil {
		return err
	}
	if err := r.lock(path, given.disk); err != nil {
		return err
	}
	given.Threads = r.opt.Threads // with its default
	var newBudget bool
	if r.options, newBudget = resumed(&recorded, &given); r.options.Network == nil && r.options.Flow == nil {
		return fmt.Errorf("%s: it names no network: restore it from a copy, or train anew", r.dir.file(configFile))
	}
	if err := r.options.Validate(); err != nil {
		return r.damaged(err)
	}
	return r.restore(ctx, newBudget, c.Data)
}

// restore reads the state of a run whose options are settled, and which had the given data.
func (r *training) restore(ctx context.Context, newBudget bool, had dataInfo) error {
	isa, err := kernels.Parse(r.opt.ISA)
	if err != nil {
		return err
	}
	if err := r.openData(ctx); err != nil {
		return err
	}
	if had.Digest != "" && r.digest != had.Digest {
		return r.dataChanged(had)
	}
	if r.options.Flow != nil {
		err = r.reopenFlow(isa)
	} else {
		err = r.reopenNetwork(isa)
	}
	if err != nil {
		return err
	}
	if err := r.restoreState(); err != nil {
		return err
	}
	if newBudget {
		r.newBudget(r.options.plan(r.data.Len()).Total())
	}
	return nil
}

// reopenNetwork makes the network of the options, whose weights will be read.
func (r *training) reopenNetwork(isa kernels.ISA) error {
	if err := r.options.useNetwork(*r.options.Network, r.data); err != nil {
		return err
	}
	r.warnOfMemory(layersOf(*r.options.Network))
	var err error
	if r.network, err = unet.New(*r.options.Network, isa, nil); err != nil {
		return err
	}
	return r.build()
}

// build makes the workers, their tasks and the engine around the network.
func (r *training) build() error {
	times, err := flow.ParseTimeDistribution(r.options.TimeDist)
	if err != nil {
		return err
	}
	feed := r.newFeed()
	r.match = r.options.matching(times, feed)
	if r.match.predicts, r.match.loss, err = r.options.prediction(); err != nil {
		return err
	}
	predicts := r.match.predicts
	// Half the default steps: a preview should cost less than it tells.
	nets := r.hireReplicas(NewUNet(r.network, predicts, nil), Plan{Solver: ode.Fixed(ode.Midpoint, 10), Predicts: predicts})
	r.match.held, r.run.held = r.held, r.held != nil
	if r.options.Coupling == OptimalTransport {
		r.match.pairs = newPairing(feed, r.opt.Seed, r.opt.Batch, r.crew)
	}
	for _, m := range newMatchers(r.match, nets) {
		r.tasks = append(r.tasks, m)
	}
	r.equip(r.match.prepare)
	return nil
}

// newFeed makes the feed of the options.
func (r *training) newFeed() *feed {
	f := newFeed(r.data, r.opt.Seed, r.opt.Batch, r.options.Flip)
	f.dequantize = r.options.Dequantize
	return f
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

// command implements [job].
func (*training) command() string { return "train" }

// about implements [job].
func (r *training) about() string {
	kind := "unconditional"
	if r.labelled() {
		kind = fmt.Sprintf("%d classes", r.labels.Count)
	}
	if r.held != nil {
		kind += fmt.Sprintf(", %d held out", r.held.Len())
	}
	h, w, c := r.data.Shape()
	what := "network"
	if r.fit != nil {
		what = "normalizing flow"
	}
	return fmt.Sprintf("%s (%d images of %dx%d, %s, %s), %s %s",
		r.options.Data, r.data.Len(), h, w, count(c, "channel", "channels"), kind, what, r.options.networkName())
}

// labelled reports whether the network takes the class of an image.
func (r *training) labelled() bool { return r.match != nil && r.match.labels }

// preparing implements [job]: a batch is drawn by the workers.
func (*training) preparing() (took, each time.Duration) { return 0, 0 }

// config implements [job].
func (r *training) config() runConfig {
	o := r.options
	o.Schedule = r.done.Schedule
	h, w, c := r.data.Shape()
	return runConfig{
		Options: &o,
		Data:    dataInfo{r.data.Name(), r.data.Len(), h, w, c, r.data.Classes(), heldLen(r.held), r.digest},
	}
}

// meta implements [job].
func (r *training) meta(m *Meta) {
	m.Data, m.HoldOut, m.Objective, m.Dequantized = r.options.Data, r.options.HoldOut, r.options.Objective, r.options.Dequantize
	if r.fit != nil {
		m.Path = ""
		return
	}
	m.TimeDist, m.Path = r.options.TimeDist, fmt.Sprint(r.match.predicts.Path)
	if r.labelled() {
		m.Classes = r.data.Classes()
	}
}
