package train

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Train trains a network, or goes on with a run, and leaves everything in a run folder. It checks
// the options before any work and before it writes anything. A mistake in them is a
// [*pipeline.OptionError].
//
// When ctx ends, Train abandons the step that it is in, saves, and returns a
// [*run.InterruptedError]. The run can be resumed, and its tensors will be the same, byte for byte,
// as if it had never stopped. When the loss is not finite, Train stops with an error, and the last
// checkpoint stays.
func Train(ctx context.Context, o Options) (run.Result, error) {
	if err := o.Agree(o.Validate()); err != nil {
		return run.Result{}, err
	}
	r, err := openTraining(ctx, o)
	if err != nil {
		return run.Result{}, err
	}
	defer r.Close()
	return r.Train(ctx)
}

// A training is a run that trains on images.
type training struct {
	run.Run
	options Options // resolved; Run.Settings points to a part of them
	lesson  lesson
	data    dataset.Source
	heldOut dataset.Source // for the validation loss; nil for none
	had     labelCount     // labels of the data; empty where the network takes no class
	digest  string         // digest of the data; "" when it has none

	contents []dataset.Content // the files of the data
	// pictures is the folder or archive that the data was read from; "" for data that is not
	// pictures.
	pictures string
	renamed  bool // the data of a resumed run is named anew
}

// A lesson is what a training learns: a U-Net by flow matching ([matchLesson]), or a normalizing
// flow by maximum likelihood ([fitLesson]).
type lesson interface {
	// resolve settles the network for the data at hand.
	resolve(r *training, isa kernels.ISA) error
	// layers returns the layers of the settled network.
	layers(o *Options) run.LayerShapes
	// build makes the network, the workers, their tasks and the engine. A resumed run reads its
	// weights later.
	build(r *training, isa kernels.ISA) error
	// labelled reports whether the network takes the class of an image.
	labelled() bool
	// about says what is learned, for a person.
	about(o *Options) lessonText
	// meta fills in what the checkpoint says of the network's output.
	meta(m *model.Meta, o *Options)
}

// A lessonText describes a lesson.
type lessonText struct {
	network  string // what is trained
	method   string // the method, in a word or two
	by       string // "by" and the method, within a sentence
	loss     string
	predicts string // empty for a normalizing flow
}

// lessonOf returns the lesson of an objective.
func lessonOf(objective model.Objective) lesson {
	if objective == model.FlowObjective {
		return &fitLesson{}
	}
	return &matchLesson{}
}

// openTraining opens or makes the run folder and everything that training needs.
func openTraining(ctx context.Context, o Options) (*training, error) {
	r := newTraining(o)
	var err error
	if o.Resume {
		err = r.reopen(ctx, o)
	} else {
		err = r.create(ctx)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// newTraining returns a run without a folder, data or workers.
func newTraining(o Options) *training {
	r := &training{options: o.WithDefaults()}
	r.Run = run.Run{Settings: &r.options.Options, Job: r, Saved: -1}
	return r
}

// create resolves the options of a new run and makes its folder.
func (r *training) create(ctx context.Context) error {
	isa, err := r.open(ctx)
	if err := r.Meet(err, r.dataDigest()); err != nil {
		return err
	}
	if err := r.SetOut(r.options.Data); err != nil {
		return err
	}
	r.Progress = run.Progress{Seed: r.Settings.Seed, Schedule: r.options.plan(r.data.Len())}
	return r.build(isa)
}

// open opens the data of a new run, and resolves its options.
func (r *training) open(ctx context.Context) (kernels.ISA, error) {
	isa, err := r.Settle()
	if err != nil {
		return isa, err
	}
	if err := r.openData(ctx); err != nil {
		return isa, err
	}
	r.lesson = lessonOf(r.options.Objective)
	if err := r.lesson.resolve(r, isa); err != nil {
		return isa, err
	}
	return isa, r.outsideData()
}

// build checks the memory that the run takes, and makes the network, the workers and the trainer.
func (r *training) build(isa kernels.ISA) error {
	err := r.CheckMemory(r.lesson.layers(&r.options))
	r.GuideShare = option.OrNone(r.options.KeepGuide)
	if err == nil {
		err = r.lesson.build(r, isa)
	}
	if err := r.MakeTrainer(err); err != nil {
		return err
	}
	if o := r.Settings; o.EarlyStop && (!r.Validated || o.ValidateEvery < 0) {
		return option.Errorf("early-stop", true,
			"no loss of held-out images is measured, which would say when: hold some out, or leave it out")
	}
	return nil
}

// reopen continues the run in a folder.
func (r *training) reopen(ctx context.Context, given Options) error {
	path, c, err := run.FindOn(r.Settings.Ranks, given.Out)
	if err != nil {
		return err
	}
	recorded, err := trainOptionsOf(&c)
	if err != nil {
		return err
	}
	if recorded.Objective == model.FlowObjective {
		if given.Arithmetic, err = given.InF32(flowComputes); err != nil {
			return err
		}
	}
	r.Finished, r.renamed = c.Finished, given.Data != ""
	if c.Data.Digest != "" { // the same files may be in another place
		option.Override(&recorded.Data, given.Data)
		if recorded.LabelsFile() && given.LabelsFile() {
			recorded.Labels = given.Labels
		}
	}
	sameClusters(&recorded, &given)
	if err := run.Conflict(path, run.FieldsOf(recorded), run.FieldsOf(given.WithDefaults()), given.Given); err != nil {
		return err
	}
	if err := r.Lock(path, given.Disk); err != nil {
		return err
	}
	given.Threads = r.Settings.Threads // with its default
	var newBudget bool
	if r.options, newBudget = resumed(&recorded, &given); r.options.Network == nil && r.options.Flow == nil {
		return fmt.Errorf("%s: it names no network: restore it from a copy, or train anew", r.Dir.File(run.ConfigFile))
	}
	if err := r.Settings.Agree(r.validateRecorded()); err != nil {
		return err
	}
	return r.restore(ctx, newBudget, c.Data)
}

// validateRecorded checks the options of a recorded run.
func (r *training) validateRecorded() error {
	if err := r.options.Validate(); err != nil {
		return r.Damaged(err)
	}
	return nil
}

// trainOptionsOf returns the options of a recorded run. Older runs did not record all of them: the
// zero values stand for what those runs did.
func trainOptionsOf(c *run.Config) (Options, error) {
	var o Options
	err := c.Decode(run.TrainCommand, &o)
	o = o.WithDefaults()
	o.Out = c.Dir
	return o, err
}

// recall opens the data of a run whose options are settled. had describes the data that the run had
// before.
func (r *training) recall(ctx context.Context, had run.DataInfo) (kernels.ISA, error) {
	isa, err := r.Settle()
	if err != nil {
		return isa, err
	}
	if err := r.reopenData(ctx, had); err != nil {
		return isa, err
	}
	if had.Images != r.data.Len() && r.options.Source == nil {
		// Older runs held out the last picture of a class too, and go on with what they had.
		r.options.SplitAny, r.Notes = true, nil
		if err := r.openData(ctx); err != nil {
			return isa, err
		}
	}
	if err := r.sameData(ctx, had); err != nil {
		return isa, err
	}
	r.lesson = lessonOf(r.options.Objective)
	return isa, r.lesson.resolve(r, isa)
}

// restore opens the data and reads the state of a run whose options are settled.
func (r *training) restore(ctx context.Context, newBudget bool, had run.DataInfo) error {
	if err := r.recallClusters(); err != nil {
		return err
	}
	isa, err := r.recall(ctx, had)
	if err := r.Meet(err, r.dataDigest()); err != nil {
		return err
	}
	if err := r.build(isa); err != nil {
		return err
	}
	if err := r.RestoreState(); err != nil {
		return err
	}
	if newBudget {
		r.NewBudget(r.options.plan(r.data.Len()).Total())
	}
	return nil
}

// newFeed makes the feed of images that the options ask for.
func (r *training) newFeed() *feed.Feed {
	f := feed.New(r.data, r.Settings.Seed, r.Settings.Batch, r.options.Flip)
	f.Dequantize, f.Shift = r.options.Dequantize, r.options.Shift
	return f
}

// Command implements [run.Job].
func (*training) Command() run.Command { return run.TrainCommand }

// About implements [run.Job].
func (r *training) About() string {
	kind := "unconditional"
	if r.lesson.labelled() {
		kind = text.Count(r.Labels.Count, "class", "classes")
	}
	if r.heldOut != nil {
		kind += fmt.Sprintf(", %d held out", r.heldOut.Len())
	}
	s := pipeline.ShapeOf(r.data)
	return fmt.Sprintf("%s (%s of %s, %s, %s), %s %s", r.options.Data, text.Count(r.data.Len(), "image", "images"),
		s.Sides(), text.Count(s.Channels, "channel", "channels"), kind,
		r.lesson.about(&r.options).network, r.options.networkName())
}

// LossPlot implements [run.Job].
func (r *training) LossPlot() picture.LossPlot {
	of := r.lesson.about(&r.options)
	return picture.LossPlot{Title: of.method + " on " + filepath.Base(r.options.Data), Loss: of.loss}
}

// PreparationTime implements [run.Job]: workers draw their part of a batch within the step.
func (*training) PreparationTime() (took, each time.Duration) { return 0, 0 }

// Config implements [run.Job].
func (r *training) Config() (options any, data run.DataInfo) {
	o := r.options
	o.Schedule = r.Progress.Schedule
	h, w, c := r.data.Shape()
	return &o, run.DataInfo{
		Name: r.data.Name(), Images: r.data.Len(), Height: h, Width: w, Channels: c,
		Classes: r.data.Classes(), Held: heldLen(r.heldOut), Digest: r.digest,
		Contents: r.contents,
	}
}

// Meta implements [run.Job].
func (r *training) Meta(m *model.Meta) {
	m.Data, m.HoldOut = r.options.Data, option.OrNone(r.options.HoldOut)
	m.Labels, m.Clusters = r.options.Labels, r.options.Clusters
	if r.options.Fit != dataset.Crop { // as files said nothing while crop was the only way
		m.Fit = r.options.Fit
	}
	m.Objective, m.Dequantized = r.options.Objective, r.options.Dequantize
	r.lesson.meta(m, &r.options)
	if r.lesson.labelled() {
		m.Classes, m.ClassCounts, m.Unlabelled = r.data.Classes(), r.had.classes, r.had.unlabelled
	}
}
