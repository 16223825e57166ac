package train

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// OpenData opens the data set of the options as a training run would see it. Only the options about
// data, Preset, Seed, Threads and OnEvent count.
func OpenData(ctx context.Context, o Options) (*dataset.Set, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.fillDefaults()
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	return o.DataOptions.Open(ctx, o.Reader())
}

// openData opens the data of a run, and settles what the options leave to it.
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
	if o.ImageChannels = "rgb"; c == 1 {
		o.ImageChannels = "gray"
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
		return &pipeline.OptionError{Option: "preset", Reason: pipeline.TrimOption(err, "unknown preset ")}
	}
	if o.Size == 0 || o.Init != "" || o.Size%cfg.Factor() == 0 {
		return nil
	}
	return option.Errorf("size", "%d: the network %s halves images %d times, which takes multiples of %d%s",
		o.Size, o.Preset, len(cfg.ChannelMult)-1, cfg.Factor(), sizeCure(o.Size, cfg.Factor()))
}

// sizeCure names the nearest sizes that a network can halve, or returns "" when it can halve this
// one.
func sizeCure(side, factor int) string {
	below := side / factor * factor
	switch below {
	case side:
		return ""
	case 0:
		return fmt.Sprintf(": choose --size %d", factor)
	}
	return fmt.Sprintf(": choose --size %d or --size %d", below, below+factor)
}

// shapeCure says how to bring data into the shape that a network takes.
func shapeCure(cfg unet.Config) string {
	channels, known := map[int]string{1: "gray", 3: "rgb"}[cfg.InChannels]
	if !known || cfg.ImageSize[0] != cfg.ImageSize[1] {
		return ""
	}
	return fmt.Sprintf(": choose --size %d --image-channels %s", cfg.ImageSize[0], channels)
}
