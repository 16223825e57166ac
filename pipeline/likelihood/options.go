package likelihood

import (
	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say of which images to measure the likelihood, under which model and how. The zero value
// of each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Data names the images, those that training does not see; empty: what the model was trained
	// on.
	Data string
	// Against names other images, to see whether likelihood tells them from those of Data; empty:
	// none.
	Against string
	// Count is the number of images of each; 0: 100.
	Count int

	// Class says which density of a model with classes is measured; empty: label where all images
	// have classes of the model and nothing is compared, else none, else all.
	Class Class
	// Samples is the number of draws of the dequantisation noise, whose mean density is the
	// importance-weighted bound; 0: 1.
	Samples int

	model.DensityMethod
	// Seed is that of the dequantisation and the probes. The images are the same for every seed.
	// The command takes 1 unless it is told another.
	Seed uint64
	pipeline.Compute

	// Ranks are the processes that measure together; nil: this one alone. All of them
	// call the same functions with the same options, and have the same report.
	Ranks cluster.Comm

	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// A Class says which density of a model with classes is measured.
type Class string

// The densities: log p(x|y) of each image's class; that of no class; and log p(x), the mean of
// p(x|y) over all classes, as frequent as in the training data.
const (
	LabelClass Class = "label"
	NoClass    Class = model.NoClass
	AllClasses Class = "all"
)

// The defaults of likelihoods, and their limits.
const (
	defaultScored = 100
	maxSpreads    = 1 << 16
)

// WithDefaults fills in what has one default for all models. The method is up to the network.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, defaultScored)
	option.SetDefault(&o.Samples, 1)
	o.Compute = o.Compute.WithDefaults()
	if o.Ranks == nil {
		o.Ranks = cluster.Alone()
	}
	if o.Ranks.Rank() > 0 {
		o.OnEvent = nil
	}
	return o
}

// validate reports the first option that cannot be used with any model. It settles the precision.
func (o *Options) validate() error {
	if err := option.First(
		option.Between("count", o.Count, 1, sample.MaxCount), o.validateMethod(), o.Compute.Validate(),
	); err != nil {
		return err
	}
	var err error
	o.Arithmetic, err = o.InF32("likelihoods are computed")
	return err
}

// validateMethod reports the first option of how a likelihood is found that no model can use.
func (o *Options) validateMethod() error {
	if err := option.First(
		option.Between("samples", o.Samples, 1, maxSpreads), o.DensityMethod.Validate(),
	); err != nil {
		return err
	}
	if o.Class == "" {
		return nil
	}
	return option.OneOf("class", o.Class, LabelClass, NoClass, AllClasses)
}
