package evaluate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// An evaluator is an evaluation under way.
type evaluator struct {
	opt        Options
	out        *Report
	isa        kernels.ISA
	crew       *crew.Crew
	classifier *classify.Network
	ck         *model.Checkpoint // nil for images from elsewhere
	given      dataset.Source    // images from elsewhere; nil for a model
	recorded   bool              // the data is what the model's training recorded
	set        *dataset.Set      // the real images
	noted      bool              // a sampler said what it assumed of classes

	real      *classify.Classification // of the test images
	reference metrics.Gaussian         // of the features of test images
}

// Evaluate measures generated images. It draws them by a model or reads them, finds their features
// by a classifier, and compares these with the features of real test images. Pixels are rounded to
// bytes first, as in a PNG. A mistake in the options is an [*pipeline.OptionError].
func Evaluate(ctx context.Context, o Options) (*Report, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	begin := time.Now()
	e := &evaluator{opt: o, out: &Report{Seed: o.Sample.Seed}}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	defer e.crew.Close()
	for _, part := range []func(context.Context) error{e.readReal, e.scoreFloor, e.scoreGenerated, e.drawCurve} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	e.out.Seconds = time.Since(begin).Seconds()
	return e.out, nil
}

// open opens the model or the images, the classifier and the data, and starts the workers.
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
		e.recorded = e.opt.Data == ""
		option.SetDefault(&e.opt.Data, e.ck.Meta.Data)
		if err := e.checkCurve(); err != nil {
			return err
		}
	}
	option.SetDefault(&e.opt.Data, "mnist")
	e.out.Data = e.opt.Data
	if err := e.openClassifier(); err != nil {
		return err
	}
	if err := e.openImages(ctx); err != nil {
		return err
	}
	e.crew = crew.New(e.opt.Sample.Threads)
	e.emit(pipeline.Event{Kind: pipeline.Started, Total: e.opt.Count, Text: e.describe()})
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

// stepsFor returns the number of steps in which the model evaluates its velocity the given number
// of times.
func (e *evaluator) stepsFor(evaluations int) (int, error) {
	return e.ck.StepsFor(e.ck.Path, evaluations, e.opt.Sample.Method)
}

// trainClassifier is the action that makes a classifier.
var trainClassifier = option.Action{Command: "classifier"}

// openClassifier reads the classifier.
func (e *evaluator) openClassifier() error {
	var err error
	if e.opt.Classifier == "" {
		e.classifier, err = classify.EmbeddedMNIST(e.isa)
		return err
	}
	file, err := regular.Open(e.opt.Classifier)
	if errors.Is(err, regular.ErrURL) {
		return option.Errorf("classifier", e.opt.Classifier, "%v", regular.Reason(err))
	}
	if err != nil {
		return option.Faultf("classifier: %v", err).Cured("name its file, or train one by %v", trainClassifier)
	}
	defer file.Close()
	if e.classifier, err = classify.Read(file, e.isa); err != nil {
		return fmt.Errorf("classifier %s: %w", e.opt.Classifier, err)
	}
	return nil
}

// openImages opens the real images, and the images from elsewhere, in the shape that the classifier
// takes.
func (e *evaluator) openImages(ctx context.Context) error {
	h, w, c := e.classifier.Shape()
	if e.ck != nil {
		if s, takes := e.ck.Shape(), (pipeline.Shape{Height: h, Width: w, Channels: c}); s != takes {
			return option.Errorf("classifier", nil,
				"takes images of %s with %s, and the model draws %s with %d: train one for them by %v",
				takes.Sides(), text.Count(c, "channel", "channels"), s.Sides(), s.Channels, trainClassifier)
		}
	}
	var err error
	if e.set, err = e.openShaped(ctx, e.opt.Data, "data"); err != nil {
		return err
	}
	if err := e.checkTest(); err != nil {
		return err
	}
	if e.opt.Images == "" {
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
	h, w, c := e.classifier.Shape()
	if e.opt.Count > sample.MaxElements/(h*w*c) {
		return option.Errorf("count", nil,
			"%d images of %dx%d are too many to compare at once: at most %d",
			e.opt.Count, w, h, sample.MaxElements/(h*w*c))
	}
	return nil
}

// checkTest returns an error unless there are enough test images. It sends a note if training may
// have seen them.
func (e *evaluator) checkTest() error {
	if e.set.Test == nil || e.set.Test.Len() < minEvaluated {
		n := 0
		if e.set.Test != nil {
			n = e.set.Test.Len()
		}
		return option.Errorf("data", e.opt.Data,
			"it has %s that training does not see, and %d are the least to compare with: take a larger set",
			text.Count(n, "image", "images"), minEvaluated)
	}
	if e.ck != nil && !e.set.OwnTest && (e.ck.Meta.HoldOut == 0 || e.ck.Meta.Data != e.opt.Data) {
		e.emit(pipeline.Event{Kind: pipeline.Noted, Text: "nobody knows whether the model was trained on " +
			"the images that it is compared with: the data has no test images of its own"})
	}
	return nil
}

// openShaped opens a data set in the shape that the classifier takes. role is the option that names
// it. For the role images, the images are generated, and none is held out.
func (e *evaluator) openShaped(ctx context.Context, name, role string) (*dataset.Set, error) {
	r := feed.Request{
		Option: role, Taker: "the classifier",
		Reader: feed.Reader{Seed: 1, Threads: e.opt.Sample.Threads, OnEvent: e.opt.OnEvent},
	}
	r.Data, r.Fit, r.Recorded = name, e.opt.Fit, e.recorded && role == "data"
	if e.ck != nil {
		option.SetDefault(&r.Fit, e.ck.Meta.Fit)
		if name == e.ck.Meta.Data {
			r.Labels = e.ck.Meta.Labels
		}
	}
	if role == "images" {
		r.HoldOut = option.None
	} else if e.ck != nil {
		if share, seed, ok := e.ck.Meta.HeldOut(name); ok { // the same images as training held out
			r.HoldOut, r.Seed = share, seed
		}
	}
	r.Shape.Height, r.Shape.Width, r.Shape.Channels = e.classifier.Shape()
	return r.Open(ctx)
}

// describe says what is evaluated.
func (e *evaluator) describe() string {
	what := e.out.Images
	if e.ck != nil {
		what = sample.DescribeCheckpoint(e.ck)
	}
	return fmt.Sprintf("%s: %s against %s", what, text.Count(e.opt.Count, "image", "images"), e.set.Test.Name())
}

// emit sends an event.
func (e *evaluator) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}
