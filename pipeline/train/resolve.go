package train

import (
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/unet"
)

// resolveNetwork settles the network, and what depends on it, for the data at hand and its labels.
// With Init it returns the loaded model, and else nil.
func (o *Options) resolveNetwork(data dataset.Source, had labelCount, isa kernels.ISA) (*unet.Model, error) {
	if o.Init != "" {
		return o.resolveInit(data, had, isa)
	}
	h, w, c := data.Shape()
	cfg, err := unet.Preset(o.Preset)
	if o.Network != nil {
		cfg, err = *o.Network, nil
	} else {
		cfg.ImageSize, cfg.InChannels = [2]int{h, w}, c
	}
	o.adjust(&cfg)
	if err != nil {
		return nil, option.Of("preset", err)
	}
	if err := o.checkDivisions(cfg); err != nil {
		return nil, err
	}
	if err := o.resolveLabels(&cfg, had); err != nil {
		return nil, err
	}
	return nil, o.useNetwork(cfg, data)
}

// useNetwork checks that a network is valid and fits the data, and sets the option Network.
func (o *Options) useNetwork(cfg unet.Config, data dataset.Source) error {
	s := pipeline.ShapeOf(data)
	if err := cfg.Validate(); err != nil {
		why := err.Error()
		// In the order of the option size.
		if takes := shapeOf(cfg).Size(); !divides(cfg.Factor(), takes) {
			why = fmt.Sprintf("it %s, which takes multiples of %d", halvings(cfg, "images of "+takes.Sides()), cfg.Factor())
		}
		wrong := option.Faultf("no %s network can be trained on %s (%s, %s): %s",
			o.Preset, o.Data, s.Sides(), text.Count(s.Channels, "channel", "channels"), why)
		wrong.Cure = sizeCure(s.Size(), cfg.Factor())
		return wrong
	}
	if takes := shapeOf(cfg); takes != s {
		wrong := option.Faultf("the network takes images of %s with %s, those of %s have %s with %d",
			takes.Sides(), text.Count(takes.Channels, "channel", "channels"), o.Data, s.Sides(), s.Channels)
		wrong.Cure = shapeCure(cfg)
		return wrong
	}
	o.Network = &cfg
	return nil
}

// networkName says which network is trained.
func (o *Options) networkName() string {
	if o.Init != "" {
		return "that of " + o.Init + ","
	}
	return o.Preset + ","
}

// newModel makes the resolved network with random weights.
func (o *Options) newModel(isa kernels.ISA) (*unet.Model, error) {
	var pcg rand.PCG
	pipeline.Seed(&pcg, o.Seed, pipeline.StreamInit, 0, 0)
	return unet.New(*o.Network, isa, rand.New(&pcg))
}

// plan returns the schedule of a new run over n images, empty for a budget in time.
func (o *Options) plan(n int) engine.RateSchedule {
	if s := o.Options.Plan(); s != nil || o.Epochs == 0 {
		return s
	}
	return engine.EpochSchedule(o.Epochs, n, o.Batch)
}

// resumed returns the options of a recorded run, with the given values of those that may change:
// the budget of the whole run, and options that change no number.
func resumed(recorded, given *Options) (o Options, newBudget bool) {
	o = *recorded
	newBudget = o.Options.TakeOver(&given.Options, given.Epochs > 0 && given.Epochs != o.Epochs)
	if newBudget {
		o.Epochs = given.Epochs
	}
	o.Source, o.Validation, o.DataMemory = given.Source, given.Validation, given.DataMemory
	return o, newBudget
}
