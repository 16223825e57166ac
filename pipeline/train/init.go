package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// resolveInit loads the checkpoint to start from, whose network is then trained on.
func (o *Options) resolveInit(data dataset.Source, had labelCount, isa kernels.ISA) (*unet.Model, error) {
	if slices.Contains(o.Given, "preset") {
		return nil, option.Errorf("preset", o.Preset,
			"the network is that of the checkpoint to start from, %s: leave one of the two out", o.Init)
	}
	ck, err := o.openInit(data, isa)
	if err != nil {
		return nil, err
	}
	network, err := o.adapt(ck, data, isa)
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", o.Init, err)
	}
	cfg := network.Config()
	switch {
	case cfg.NumClasses == 0 && o.Conditional == ConditionalYes:
		return nil, option.Errorf("conditional", "yes", "the images of %s have no labels: use auto or no", o.Data)
	case cfg.NumClasses > 0 && !cfg.NullClass && o.LabelDrop < 0 && had.unlabelled+had.heldUnlabelled > 0:
		return nil, o.undropped(had)
	case cfg.NumClasses > 0 && !cfg.NullClass && had.unlabelled+had.heldUnlabelled > 0:
		return nil, option.Errorf("init", o.Init,
			"its network always needs a class, and %s have none", had.unlabelledOf(o.Data))
	}
	if err := o.adoptPrediction(&ck.Meta); err != nil {
		return nil, err
	}
	o.InitHash = ck.Hash
	o.Conditional = ConditionalNo
	if cfg.NumClasses > 0 {
		o.Conditional = ConditionalYes
	}
	if !cfg.NullClass {
		o.LabelDrop = option.None
	}
	return network, o.useNetwork(cfg, data)
}

// openInit loads the checkpoint to start from. For one without a configuration, the options and the
// data say what is missing.
func (o *Options) openInit(data dataset.Source, isa kernels.ISA) (*model.Checkpoint, error) {
	file, err := model.OpenFile(o.Init)
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	defer file.Close()
	f, took, err := file.Weights("")
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", o.Init, err)
	}
	if took != "" {
		o.Note("%s holds several networks: %s is taken", o.Init, took)
	}
	if f, err = o.fromDiffusers(file, f, data); err != nil {
		return nil, err
	}
	ck, err := model.FromFile(f, o.Init, isa)
	if errors.Is(err, unet.ErrNoConfig) {
		ck, err = o.openForeign(f, data, isa)
	} else if err == nil {
		err = o.checkInit(ck)
	}
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); ok {
		return nil, wrong
	}
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", o.Init, err)
	}
	return ck, nil
}

// fromDiffusers returns the tensors of a file, under fmimg's names where they are those of a
// network of diffusers, for images of the data's size.
func (o *Options) fromDiffusers(file *model.OpenedFile, f *safetensors.File, data dataset.Source) (*safetensors.File, error) {
	foreign := model.Foreign{
		Size: pipeline.ShapeOf(data).Size(), Times: [2]float64{0, o.TimeScale}, DataClasses: data.Classes(),
	}
	t, err := file.FromDiffusers(f, foreign)
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", o.Init, err)
	}
	if t == nil {
		return f, nil
	}
	o.Note("%s is a network of diffusers, %s", o.Init, model.DescribeNetwork(t.Config))
	for _, e := range t.Notes {
		if o.OnEvent != nil {
			o.OnEvent(e)
		}
	}
	return t.Tensors, nil
}

// checkInit refuses a checkpoint that training with the options cannot start from.
func (o *Options) checkInit(ck *model.Checkpoint) error {
	u, ok := ck.Network.(*model.UNet)
	if !ok {
		return option.Errorf("init", o.Init, "is a normalizing flow, whose weights are none of a network of velocities")
	}
	if err := o.sameNetwork(u.Config()); err != nil {
		return err
	}
	if u.Config().FlowMap {
		return option.Errorf("init", o.Init,
			"it is a flow map, and training learns velocities: start from the model that it was distilled from")
	}
	return nil
}

// openForeign loads a checkpoint without a configuration, as PyTorch makes them.
func (o *Options) openForeign(f *safetensors.File, data dataset.Source, isa kernels.ISA) (*model.Checkpoint, error) {
	cfg, err := o.inferConfig(f, data)
	if err != nil {
		return nil, err
	}
	return model.FromFileWithConfig(f, cfg, o.Init, isa)
}

// inferConfig finds the configuration of a checkpoint that PyTorch made, from its shapes, the
// options and the data. If the network has one class more than the data, that class is "no class".
func (o *Options) inferConfig(f *safetensors.File, data dataset.Source) (unet.Config, error) {
	if cut, err := unet.CutVariance(f); err == nil && cut {
		o.Note("the last convolution of %s has twice as many channels as an image: the second half, a variance, is left out", o.Init)
	}
	cfg, err := unet.Infer(f)
	if err != nil {
		return cfg, fmt.Errorf("%w and %w", unet.ErrNoConfig, err)
	}
	h, w, _ := data.Shape()
	cfg.ImageSize = [2]int{h, w}
	cfg.NumHeads, cfg.NormGroups, cfg.TimeScale = 1, 32, 1 // PyTorch's defaults
	o.adjust(&cfg)
	if err := o.checkDivisions(cfg); err != nil {
		return cfg, err
	}
	cfg.NullClass = cfg.NumClasses > 1 && cfg.NumClasses == len(data.Classes())+1
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("%w (options heads, norm-groups and time-scale say what its shapes do not)", err)
	}
	o.Note("%s has no configuration: its shapes and the defaults say %s; where that is wrong, use %v, %v, %v",
		o.Init, model.DescribeNetwork(cfg), option.Setting{Option: "heads"},
		option.Setting{Option: "norm-groups"}, option.Setting{Option: "time-scale"})
	return cfg, nil
}

// adjust puts the options about the network into a configuration.
func (o *Options) adjust(cfg *unet.Config) {
	option.Override(&cfg.NumHeads, o.Heads)
	option.Override(&cfg.NormGroups, o.NormGroups)
	option.Override(&cfg.TimeScale, o.TimeScale)
}

// checkDivisions refuses options that do not divide the channels of a network.
func (o *Options) checkDivisions(cfg unet.Config) error {
	for _, mult := range cfg.ChannelMult {
		channels := mult * cfg.ModelChannels
		if o.Heads > 0 && channels%o.Heads != 0 {
			return option.Errorf("heads", o.Heads, "it must divide the %d channels of each level", channels)
		}
		if o.NormGroups > 0 && channels%o.NormGroups != 0 {
			return option.Errorf("norm-groups", o.NormGroups, "it must divide the %d channels of each level", channels)
		}
	}
	return nil
}

// sameNetwork refuses options about the network that differ from the network of a checkpoint.
func (o *Options) sameNetwork(cfg unet.Config) error {
	asked := cfg
	o.adjust(&asked)
	switch {
	case asked.NumHeads != cfg.NumHeads:
		return option.Errorf("heads", o.Heads, "the network of %s has %d: leave the option out", o.Init, cfg.NumHeads)
	case asked.NormGroups != cfg.NormGroups:
		return option.Errorf("norm-groups", o.NormGroups,
			"the network of %s has %d: leave the option out", o.Init, cfg.NormGroups)
	case asked.TimeScale != cfg.TimeScale:
		return option.Errorf("time-scale", o.TimeScale,
			"the network of %s has %v: leave the option out", o.Init, cfg.TimeScale)
	}
	return nil
}
