package train

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
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
	set, err := o.DataOptions.Open(ctx, o.Reader())
	if err != nil {
		return nil, err
	}
	return set, o.label(ctx, set)
}

// openData opens the data of a run, and settles the options that depend on the data.
func (o *Options) openData(ctx context.Context) (*dataset.Set, error) {
	if o.Source != nil {
		option.SetDefault(&o.Data, o.Source.Name())
		set, err := o.DataOptions.Open(ctx, o.Reader())
		if err == nil {
			o.settleClusters(set)
			o.suitFew(set)
			o.suitGuide(set)
			err = o.checkShift(pipeline.ShapeOf(set.Train))
		}
		return set, err
	}
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	set, err := o.DataOptions.Open(ctx, o.Reader())
	if err != nil {
		return nil, err
	}
	s := pipeline.ShapeOf(set.Train)
	option.Override(&o.ImageChannels, feed.ChannelsOf(s.Channels))
	if set.Sizes != nil {
		o.Size = s.Size()
	}
	if err := o.label(ctx, set); err != nil {
		return nil, err
	}
	o.settleClusters(set)
	o.suitFew(set)
	o.suitGuide(set)
	return set, o.checkShift(s)
}

// suitGuide settles whether a new run keeps a guide, where the caller leaves it to the data.
func (o *Options) suitGuide(set *dataset.Set) {
	if o.Resume || o.KeepGuide != 0 {
		return
	}
	o.KeepGuide = o.usualKeepGuide(len(set.Train.Classes()) > 0)
	if o.KeepGuide == 0 {
		o.KeepGuide = option.None
	}
}

// usualKeepGuide returns the share of the steps after which a run keeps a guide unless it is told
// another, 0 for none. classes says whether the data has some. The gain was measured for such
// networks as it keeps one of.
func (o *Options) usualKeepGuide(classes bool) float64 {
	conditional := classes && o.Conditional != ConditionalNo && option.OrNone(o.LabelDrop) > 0
	if o.Init != "" || o.Objective == model.FlowObjective || !conditional {
		return 0
	}
	return model.SuggestedGuideShare
}

// checkShift refuses to shift images by more than half of their shorter side.
func (o *Options) checkShift(s pipeline.Shape) error {
	if most := min(s.Height, s.Width) / 2; o.Shift > most {
		return option.Errorf("shift", o.Shift, "images of %s are shifted by at most %d", s.Sides(), most)
	}
	return nil
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
	if o.Size == (pipeline.Size{}) || o.Init != "" || divides(cfg.Factor(), o.Size) {
		return nil
	}
	wrong := option.Errorf("size", o.Size, "the network %s %s, which takes multiples of %d",
		o.Preset, halvings(cfg, "images"), cfg.Factor())
	wrong.Cure = sizeCure(o.Size, cfg.Factor())
	return wrong
}

// usualTimes returns the distribution of t unless the options say otherwise. docs/quality.md
// measures its gain for velocities. It has an end that a run should reach.
func (o *Options) usualTimes() string {
	if o.Objective != model.VelocityObjective || o.EarlyStop {
		return flow.Uniform{}.String()
	}
	return flow.Curriculum{Until: 0.5}.String()
}

// halvings says what a network does with the sides of images.
func halvings(cfg unet.Config, images string) string {
	times := text.Count(len(cfg.ChannelMult)-1, "time", "times")
	if p := cfg.PatchSize; p > 1 {
		return fmt.Sprintf("takes %s as patches of %dx%d and halves these %s", images, p, p, times)
	}
	return fmt.Sprintf("halves %s %s", images, times)
}

// divides reports whether both sides are multiples of a factor.
func divides(factor int, s pipeline.Size) bool { return s.Width%factor == 0 && s.Height%factor == 0 }

// sizeCure names the nearest sizes, below and above, that a network can halve. It is empty for a
// size that the network can halve.
func sizeCure(s pipeline.Size, factor int) option.Message {
	if divides(factor, s) {
		return option.Message{}
	}
	below := func(side int) int { return max(side/factor, 1) * factor }
	above := func(side int) int { return (side + factor - 1) / factor * factor }
	smaller := option.Setting{Option: "size", Value: pipeline.Size{Width: below(s.Width), Height: below(s.Height)}}
	larger := option.Setting{Option: "size", Value: pipeline.Size{Width: above(s.Width), Height: above(s.Height)}}
	if smaller == larger {
		return option.Say("choose %v", larger)
	}
	return option.Say("choose %v or %v", smaller, larger)
}

// shapeCure says how to bring data into the shape that a network takes; empty where no option does.
func shapeCure(cfg unet.Config) option.Message {
	channels := feed.ChannelsOf(cfg.InChannels)
	if channels == "" {
		return option.Message{}
	}
	return option.Say("choose %v %v", option.Setting{Option: "size", Value: shapeOf(cfg).Size()},
		option.Setting{Option: "image-channels", Value: channels})
}

// shapeOf returns the shape of the images that a network takes.
func shapeOf(cfg unet.Config) pipeline.Shape {
	return pipeline.Shape{Height: cfg.ImageSize[0], Width: cfg.ImageSize[1], Channels: cfg.InChannels}
}
