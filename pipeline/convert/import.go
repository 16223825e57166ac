package convert

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// ImportOptions say which weights become a model, and what their shapes do not tell. The zero value
// of each option is its default.
type ImportOptions struct {
	// File is a file of PyTorch's torch.save, or of safetensors, or a folder of diffusers; needed.
	File string
	// Part is the network to take where the file holds several; empty: the averages where one of
	// them is called ema.
	Part string
	// Out is the model file to write; needed.
	Out string
	// Size is that of the images; needed, but where a network of diffusers has one.
	Size pipeline.Size
	// Heads is the number of attention heads; 0: 1, PyTorch's default.
	Heads int
	// HeadChannels is the number of channels of an attention head, in place of Heads.
	HeadChannels int
	// NewAttentionOrder says that queries, keys and values of all heads stand one after another, as
	// guided diffusion's option use_new_attention_order has them.
	NewAttentionOrder bool
	// NormGroups is the number of groups of each norm; 0: 32, PyTorch's default.
	NormGroups int
	// TimeScale is the factor on t before its embedding; 0: 1, PyTorch's default.
	TimeScale float64
	// Times are the network's own times at noise and at images, in place of TimeScale. Without them
	// they are 0 and TimeScale, and of diffusers 0 and 1000. Where they fall, a velocity is that
	// towards noise.
	Times [2]float64
	// Classes are the names of the classes. One less than the network has rows: its last row is "no
	// class"; nil: numbers, and no row of no class.
	Classes []string
	// Path is that of the training; empty: linear.
	Path string
	// Objective is what the network predicts; empty: velocity.
	Objective model.Objective
	// Half stores the weights as float16.
	Half bool
	// OnEvent gets notes about what was assumed; nil: nobody does.
	OnEvent func(pipeline.Event)
}

// WithDefaults returns the options with defaults in place of zeros.
func (o ImportOptions) WithDefaults() ImportOptions {
	option.SetDefault(&o.Heads, 1)
	option.SetDefault(&o.NormGroups, 32)
	option.SetDefault(&o.TimeScale, 1)
	option.SetDefault(&o.Path, model.DefaultPath)
	option.SetDefault(&o.Objective, model.DefaultObjective)
	return o
}

// Import writes a model from weights of another program. A mistake in the options is a
// [*pipeline.OptionError].
func Import(o ImportOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	t, err := o.translated()
	if err != nil {
		return err
	}
	if err := atomicfile.Probe(o.Out); err != nil {
		return err
	}
	net, err := unet.FromFile(t.Tensors, t.Config, kernels.Generic) // nothing is computed
	if err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	dtype := safetensors.F32
	if o.Half {
		dtype = safetensors.F16
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error {
		return model.WriteCheckpoint(w, net, net.Params().Values, dtype, t.Meta)
	})
}

// folder returns the folder whose files hold the weights. It is empty for a single file.
func (o *ImportOptions) folder() string {
	if info, err := os.Stat(o.File); err == nil && info.IsDir() {
		return o.File
	}
	if model.ListsParts(o.File) {
		return filepath.Dir(o.File)
	}
	return ""
}

// check refuses options that contradict themselves.
func (o *ImportOptions) check() error {
	switch {
	case o.File == "":
		return option.Errorf("file", nil, "is needed: name a file of weights")
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name a file, such as model.safetensors")
	case regular.Same(o.File, o.Out):
		return option.Errorf("out", o.Out, "it is the file of the weights itself: name another file")
	case regular.Within(o.Out, o.folder()):
		return option.Errorf("out", o.Out, "it lies among the files of the weights: name a file elsewhere")
	case o.Times != [2]float64{} && o.TimeScale != 0:
		return option.Errorf("time-scale", o.TimeScale, "times say it already: leave one of the two out")
	case o.HeadChannels != 0 && o.Heads != 0:
		return option.Errorf("heads", o.Heads, "the channels of a head say it already: leave one of the two out")
	}
	if o.Path != "" {
		if _, err := flow.ParseSchedule(o.Path); err != nil {
			return option.Of("path", err)
		}
	}
	if o.Objective != "" {
		return option.OneOf("predicts", o.Objective, model.Predictions()...)
	}
	return nil
}

// translated reads the tensors and makes a network of fmimg of them.
func (o *ImportOptions) translated() (*model.Translated, error) {
	file, err := model.OpenFile(o.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, took, err := file.Weights(o.Part)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.File, err)
	}
	if took != "" && o.Part == "" {
		o.note("%s holds several networks: %s is taken; %v takes another", o.File, took, option.Setting{Option: "part"})
	}
	t, err := file.FromDiffusers(f, o.foreign())
	switch {
	case err != nil:
	case t != nil:
		err = o.said(t)
	default:
		t, err = o.fromShapes(f)
	}
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); ok {
		return nil, wrong
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.File, err)
	}
	return t, nil
}

// times returns the network's own times, all 0 where nothing says them.
func (o *ImportOptions) times() [2]float64 {
	if o.Times == [2]float64{} {
		return [2]float64{0, o.TimeScale}
	}
	return o.Times
}

// foreign returns the options that a network of diffusers takes.
func (o *ImportOptions) foreign() model.Foreign {
	return model.Foreign{Size: o.Size, Times: o.times(), Path: o.Path, Objective: o.Objective, Classes: o.Classes}
}

// said passes on what was assumed of a network of diffusers, and refuses options that its
// configuration has.
func (o *ImportOptions) said(t *model.Translated) error {
	for _, given := range []struct {
		option string
		value  any
		is     bool
	}{
		{"heads", o.Heads, o.Heads != 0}, {"head-channels", o.HeadChannels, o.HeadChannels != 0},
		{"norm-groups", o.NormGroups, o.NormGroups != 0}, {"new-attention-order", nil, o.NewAttentionOrder},
	} {
		if given.is {
			return option.Errorf(given.option, given.value, "%s says it: leave it out", model.DiffusersConfig)
		}
	}
	for _, e := range t.Notes {
		o.event(e)
	}
	o.note("%s says %s", model.DiffusersConfig, model.DescribeNetwork(t.Config))
	return nil
}

// fromShapes makes a network of what shapes and options tell.
func (o *ImportOptions) fromShapes(f *safetensors.File) (*model.Translated, error) {
	if cfg, err := unet.FileConfig(f); err == nil {
		return nil, option.Errorf("file", o.File, "is a model already, %s", model.DescribeNetwork(cfg))
	}
	if o.Size == (pipeline.Size{}) {
		return nil, option.Errorf("size", nil, "is needed: weights do not tell the size of images")
	}
	if o.Path == "" && o.Objective == "" {
		o.note("the network is taken to predict the velocity on the linear path, from noise at 0 to images at 1")
	}
	*o = o.WithDefaults()
	cfg, err := o.config(f)
	if err != nil {
		return nil, err
	}
	if o.NewAttentionOrder {
		if err := unet.OldAttentionOrder(f, cfg); err != nil {
			return nil, err
		}
	}
	if err := model.TurnTime(f, &cfg, o.times(), o.Objective); err != nil {
		return nil, err
	}
	t := &model.Translated{Tensors: f, Config: cfg}
	t.Meta.Path, t.Meta.Objective = o.Path, o.Objective
	t.Meta.PixelRange = [2]float64{dataset.PixelMin, dataset.PixelMax}
	t.Meta.Classes, _, err = model.ClassNames(o.Classes, cfg.NumClasses)
	return t, err
}

// config returns the configuration: what the shapes tell, and the options.
func (o *ImportOptions) config(f *safetensors.File) (unet.Config, error) {
	cut, err := unet.CutVariance(f)
	if err != nil {
		return unet.Config{}, err
	}
	if cut {
		o.note("its last convolution has twice as many channels as an image: the second half is taken to be a variance, and left out")
	}
	cfg, err := unet.Infer(f)
	if err != nil {
		return cfg, err
	}
	cfg.ImageSize = [2]int{o.Size.Height, o.Size.Width}
	cfg.NumHeads, cfg.NumHeadChannels, cfg.NormGroups = o.Heads, o.HeadChannels, o.NormGroups
	times := o.times()
	cfg.TimeScale = math.Abs(times[1] - times[0])
	if _, cfg.NullClass, err = model.ClassNames(o.Classes, cfg.NumClasses); err != nil {
		return cfg, err
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("%w (options size, heads and norm-groups say what its shapes do not)", err)
	}
	o.note("the shapes and the options say %s; where that is wrong, use %v, %v, %v", model.DescribeNetwork(cfg),
		option.Setting{Option: "heads"}, option.Setting{Option: "norm-groups"}, option.Setting{Option: "time-scale"})
	return cfg, nil
}

func (o *ImportOptions) event(e pipeline.Event) {
	if o.OnEvent != nil {
		o.OnEvent(e)
	}
}

func (o *ImportOptions) note(format string, args ...any) {
	o.event(pipeline.Note(format, args...))
}
