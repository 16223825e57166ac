package train

import (
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

// Options says what to train, on what, for how long and how. [DefaultTrainOptions] has the
// settings that are known to work. The JSON form, with everything resolved, is in a run's
// config.json.
type Options struct {
	run.Options

	feed.DataOptions

	Init       string `json:"init,omitempty"` // a checkpoint to start from, which also gives the network; empty: drawn weights
	Flip       bool   `json:"flip"`           // mirror every second image, left to right
	Dequantize bool   `json:"dequantize"`     // spread each byte over its width by uniform noise: the density of such images is what Likelihood measures

	Preset  string       `json:"preset"`            // a network of package unet, or of realnvp for Objective nf; empty: base
	Network *unet.Config `json:"network,omitempty"` // the network itself, instead of a preset; resolved: always there but for Objective nf
	// Flow is the normalizing flow of Objective nf, instead of a preset; resolved: always there then.
	Flow *realnvp.Config `json:"normalizing_flow,omitempty"`
	// What a checkpoint made elsewhere does not say, and changes to a preset; 0: its own, or PyTorch's defaults 1, 32 and 1.
	Heads      int     `json:"heads,omitempty"`       // of attention
	NormGroups int     `json:"norm_groups,omitempty"` // of each group norm
	TimeScale  float64 `json:"time_scale,omitempty"`  // factor on t before its embedding
	InitHash   string  `json:"init_hash,omitempty"`   // resolved: SHA-256 of the weights of Init

	Epochs float64 `json:"epochs,omitempty"` // passes over the data, a budget instead of Steps and Time

	Path       string `json:"path"`        // from noise to data: linear, linear-power(N), cosine, vp or vp(BMIN,BMAX); empty: linear
	Objective  string `json:"objective"`   // what the network predicts: velocity, noise or data; empty: velocity; nf: nothing, it is a normalizing flow that maximises the likelihood
	LossWeight string `json:"loss_weight"` // whose squared error the loss is, by weights of what is predicted; empty: of that itself

	TimeDist    string   `json:"time_dist"`   // distribution of t: uniform, logit-normal or logit-normal(MEAN,STD); empty: uniform
	Coupling    Coupling `json:"coupling"`    // which noise an image is paired with; empty: independent, as runs of old had it
	Conditional string   `json:"conditional"` // yes, no, or auto: when the data has labels; empty: auto; resolved: yes or no
	LabelDrop   float64  `json:"label_drop"`  // share of the labels replaced by "no class", so that guidance works; 0: no such class
}

// DefaultOptions returns settings that train on MNIST well within minutes.
func DefaultOptions() Options {
	return Options{
		Options:     run.DefaultOptions(),
		DataOptions: feed.DataOptions{ImageChannels: "auto", HoldOut: feed.DefaultHoldOut},
		Preset:      "base",
		Path:        model.DefaultPath, Objective: model.DefaultObjective, TimeDist: "uniform", Coupling: OptimalTransport, Conditional: "auto", LabelDrop: 0.1,
	}
}

// withDefaults fills in what has one default for all data.
func (o *Options) withDefaults() Options {
	d := *o
	d.fillDefaults()
	return d
}

func (o *Options) fillDefaults() {
	option.SetDefault(&o.Preset, "base")
	option.SetDefault(&o.Path, model.DefaultPath)
	option.SetDefault(&o.Objective, model.DefaultObjective)
	option.SetDefault(&o.LossWeight, o.Objective)
	option.SetDefault(&o.TimeDist, "uniform")
	option.SetDefault(&o.Coupling, Independent)
	option.SetDefault(&o.Conditional, "auto")
	option.SetDefault(&o.ImageChannels, "auto")
	o.Options.FillDefaults(o.Epochs == 0)
}

// Validate reports the first option that cannot be used, as an [*OptionError]. It looks at no file.
func (o *Options) Validate() error {
	d := o.withDefaults()
	return d.validate()
}

func (o *Options) validate() error {
	return option.First(
		o.Options.Validate(),
		o.DataOptions.Validate(),
		option.Optional("heads", o.Heads, 1, 1024),
		option.Optional("norm-groups", o.NormGroups, 1, 1<<16),
		option.Optional("time-scale", o.TimeScale, 1e-6, 1e6),
		option.Optional("epochs", o.Epochs, 1e-6, 1e6),
		option.Between("label-drop", o.LabelDrop, 0, pipeline.Below1),
		option.OneOf("coupling", string(o.Coupling), string(Independent), string(OptimalTransport)),
		o.validateCoupling(),
		o.validateObjective(),
		option.OneOf("conditional", o.Conditional, "auto", "yes", "no"),
		o.ValidateBudget(o.Epochs, "steps, epochs and time"),
		o.validateNames(),
	)
}

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
	if _, err := flow.ParseTimeDistribution(o.TimeDist); err != nil {
		return option.Of("time-dist", err)
	}
	return nil
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
	if err := option.OneOf("objective", o.Objective, append(flow.ObjectiveNames(), model.FlowObjective)...); err != nil {
		return err
	}
	return option.OneOf("loss-weight", o.LossWeight, flow.ObjectiveNames()...)
}

// prediction returns what the network learns to predict, and the objective whose error the loss is. The options are valid.
func (o *Options) prediction() (p model.Prediction, loss flow.Objective, err error) {
	if p.Path, err = flow.ParseSchedule(o.Path); err != nil {
		return p, 0, err
	}
	if p.Objective, err = flow.ParseObjective(o.Objective); err != nil {
		return p, 0, err
	}
	loss, err = flow.ParseObjective(o.LossWeight)
	return p, loss, err
}

// adoptPrediction takes the path and the objective of a checkpoint to start from, where they are not given on purpose: its
// weights answer that question. A note says so when they answer another one than will be trained.
func (o *Options) adoptPrediction(m *model.Meta) error {
	p, err := m.Prediction()
	if err != nil {
		return err
	}
	own, objective := o.LossWeight == o.Objective, p.Objective.String()
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
		o.Note("the network of %s predicts the %s on the %v path, and learns the %s on the %s path now", o.Init, objective, p.Path, o.Objective, o.Path)
	}
	return nil
}
