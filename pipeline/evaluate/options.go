package evaluate

import (
	"runtime"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which generated images to measure, and against which real ones. The zero value of
// each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint whose images are drawn; empty: the newest run under
	// runs/, else mnist, which is part of the program.
	Model string
	// Images come from anywhere instead of a model: a folder or .zip of pictures, a .npy file, IDX
	// files.
	Images string
	// Classes are those that Images were asked for in turn, such as 0-9; empty: the names of their
	// folders, if any.
	Classes string

	// Data names the real images; empty: what the model was trained on, mnist for Images.
	Data string
	// Fit says how pictures come to the proportions that the classifier takes; empty: what the
	// model was trained on, else crop.
	Fit dataset.Fit
	// Classifier is the file of the network whose features are compared; empty: that of MNIST,
	// which is part of the program.
	Classifier string
	// Count is the number of images to draw, or to take of Images; 0: 10000, and all of Images.
	Count int
	// NFE are numbers of evaluations, for the curve of FID against them. It costs as many more
	// drawings.
	NFE []int
	// Quick measures only FID and the classes, which takes seconds.
	Quick bool

	// Sample says how images are drawn. Its Count is that of the options, its Threads are those of
	// the whole evaluation.
	Sample sample.Options
	// Arithmetic is that of the model. Scores are computed in float32, so that they compare.
	pipeline.Arithmetic
	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// defaultEvaluated is the default of Count for a model.
const defaultEvaluated = 10000

// minEvaluated is the least number of images that a score means something for. Features have 64
// numbers.
const minEvaluated = 100

// WithDefaults fills in what has one default. The method is up to the network.
func (o Options) WithDefaults() Options {
	if o.Images == "" {
		option.SetDefault(&o.Count, defaultEvaluated)
	}
	o.Sample.Count = o.Count
	option.SetDefault(&o.Sample.Threads, runtime.GOMAXPROCS(0))
	return o
}

// validate reports the first option that cannot be used.
func (o *Options) validate() error {
	if o.Images != "" && o.Model != "" {
		return option.Errorf("images", o.Images,
			"images are drawn by a model or come from elsewhere: give one of the two")
	}
	if o.Images != "" && len(o.NFE) > 0 {
		return option.Errorf("evaluations", o.NFE, "a curve needs a model that draws: leave images out")
	}
	if o.Classes != "" && o.Images == "" {
		return option.Errorf("classes", o.Classes, "they go with images; a model is asked for classes by class")
	}
	if o.Count != 0 {
		if err := option.Between("count", o.Count, minEvaluated, sample.MaxCount); err != nil {
			return err
		}
	}
	if o.Fit != "" {
		if err := feed.ValidateFit(o.Fit); err != nil {
			return err
		}
	}
	if err := o.Sample.Validate(); err != nil {
		return err
	}
	return o.Arithmetic.Validate()
}
