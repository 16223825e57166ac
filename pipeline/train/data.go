package train

import (
	"context"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// OpenData opens the data set of the options as a training run would see it. Only the options about
// data, Preset, Seed, Threads and OnEvent count.
func OpenData(ctx context.Context, o Options) (*dataset.Set, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	return o.DataOptions.Open(ctx, o.Reader())
}

// openData opens the data of a run, and settles the options that depend on the data.
func (o *Options) openData(ctx context.Context) (*dataset.Set, error) {
	if o.Source != nil {
		option.SetDefault(&o.Data, o.Source.Name())
		return o.DataOptions.Open(ctx, o.Reader())
	}
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	set, err := o.DataOptions.Open(ctx, o.Reader())
	if err != nil {
		return nil, err
	}
	h, _, c := set.Train.Shape()
	if o.ImageChannels = feed.RGB; c == 1 {
		o.ImageChannels = feed.Gray
	}
	if set.Sizes != nil {
		o.Size = h
	}
	return set, nil
}

// checkSize refuses, before any image is read, a size that the network cannot halve. The size that
// a checkpoint takes is not known yet.
func (o *Options) checkSize() error {
	if o.Objective == model.FlowObjective {
		return nil // a normalizing flow has as few scales as a size takes
	}
	cfg, err := unet.Preset(o.Preset)
	if o.Network != nil {
		cfg, err = *o.Network, nil
	}
	if err != nil {
		return option.Of("preset", err)
	}
	if o.Size == 0 || o.Init != "" || o.Size%cfg.Factor() == 0 {
		return nil
	}
	wrong := option.Errorf("size", o.Size, "the network %s halves images %d times, which takes multiples of %d",
		o.Preset, len(cfg.ChannelMult)-1, cfg.Factor())
	wrong.Cure = sizeCure(o.Size, cfg.Factor())
	return wrong
}

// sizeCure names the nearest sides that a network can halve. It is empty for a side that the
// network can halve.
func sizeCure(side, factor int) option.Message {
	below := side / factor * factor
	smaller := option.Setting{Option: "size", Value: below}
	larger := option.Setting{Option: "size", Value: below + factor}
	switch below {
	case side:
		return option.Message{}
	case 0:
		return option.Say("choose %v", larger)
	}
	return option.Say("choose %v or %v", smaller, larger)
}

// shapeCure says how to bring data into the shape that a network takes; empty where no option does.
func shapeCure(cfg unet.Config) option.Message {
	channels := feed.ChannelsOf(cfg.InChannels)
	if channels == "" || cfg.ImageSize[0] != cfg.ImageSize[1] {
		return option.Message{}
	}
	return option.Say("choose %v %v", option.Setting{Option: "size", Value: cfg.ImageSize[0]},
		option.Setting{Option: "image-channels", Value: channels})
}
