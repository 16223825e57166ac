package classify

import (
	"context"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Options says what to train a classifier on, for how long and how. The zero value of each option
// is its default, by which the classifier of MNIST was trained that is part of the program.
type Options struct {
	feed.DataOptions // of images with classes
	// Flip mirrors every second image, left to right: not for digits.
	Flip bool
	// Warp bounds how far images are moved.
	Warp Warp

	// Kind is the shape of the network; empty: residual.
	Kind Kind
	// Out is the safetensors file to write; needed.
	Out string

	// Steps is a budget in batches; 0: none.
	Steps int
	// Epochs is a budget in passes over the data; 0: 6, without Steps.
	Epochs float64

	Recipe
	pipeline.Compute

	// OnEvent is called with the progress, from Train's own goroutine; may be nil.
	OnEvent func(pipeline.Event)
}

// A Recipe says what the numbers of training depend on beside the data. A value below 0 turns off
// what has a default.
type Recipe struct {
	// Batch is the number of images of a step; 0: 64.
	Batch int
	// LR is the peak learning rate, which falls to zero along half a cosine; 0: 0.003.
	LR float64
	// Warmup is the number of steps of linear warm-up, at most a tenth of the run; 0: 200; below 0:
	// none.
	Warmup int
	// WeightDecay is AdamW's, times the learning rate; 0: 0.05; below 0: none.
	WeightDecay float64
	// EMA is the decay of the averaged weights; 0: 0.999; below 0: no averaging.
	EMA float64
	// Smoothing is the share of each label that is spread over all classes; 0: 0.05; below 0: none.
	Smoothing float64
	// Seed is that of everything random. 0 is a seed like any other. The command takes 1 unless it
	// is told another.
	Seed uint64
}

// defaultEpochs is the budget of a classifier that is given none.
const defaultEpochs = 6

// WithDefaults fills in what has one default for all data.
func (o Options) WithDefaults() Options {
	o.DataOptions = o.DataOptions.WithDefaults()
	o.Recipe = o.Recipe.WithDefaults()
	o.Warp = o.Warp.WithDefaults()
	option.SetDefault(&o.Kind, Residual)
	o.Compute = o.Compute.WithDefaults()
	if o.Steps == 0 {
		option.SetDefault(&o.Epochs, defaultEpochs)
	}
	if o.Source != nil {
		option.SetDefault(&o.Data, o.Source.Name())
	}
	return o
}

// WithDefaults fills in everything.
func (r Recipe) WithDefaults() Recipe {
	option.SetDefault(&r.Batch, 64)
	option.SetDefault(&r.LR, 3e-3)
	option.SetDefault(&r.Warmup, 200)
	option.SetDefault(&r.WeightDecay, 0.05)
	option.SetDefault(&r.EMA, 0.999)
	option.SetDefault(&r.Smoothing, 0.05)
	return r
}

// validate reports the first option that cannot be used. The defaults are filled in.
func (o *Options) validate() error {
	if err := option.First(
		option.Optional("steps", o.Steps, 1, engine.MaxSteps),
		option.Optional("epochs", o.Epochs, 1e-6, 1e6),
		option.OneOf("kind", o.Kind, Kinds()...),
		o.Recipe.Validate(),
		o.Warp.Validate(),
		o.DataOptions.Validate(),
		o.Compute.Validate(),
	); err != nil {
		return err
	}
	switch {
	case o.Data == "":
		return option.Errorf("data", nil, "is needed: name a data set with classes, such as mnist")
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name the safetensors file to write")
	case o.Steps != 0 && o.Epochs != 0:
		return option.Errorf("steps", o.Steps, "one budget too many: give one of steps and epochs")
	}
	_, err := o.InF32("classifiers are trained")
	return err
}

// Validate reports the first option that cannot be used. The defaults are filled in.
func (r *Recipe) Validate() error {
	return option.First(
		option.Between("batch", r.Batch, 1, pipeline.MaxBatch),
		option.Between("lr", r.LR, 1e-12, 1e3),
		option.Between("warmup", option.OrNone(r.Warmup), 0, engine.MaxSteps),
		option.Between("weight-decay", option.OrNone(r.WeightDecay), 0, 1e3),
		option.Between("ema", option.OrNone(r.EMA), 0, pipeline.Below1),
		option.Between("smoothing", option.OrNone(r.Smoothing), 0, pipeline.Below1),
	)
}

// openSet opens the data.
func (o *Options) openSet(ctx context.Context) (*dataset.Set, error) {
	return o.DataOptions.Open(ctx, feed.Reader{Seed: o.Seed, Threads: o.Threads, OnEvent: o.OnEvent})
}

// plan returns the schedule for n images.
func (o *Options) plan(n int) engine.RateSchedule {
	if o.Steps > 0 {
		return engine.RateSchedule{{Step: 0, Total: o.Steps}}
	}
	return engine.EpochSchedule(o.Epochs, n, o.Batch)
}

// engine returns the recipe as numbers, with 0 for what is turned off. The rest is as in other
// runs.
func (r *Recipe) engine() engine.Recipe {
	usual := run.Recipe{Batch: r.Batch}.WithDefaults()
	return engine.Recipe{
		Batch: r.Batch, MicroBatch: usual.MicroBatch,
		Beta1: usual.Beta1, Beta2: usual.Beta2, Eps: usual.Eps, Clip: usual.Clip,
		Decay: option.OrNone(r.WeightDecay), EMA: option.OrNone(r.EMA),
	}
}
