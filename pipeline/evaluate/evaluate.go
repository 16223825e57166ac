package evaluate

import (
	"context"
	"fmt"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// An evaluator is an evaluation under way.
type evaluator struct {
	opt        Options
	askedCount int // of the options, before defaults
	out        *Report
	isa        kernels.ISA
	crew       *crew.Crew
	own        []*judge.Classifier // from files
	shape      pipeline.Shape      // in which images are compared
	judges     []judge.Judge       // the panel; the first one has the report's own scores
	kept       judge.Judge         // for final figures; nil unless it was asked for
	classifier *judge.Classifier   // the first judge, nil if it knows no classes
	ck         *model.Checkpoint   // nil for images from elsewhere
	given      dataset.Source      // images from elsewhere; nil for a model
	recorded   bool                // the data is what the model's training recorded
	set        *dataset.Set        // the real images
	references dataset.Source      // those of them that images are compared with
	floorOf    dataset.Source      // those of them that are the floor
	taught     dataset.Source      // those that a judge learns from
	noted      bool                // a sampler said what it assumed of classes
	toDraw     int                 // drawings to come
	agreed     bool                // an error of this rank is known to the others

	drawn, floor      *byteImages              // the generated images, and real training images
	found, foundFloor *classify.Classification // what the first judge sees in them
	real              *classify.Classification // of the test images
	reference         metrics.Gaussian         // of the features of test images
}

// Evaluate measures generated images. It draws them by a model or reads them, lets judges find
// their features, and compares these with the features of real test images. Pixels are rounded to
// bytes first, as in a PNG. A mistake in the options is an [*pipeline.OptionError].
//
// Where o.Sample.Ranks are several, they draw together. Rank 0 does all else and has the report; it
// is nil on the others.
func Evaluate(ctx context.Context, o Options) (*Report, error) {
	asked := o.Count
	o = o.WithDefaults()
	if err := cluster.Agree(o.Sample.Ranks, o.validate()); err != nil {
		return nil, err
	}
	begin := time.Now()
	e := &evaluator{opt: o, askedCount: asked, out: &Report{Seed: o.Sample.Seed}, crew: crew.New(o.Sample.Threads)}
	defer e.crew.Close()
	if err := e.meet(e.open(ctx)); err != nil {
		return nil, err
	}
	if o.Sample.Ranks.Rank() > 0 {
		return nil, e.assist(ctx)
	}
	for _, part := range []func(context.Context) error{
		e.readReal, e.scoreFloor, e.scoreGenerated, e.hearJudges, e.findCopies, e.drawCurve,
	} {
		if err := part(ctx); err != nil {
			return nil, e.release(err)
		}
	}
	e.out.Seconds = time.Since(begin).Seconds()
	return e.out, nil
}

// meet brings the ranks together. err is what went wrong on this rank until now.
func (e *evaluator) meet(err error) error {
	ranks := e.opt.Sample.Ranks
	if err := cluster.Agree(ranks, err); err != nil || e.ck == nil {
		return err
	}
	return sample.CompareRanks(ranks, e.ck, e.opt.Sample.Guide, e.opt.Arithmetic)
}

// assist draws with rank 0 what that evaluates.
func (e *evaluator) assist(ctx context.Context) error {
	if e.ck == nil {
		return nil // the images are drawn already
	}
	drawings := []int{e.opt.Sample.Steps}
	for _, n := range e.opt.NFE {
		steps, err := e.stepsFor(n)
		if err != nil {
			return err
		}
		drawings = append(drawings, steps)
	}
	for _, steps := range drawings {
		if _, _, err := e.draw(ctx, steps); err != nil {
			return err
		}
	}
	return nil
}

// release tells ranks that assist of an error of rank 0, unless they know it.
func (e *evaluator) release(err error) error {
	if !e.agreed && e.toDraw > 0 {
		return cluster.Agree(e.opt.Sample.Ranks, err)
	}
	return err
}

// open opens the model or the images, the data and the judges.
func (e *evaluator) open(ctx context.Context) error {
	var err error
	if e.isa, err = pipeline.ParseISA(e.opt.ISA); err != nil {
		return err
	}
	if e.opt.Images == "" {
		if e.ck, err = model.Open(e.opt.Model, e.opt.Arithmetic); err != nil {
			return err
		}
		e.out.Model, e.out.Hash, e.out.DrawnIn = e.ck.Path, e.ck.Hash, e.ck.Precision()
		if s := &e.opt.Sample; s.Guide == nil || e.opt.Guide != "" {
			if s.Guide, err = e.ck.OpenUsualGuide(e.opt.Guide, s.Method, e.opt.Arithmetic); err != nil {
				return err
			}
		}
		e.recorded = e.opt.Data == ""
		option.SetDefault(&e.opt.Data, e.ck.Meta.Data)
		if err := e.checkCurve(); err != nil {
			return err
		}
	}
	option.SetDefault(&e.opt.Data, "mnist")
	e.out.Data = e.opt.Data
	for _, part := range []func() error{
		e.openClassifiers,
		func() error { return e.settleShape(ctx) },
		func() error { return e.openImages(ctx) },
		func() error { return e.chooseJudges(ctx) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	if e.ck != nil {
		e.toDraw = 1 + len(e.opt.NFE)
	}
	e.emit(pipeline.Event{Kind: pipeline.Started, Path: e.out.Model, Total: e.opt.Count, Text: e.describe()})
	return nil
}

// checkCurve returns an error unless the model can draw with each number of evaluations of the
// curve.
func (e *evaluator) checkCurve() error {
	for _, n := range e.opt.NFE {
		if _, err := e.stepsFor(n); err != nil {
			return err
		}
	}
	return nil
}

// stepsFor returns the number of steps in which networks are evaluated the given number of times.
func (e *evaluator) stepsFor(evaluations int) (int, error) {
	return e.ck.StepsFor(e.ck.Path, evaluations, e.opt.Sample.Method)
}

// openImages opens the real images, and the images from elsewhere, in the shape in which they are
// compared.
func (e *evaluator) openImages(ctx context.Context) error {
	var err error
	if e.set == nil {
		if e.set, err = e.openShaped(ctx, e.opt.Data, "data"); err != nil {
			return err
		}
	}
	if err := e.settleReferences(); err != nil {
		return err
	}
	if e.opt.Images == "" {
		e.settleCount()
		return e.checkMemory()
	}
	given, err := e.openShaped(ctx, e.opt.Images, "images")
	if err != nil {
		return err
	}
	e.given = given.Train
	e.out.Images = e.opt.Images
	switch n := e.given.Len(); {
	case n < minEvaluated:
		return option.Errorf("images", e.opt.Images,
			"it holds %s, and %d are the least that a score says something of",
			text.Count(n, "image", "images"), minEvaluated)
	case e.opt.Count > n:
		return option.Errorf("count", e.opt.Count, "%s holds %s", e.opt.Images, text.Count(n, "image", "images"))
	case e.opt.Count == 0:
		e.opt.Count = n
	}
	return e.checkMemory()
}

// checkMemory bounds the memory of the images as floats.
func (e *evaluator) checkMemory() error {
	if most := sample.MaxElements / e.shape.Len(); e.opt.Count > most {
		return option.Errorf("count", nil, "%d images of %s are too many to compare at once: at most %d",
			e.opt.Count, e.shape.Sides(), most)
	}
	return nil
}

// settleReferences takes the test images as references, and the training images for the floor. It
// returns an error unless there are enough of them. It sends a note if training may have seen the
// references.
func (e *evaluator) settleReferences() error {
	e.references, e.floorOf, e.taught = e.set.Test, e.set.Train, e.set.Train
	if n := e.testImages(); n < minEvaluated {
		if e.needsNoLabels() {
			return e.halve(n)
		}
		return option.Errorf("data", e.opt.Data,
			"it has %s that training does not see, and %d are the least to compare with: take a larger set",
			text.Count(n, "image", "images"), minEvaluated)
	}
	if e.needsNoLabels() {
		e.divide()
	}
	if e.ck != nil && !e.knowsHeldOut() {
		e.emit(pipeline.Event{Kind: pipeline.Noted, Text: "nobody knows whether the model was trained on " +
			"the images that it is compared with: the data has no test images of its own"})
	}
	return nil
}

// openShaped opens a data set in the shape in which images are compared. role is the option that
// names it.
func (e *evaluator) openShaped(ctx context.Context, name, role string) (*dataset.Set, error) {
	r := e.request(name, role)
	r.Shape = e.shape
	return r.Open(ctx)
}

// openAsItIs opens the data in a shape of its own, or in that of the options.
func (e *evaluator) openAsItIs(ctx context.Context) (*dataset.Set, error) {
	r := e.request(e.opt.Data, "data")
	r.Size, r.ImageChannels = e.opt.Size, e.opt.ImageChannels
	set, err := r.DataOptions.Open(ctx, r.Reader)
	if err != nil {
		return nil, err
	}
	for _, note := range feed.Notes(e.opt.Data, set) {
		e.emit(note)
	}
	return set, nil
}

// request asks for a data set. For the role images, the images are generated, and none is held
// out.
func (e *evaluator) request(name, role string) feed.Request {
	r := feed.Request{
		Option: role, Taker: "the comparison",
		Reader: feed.Reader{Seed: 1, Threads: e.opt.Sample.Threads, OnEvent: e.opt.OnEvent},
	}
	if len(e.own) > 0 {
		r.Taker = "the classifier"
	}
	r.Data, r.Fit, r.Recorded = name, e.opt.Fit, e.recorded && role == "data"
	if e.ck != nil {
		option.SetDefault(&r.Fit, e.ck.Meta.Fit)
		if name == e.ck.Meta.Data {
			e.ck.Meta.LabelData(&r.DataOptions)
		}
	}
	if role == "images" {
		r.HoldOut = option.None
	} else if e.ck != nil {
		if share, seed, ok := e.ck.Meta.HeldOut(name); ok { // the same images as training held out
			r.HoldOut, r.Seed = share, seed
		}
	}
	return r
}

// describe says what is evaluated.
func (e *evaluator) describe() string {
	what := e.out.Images
	if e.ck != nil {
		what = sample.DescribeCheckpoint(e.ck)
	}
	return fmt.Sprintf("%s: %s against %s", what, text.Count(e.opt.Count, "image", "images"), e.references.Name())
}

// emit sends an event.
func (e *evaluator) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}
