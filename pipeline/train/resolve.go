package train

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/unet"
)

// resolveNetwork settles the network, and what depends on it, for the data at hand. With Init it
// returns the loaded model, and else nil.
func (o *Options) resolveNetwork(data dataset.Source, isa kernels.ISA) (*unet.Model, error) {
	if o.Init != "" {
		return o.resolveInit(data, isa)
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
	if err := o.resolveLabels(&cfg, data); err != nil {
		return nil, err
	}
	return nil, o.useNetwork(cfg, data)
}

// resolveLabels settles whether the network takes classes, and gives it their number.
func (o *Options) resolveLabels(cfg *unet.Config, data dataset.Source) error {
	classes := len(data.Classes())
	switch {
	case o.Conditional != ConditionalNo && classes > 0 && o.LabelDrop < 0 && feed.HasUnlabelled(data):
		return option.Errorf("label-drop", 0,
			"some images of %s have no class, which stands for that: give a share above 0, or conditional no", o.Data)
	case o.Conditional == ConditionalYes && classes == 0:
		return option.Errorf("conditional", "yes", "the images of %s have no labels: use auto or no", o.Data)
	case o.Conditional == ConditionalNo || classes == 0:
		o.Conditional, o.LabelDrop = ConditionalNo, option.None
		cfg.NumClasses, cfg.NullClass = 0, false
		return nil
	}
	o.Conditional = ConditionalYes
	cfg.NumClasses, cfg.NullClass = classes, o.LabelDrop > 0
	if cfg.NullClass {
		cfg.NumClasses++
	}
	return nil
}

// useNetwork checks that a network is valid and fits the data, and sets the option Network.
func (o *Options) useNetwork(cfg unet.Config, data dataset.Source) error {
	h, w, c := data.Shape()
	if err := cfg.Validate(); err != nil {
		wrong := option.Faultf("no %s network can be trained on %s (%dx%d, %s): %v",
			o.Preset, o.Data, h, w, text.Count(c, "channel", "channels"), err)
		wrong.Cure = sizeCure(h, cfg.Factor())
		return wrong
	}
	if cfg.ImageSize != [2]int{h, w} || cfg.InChannels != c {
		wrong := option.Faultf("the network takes images of %dx%d with %s, those of %s have %dx%d with %d",
			cfg.ImageSize[0], cfg.ImageSize[1], text.Count(cfg.InChannels, "channel", "channels"), o.Data, h, w, c)
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
