package classify

import (
	"context"
	"runtime"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Options says what to train a classifier on, for how long and how. [DefaultClassifierOptions] has the
// settings of the classifier that is part of the program.
type Options struct {
	feed.DataOptions // of images with classes

	Out string // the safetensors file to write; needed

	// Budget: one of the two; none: 6 epochs.
	Steps  int
	Epochs float64

	Batch     int     // images of a step; 0: 64
	LR        float64 // peak learning rate, which falls to zero along half a cosine; 0: 0.003
	Warmup    int     // steps of linear warm-up, at most a tenth of the run
	Decay     float64 // AdamW's weight decay, times the learning rate
	EMA       float64 // decay of the averaged weights; 0: no averaging
	Smoothing float64 // share of each label that is spread over all classes; 0: none
	Warp      Warp    // how far images are moved; the zero value: not at all
	Flip      bool    // mirror every second image, left to right: not for digits

	Seed    uint64
	Threads int    // workers, which change no number; 0: GOMAXPROCS
	ISA     string // instruction set; empty: the best of this machine

	// OnEvent is called with the progress, from TrainClassifier's own goroutine; may be nil.
	OnEvent func(pipeline.Event)
}

// DefaultOptions returns the settings of the classifier of MNIST that is part of the program.
func DefaultOptions() Options {
	return Options{
		DataOptions: feed.DataOptions{ImageChannels: "auto", HoldOut: feed.DefaultHoldOut},
		Batch:       64, LR: 3e-3, Warmup: 200, Decay: 0.05, EMA: 0.999, Smoothing: 0.05,
		Warp: Warp{Shift: 2.5, Rotate: 12, Scale: 0.12, Shear: 0.15},
		Seed: 1,
	}
}

// defaultEpochs is the budget of a classifier that is given none.
const defaultEpochs = 6

func (o *Options) fillDefaults() {
	d := DefaultOptions()
	option.SetDefault(&o.Batch, d.Batch)
	option.SetDefault(&o.LR, d.LR)
	option.SetDefault(&o.ImageChannels, d.ImageChannels)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	if o.Steps == 0 && o.Epochs == 0 {
		o.Epochs = defaultEpochs
	}
	if o.Source != nil {
		option.SetDefault(&o.Data, o.Source.Name())
	}
}

func (o *Options) validate() error {
	for _, check := range []error{
		option.Optional("steps", o.Steps, 1, engine.MaxSteps),
		option.Optional("epochs", o.Epochs, 1e-6, 1e6),
		option.Between("batch", o.Batch, 1, pipeline.MaxBatch),
		option.Between("lr", o.LR, 1e-12, 1e3),
		option.Between("warmup", o.Warmup, 0, engine.MaxSteps),
		option.Between("weight-decay", o.Decay, 0, 1e3),
		option.Between("ema", o.EMA, 0, pipeline.Below1),
		option.Between("smoothing", o.Smoothing, 0, pipeline.Below1),
		option.Between("shift", o.Warp.Shift, 0, pipeline.MaxSize),
		option.Between("rotate", o.Warp.Rotate, 0, 180),
		option.Between("scale", o.Warp.Scale, 0, 0.9),
		option.Between("shear", o.Warp.Shear, 0, 10),
		o.DataOptions.Validate(),
		option.Between("threads", o.Threads, 1, pipeline.MaxThreads),
		pipeline.ValidateISA(o.ISA),
	} {
		if check != nil {
			return check
		}
	}
	switch {
	case o.Data == "":
		return option.Errorf("data", nil, "is needed: name a data set with classes, such as mnist")
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name the safetensors file to write")
	case o.Steps != 0 && o.Epochs != 0:
		return option.Errorf("steps", o.Steps, "one budget too many: give one of steps and epochs")
	}
	return nil
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
	return engine.Epochs(o.Epochs, n, o.Batch)
}

// recipe returns what a step does with a gradient.
func (o *Options) recipe() engine.Recipe {
	t := run.DefaultOptions()
	return engine.Recipe{
		Batch: o.Batch, MicroBatch: min(max(o.Batch/4, 1), 8),
		Beta1: t.Beta1, Beta2: t.Beta2, Eps: t.Eps, Decay: o.Decay, Clip: t.Clip, EMA: o.EMA,
	}
}
