package train

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/unet"
)

// Options says what to train, on what, for how long and how. The zero value of each option is its
// default, by which MNIST is learned well within minutes. The JSON form, with everything resolved,
// is in a run's config.json.
type Options struct {
	run.Options
	// Epochs is a number of passes over the data, a budget instead of Steps and Time; 0: none.
	Epochs float64 `json:"epochs,omitempty"`

	feed.DataOptions
	// Flip mirrors every second image, left to right. Up to 500 pictures in colour without labels
	// are mirrored unless Given has "flip".
	Flip bool `json:"flip"`
	// Shift moves each image by up to so many pixels in each direction, drawn anew each time, and
	// continues its edge; 0: none, and a sixteenth of the side for up to 500 pictures; below 0:
	// none. A run records 0 for none.
	Shift int `json:"shift"`
	// Dequantize spreads each byte over its width by uniform noise. Likelihood measures the density
	// of such images.
	Dequantize bool `json:"dequantize"`

	// KeepGuide is the share of the run's steps after which the averaged weights are also kept as a
	// guide, in a file as large as the model's; 0: [model.SuggestedGuideShare] for networks that
	// are trained from nothing with classes and without, else none; below 0: none. A run records 0
	// for none. A resumed run keeps its own.
	KeepGuide float64 `json:"keep_guide"`

	NetworkOptions
	MatchOptions
}

// NetworkOptions say which network is trained.
type NetworkOptions struct {
	// Preset is a network of package unet, or of realnvp for Objective nf; empty: base.
	Preset string `json:"preset"`
	// Network is the network itself, instead of a preset. A run records it but for Objective nf.
	Network *unet.Config `json:"network,omitempty"`
	// Flow is the normalizing flow of Objective nf, instead of a preset. A run records it then.
	Flow *realnvp.Config `json:"normalizing_flow,omitempty"`

	// Init is a checkpoint to start from, which also gives the network; empty: drawn weights, and
	// emoji, a model that is part of the program, for up to 500 pictures in colour; [NoInit]: drawn
	// weights. A run records none as empty.
	Init string `json:"init,omitempty"`
	// InitHash is recorded by a run: the SHA-256 of the weights of Init.
	InitHash string `json:"init_hash,omitempty"`

	// Heads is the number of heads of attention; 0: the network's own, and 1 for a checkpoint
	// without a configuration, as PyTorch makes it.
	Heads int `json:"heads,omitempty"`
	// NormGroups is the number of groups of each group norm; 0: the network's own, else 32
	// likewise.
	NormGroups int `json:"norm_groups,omitempty"`
	// TimeScale is the factor on t before its embedding; 0: the network's own, else 1 likewise.
	TimeScale float64 `json:"time_scale,omitempty"`
}

// MatchOptions say what flow matching teaches the network.
type MatchOptions struct {
	// Path leads from noise to data: linear, linear-power(N), cosine, vp or vp(BMIN,BMAX);
	// empty: linear.
	Path string `json:"path"`
	// Objective is what the network predicts: velocity, noise or data; empty: velocity. With nf it
	// predicts nothing: it is a normalizing flow, trained by its likelihood.
	Objective model.Objective `json:"objective"`
	// LossWeight says whose squared error the loss is, by weights of what is predicted: velocity,
	// noise or data; empty: that of Objective.
	LossWeight model.Objective `json:"loss_weight"`

	// TimeDist is the distribution of t: uniform, logit-normal, logit-normal(MEAN,STD), curriculum
	// or curriculum(UNTIL), see [flow.Curriculum]; empty: curriculum for velocities, and uniform
	// for other objectives and where EarlyStop may end the run before its times are uniform.
	TimeDist string `json:"time_dist"`
	// Coupling says which noise an image is paired with; empty: ot.
	Coupling Coupling `json:"coupling"`
	// Paired is the largest number of images that Coupling ot pairs together, in whole batches; 0:
	// so many that about 256 are of the largest class, and at most 2048; 256 where the network
	// takes no class.
	Paired int `json:"paired,omitempty"`
	// Conditional says whether the network takes the class of an image; empty: auto. A run records
	// yes or no.
	Conditional Conditional `json:"conditional"`
	// LabelDrop is the share of the labels replaced by "no class", so that guidance works; 0: 0.1;
	// below 0: none, and there is no such class. A run records 0 for none.
	LabelDrop float64 `json:"label_drop"`
}

// NoInit is the value of the option Init for drawn weights, whatever the data.
const NoInit = "none"

// Conditional says whether a network takes the class of an image.
type Conditional string

// The answers. ConditionalAuto means yes where the data has labels.
const (
	ConditionalAuto Conditional = "auto"
	ConditionalYes  Conditional = "yes"
	ConditionalNo   Conditional = "no"
)

// WithDefaults fills in what has one default for all data.
func (o Options) WithDefaults() Options {
	if o.Init == NoInit {
		o.Init, o.Given = "", append(slices.Clone(o.Given), "init")
	}
	budget := o.Budget
	if o.Options = o.Options.WithDefaults(); o.Epochs != 0 {
		o.Budget = budget
	}
	o.DataOptions = o.DataOptions.WithDefaults()
	o.NetworkOptions = o.NetworkOptions.WithDefaults()
	o.MatchOptions = o.MatchOptions.WithDefaults()
	return o
}

// WithDefaults fills in what has one default for all data.
func (o NetworkOptions) WithDefaults() NetworkOptions {
	option.SetDefault(&o.Preset, "base")
	return o
}

// WithDefaults fills in what has one default for all data.
func (o MatchOptions) WithDefaults() MatchOptions {
	option.SetDefault(&o.Path, model.DefaultPath)
	option.SetDefault(&o.Objective, model.DefaultObjective)
	option.SetDefault(&o.LossWeight, o.Objective)
	option.SetDefault(&o.Coupling, OptimalTransport)
	option.SetDefault(&o.Conditional, ConditionalAuto)
	option.SetDefault(&o.LabelDrop, 0.1)
	return o
}

// MarshalJSON writes the form of config.json, where 0 is none.
func (o Options) MarshalJSON() ([]byte, error) {
	type plain Options
	o.ToRecord()
	option.ZeroNone(&o.HoldOut, &o.LabelDrop, &o.KeepGuide)
	option.ZeroNone(&o.Shift)
	return json.Marshal(plain(o))
}

// UnmarshalJSON reads the form of config.json. What old runs do not say is as they all were then.
func (o *Options) UnmarshalJSON(text []byte) error {
	type plain Options
	p := plain{Options: run.WhereSilent(), MatchOptions: MatchOptions{Coupling: Independent, Paired: 256}}
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	p.FromRecord()
	if p.Objective == model.FlowObjective {
		p.TimeDist, p.Paired = "", 0 // old runs record what a normalizing flow has none of
	}
	option.NoneOfZero(&p.HoldOut, &p.LabelDrop, &p.KeepGuide)
	*o = Options(p)
	return nil
}

// Validate reports the first option that cannot be used, as a [*pipeline.OptionError]. It looks at
// no file.
func (o *Options) Validate() error {
	d := o.WithDefaults()
	return d.checkAll()
}

func (o *Options) checkAll() error {
	return option.First(
		o.Options.Validate(),
		o.DataOptions.Validate(),
		option.Between("shift", option.OrNone(o.Shift), 0, maxShift),
		option.Optional("heads", o.Heads, 1, 1024),
		option.Optional("norm-groups", o.NormGroups, 1, 1<<16),
		option.Optional("time-scale", o.TimeScale, 1e-6, 1e6),
		option.Optional("epochs", o.Epochs, 1e-6, 1e6),
		o.validateGuide(),
		option.Between("label-drop", option.OrNone(o.LabelDrop), 0, pipeline.Below1),
		option.Optional("paired", o.Paired, 1, maxPaired),
		option.OneOf("coupling", o.Coupling, Independent, OptimalTransport),
		o.validateCoupling(),
		o.validateClusters(),
		o.validateObjective(),
		option.OneOf("conditional", o.Conditional, ConditionalAuto, ConditionalYes, ConditionalNo),
		o.ValidateBudget(o.Epochs, "steps, epochs and time"),
		o.validateNames(),
	)
}

// validateGuide checks the share of the steps that make a guide.
func (o *Options) validateGuide() error {
	if o.KeepGuide > 0 && o.Objective == model.FlowObjective {
		return option.Errorf("keep-guide", o.KeepGuide, "nothing guides a normalizing flow: leave it out")
	}
	return option.Between("keep-guide", option.OrNone(o.KeepGuide), 0, pipeline.Below1)
}

// maxShift bounds the option Shift. A run also needs images of twice as many pixels.
const maxShift = 1024

// validateCoupling bounds the pairs of a batch, all of which are compared.
func (o *Options) validateCoupling() error {
	if o.Coupling == OptimalTransport && o.Batch > maxPaired && o.Objective != model.FlowObjective {
		return option.Errorf("batch", o.Batch,
			"optimal transport compares all pairs of a batch: at most %d images, or coupling independent", maxPaired)
	}
	return nil
}

// validateNames checks what other packages name.
func (o *Options) validateNames() error {
	if o.Data == "" && o.Source == nil && !o.Resume {
		return option.Errorf("data", nil, "is needed: name a data set, such as mnist")
	}
	if o.Network != nil && o.Network.FlowMap {
		return option.Errorf("network", nil, "is a flow map, which Distill makes, and training learns velocities")
	}
	if _, err := unet.Preset(o.Preset); err != nil {
		return option.Of("preset", err)
	}
	if o.TimeDist == "" {
		return nil
	}
	_, err := flow.ParseTimeDistribution(o.TimeDist)
	return option.Of("time-dist", err)
}

// validateObjective checks what the network learns.
func (o *Options) validateObjective() error {
	if o.Objective == model.FlowObjective {
		return o.validateFlow()
	}
	if o.Flow != nil {
		return option.Errorf("normalizing-flow", nil,
			"is a network of objective %s alone, and the objective is %s", model.FlowObjective, o.Objective)
	}
	if _, err := flow.ParseSchedule(o.Path); err != nil {
		return option.Of("path", err)
	}
	if err := option.OneOf("objective", o.Objective, append(model.Predictions(), model.FlowObjective)...); err != nil {
		return err
	}
	return option.OneOf("loss-weight", o.LossWeight, model.Predictions()...)
}

// prediction returns what the network learns to predict, and the objective whose squared error is
// the loss. The options are valid.
func (o *Options) prediction() (p model.Prediction, loss flow.Objective, err error) {
	if p.Path, err = flow.ParseSchedule(o.Path); err != nil {
		return p, 0, err
	}
	if p.Objective, err = o.Objective.Parse(); err != nil {
		return p, 0, err
	}
	loss, err = o.LossWeight.Parse()
	return p, loss, err
}

// adoptPrediction takes over the path and the objective of the checkpoint to start from, unless the
// caller gives them: its weights were trained for these. A note says so where the training has
// others.
func (o *Options) adoptPrediction(m *model.Meta) error {
	p, err := m.Prediction()
	if err != nil {
		return err
	}
	own, objective := o.LossWeight == o.Objective, model.Objective(p.Objective.String())
	if !slices.Contains(o.Given, "path") && m.Path != "" {
		o.Path = fmt.Sprint(p.Path)
	}
	if !slices.Contains(o.Given, "objective") && m.Objective != "" {
		o.Objective = objective
	}
	if own && !slices.Contains(o.Given, "loss-weight") {
		o.LossWeight = o.Objective
	}
	if path, err := flow.ParseSchedule(o.Path); err != nil || path != p.Path || o.Objective != objective {
		o.Note("the network of %s predicts the %s on the %v path, and learns the %s on the %s path now", o.Init,
			objective, p.Path, o.Objective, o.Path)
	}
	return nil
}
