package convert

import (
	"fmt"
	"io"
	"strconv"

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
	// File is a file of PyTorch's torch.save, or of safetensors; needed.
	File string
	// Part is the network to take where the file holds several; empty: the averages where one of
	// them is called ema.
	Part string
	// Out is the model file to write; needed.
	Out string
	// Size is that of the images; needed.
	Size pipeline.Size
	// Heads is the number of attention heads; 0: 1, PyTorch's default.
	Heads int
	// NormGroups is the number of groups of each norm; 0: 32, PyTorch's default.
	NormGroups int
	// TimeScale is the factor on t before its embedding; 0: 1, PyTorch's default.
	TimeScale float64
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
	switch {
	case o.File == "":
		return option.Errorf("file", nil, "is needed: name a file of weights")
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name a file, such as model.safetensors")
	case o.Size == (pipeline.Size{}):
		return option.Errorf("size", nil, "is needed: weights do not tell the size of images")
	case regular.Same(o.File, o.Out):
		return option.Errorf("out", o.Out, "it is the file of the weights itself: name another file")
	}
	if err := o.settlePrediction(); err != nil {
		return err
	}
	f, err := o.read()
	if err != nil {
		return err
	}
	cfg, err := o.config(f)
	if err != nil {
		return err
	}
	if err := atomicfile.Probe(o.Out); err != nil {
		return err
	}
	net, err := unet.FromFile(f, cfg, kernels.Generic) // nothing is computed
	if err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	dtype := safetensors.F32
	if o.Half {
		dtype = safetensors.F16
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error {
		return model.WriteCheckpoint(w, net, net.Params().Values, dtype, o.meta(net.Config()))
	})
}

// settlePrediction fills in defaults, says what is assumed of the network's predictions, and checks
// them.
func (o *ImportOptions) settlePrediction() error {
	if o.Path == "" && o.Objective == "" {
		o.note("the network is taken to predict the velocity on the linear path, from noise at 0 to images at 1")
	}
	*o = o.WithDefaults()
	if _, err := flow.ParseSchedule(o.Path); err != nil {
		return option.Of("path", err)
	}
	return option.OneOf("predicts", o.Objective, model.Predictions()...)
}

// read reads the tensors.
func (o *ImportOptions) read() (*safetensors.File, error) {
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
	return f, nil
}

// config returns the configuration: what the shapes tell, and the options.
func (o *ImportOptions) config(f *safetensors.File) (unet.Config, error) {
	if cfg, err := unet.FileConfig(f); err == nil {
		return cfg, option.Errorf("file", o.File, "is a model already, %s", model.DescribeNetwork(cfg))
	}
	cfg, err := unet.Infer(f)
	if err != nil {
		return cfg, fmt.Errorf("%s: %w", o.File, err)
	}
	cfg.ImageSize = [2]int{o.Size.Height, o.Size.Width}
	cfg.NumHeads, cfg.NormGroups, cfg.TimeScale = o.Heads, o.NormGroups, o.TimeScale
	if n := len(o.Classes); n > 0 {
		cfg.NullClass = cfg.NumClasses == n+1
		if cfg.NumClasses != n && !cfg.NullClass {
			return cfg, option.Errorf("classes", nil, "%d names, and the network has %d rows of classes, of which one may be no class",
				n, cfg.NumClasses)
		}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("%s: %w (options size, heads and norm-groups say what its shapes do not)", o.File, err)
	}
	o.note("the shapes and the options say %s; where that is wrong, use %v, %v, %v", model.DescribeNetwork(cfg),
		option.Setting{Option: "heads"}, option.Setting{Option: "norm-groups"}, option.Setting{Option: "time-scale"})
	return cfg, nil
}

// meta returns what is known of the training.
func (o *ImportOptions) meta(cfg unet.Config) model.Meta {
	m := model.Meta{
		Path: o.Path, Objective: o.Objective, Classes: o.Classes,
		PixelRange: [2]float64{dataset.PixelMin, dataset.PixelMax},
	}
	for i := len(m.Classes); o.Classes == nil && i < cfg.NumClasses; i++ {
		m.Classes = append(m.Classes, strconv.Itoa(i))
	}
	return m
}

func (o *ImportOptions) note(format string, args ...any) {
	if o.OnEvent != nil {
		o.OnEvent(pipeline.Note(format, args...))
	}
}
