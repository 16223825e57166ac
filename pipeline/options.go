package pipeline

import (
	"encoding/json"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/unet"
)

// RunOptions say for how long a run trains, how, and what it leaves, whatever it trains for: [TrainOptions] and
// [DistillOptions] hold them.
type RunOptions struct {
	Out string `json:"-"` // the run folder; empty: one of its own under runs/

	// Budget of the whole run: at most one of the two; none: 10 minutes.
	Steps    int      `json:"steps,omitempty"`    // batches
	Time     Duration `json:"time,omitempty"`     // training time, which shapes the learning rate as steps do
	Schedule Schedule `json:"schedule,omitempty"` // replays a recorded run with a budget in time; resolved: as the run went
	// StopAfter ends the run early, after so many steps, as an interruption does; 0: never.
	StopAfter int `json:"-"`

	Batch      int `json:"batch"`       // images of a step; 0: 64
	MicroBatch int `json:"micro_batch"` // images that a worker takes at once, which settles the order of sums; 0: a quarter of the batch, at most 8

	Optimizer Optimizer `json:"optimizer"` // empty: adamw

	LR          float64 `json:"lr"`           // peak learning rate; 0: 0.004 with muon, 0.002 with adamw
	Warmup      int     `json:"warmup"`       // steps of linear warm-up, at most a tenth of the run
	Decay       Decay   `json:"decay"`        // shape of the learning rate; empty: cosine
	Beta1       float64 `json:"beta1"`        // AdamW's decay of the gradient's mean
	Beta2       float64 `json:"beta2"`        // AdamW's decay of the gradient's square
	Eps         float64 `json:"eps"`          // AdamW's smallest divisor; 0: 1e-8
	WeightDecay float64 `json:"weight_decay"` // decoupled, times the learning rate
	Clip        float64 `json:"clip"`         // largest norm of a gradient; 0: unlimited
	EMA         float64 `json:"ema"`          // decay of the averaged weights; 0: no averaging

	Seed    uint64 `json:"seed"`
	Threads int    `json:"-"`   // workers, which change no number; 0: GOMAXPROCS
	ISA     string `json:"isa"` // instruction set; empty: the best of this machine; resolved: its name

	SaveEvery     int `json:"save_every"`     // steps between checkpoints; 0: about every minute
	PreviewEvery  int `json:"preview_every"`  // steps between previews; 0: about ten in a run; below 0: none
	ValidateEvery int `json:"validate_every"` // steps between validation losses; 0: as often as takes 1 % of the time; below 0: never
	Keep          int `json:"keep"`           // numbered checkpoints of the averaged weights to keep beside the last one

	TensorBoard bool `json:"tensorboard,omitempty"` // also write event files for TensorBoard into the run folder

	// Resume continues the run in Out; only budget, Threads, ISA, SaveEvery, PreviewEvery, ValidateEvery, Keep and
	// TensorBoard count then, and what was moved: Data, and the Model that is distilled.
	Resume bool `json:"-"`

	// Given names the options that the caller set on purpose, as in the JSON form with - for _. With
	// Resume, one that differs from the run's own is an error; the others follow the run silently.
	Given []string `json:"-"`
	// OnEvent is called with the run's progress, from the caller's own goroutine; may be nil.
	OnEvent func(Event) `json:"-"`

	disk func(io.Writer) io.Writer // see runDir
}

// TrainOptions says what to train, on what, for how long and how. [DefaultTrainOptions] has the
// settings that are known to work. The JSON form, with everything resolved, is in a run's
// config.json.
type TrainOptions struct {
	RunOptions

	DataOptions

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

// DefaultTrainOptions returns settings that train on MNIST well within minutes.
func DefaultTrainOptions() TrainOptions {
	return TrainOptions{
		RunOptions:  defaultRunOptions(),
		DataOptions: DataOptions{ImageChannels: "auto", HoldOut: defaultHoldOut},
		Preset:      "base",
		Path:        defaultPath, Objective: defaultObjective, TimeDist: "uniform", Coupling: OptimalTransport, Conditional: "auto", LabelDrop: 0.1,
	}
}

func defaultRunOptions() RunOptions {
	return RunOptions{
		Batch: 64, Optimizer: Muon,
		Warmup: 50, Decay: CosineRate, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.01, Clip: 1, EMA: 0.998,
		Seed: 1,
	}
}

// An Optimizer is how parameters follow their gradient.
type Optimizer string

// The optimisers. Both are AdamW for what is no matrix, and share the learning rate and weight decay.
const (
	AdamW Optimizer = "adamw"
	Muon  Optimizer = "muon" // matrices step along the nearest orthogonal matrix, see nn.Muon
)

// Rate returns the peak learning rate that suits an optimiser.
func (o Optimizer) Rate() float64 {
	if o == Muon {
		return 4e-3
	}
	return 2e-3
}

// defaultTime is the budget of a run that is given none.
const defaultTime = 10 * time.Minute

// withDefaults fills in what has one default for all data.
func (o *TrainOptions) withDefaults() TrainOptions {
	d := *o
	d.fillDefaults()
	return d
}

func (o *TrainOptions) fillDefaults() {
	option.SetDefault(&o.Preset, "base")
	option.SetDefault(&o.Path, defaultPath)
	option.SetDefault(&o.Objective, defaultObjective)
	option.SetDefault(&o.LossWeight, o.Objective)
	option.SetDefault(&o.TimeDist, "uniform")
	option.SetDefault(&o.Coupling, Independent)
	option.SetDefault(&o.Conditional, "auto")
	option.SetDefault(&o.ImageChannels, "auto")
	o.RunOptions.fillDefaults(o.Epochs == 0)
}

// fillDefaults fills in what has one default; untimed says that no other budget than these is given.
func (o *RunOptions) fillDefaults(untimed bool) {
	option.SetDefault(&o.Batch, 64)
	option.SetDefault(&o.MicroBatch, min(max(o.Batch/4, 1), 8))
	option.SetDefault(&o.Optimizer, AdamW)
	option.SetDefault(&o.LR, o.Optimizer.Rate())
	option.SetDefault(&o.Decay, CosineRate)
	option.SetDefault(&o.Eps, 1e-8)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	if untimed && o.Steps == 0 && o.Time == 0 && len(o.Schedule) == 0 {
		o.Time = Duration(defaultTime)
	}
}

const (
	maxBatch   = 1 << 16
	maxThreads = 1 << 12
	maxSize    = 1 << 12 // pixels of a side
)

// Validate reports the first option that cannot be used, as an [*OptionError]. It looks at no file.
func (o *TrainOptions) Validate() error {
	d := o.withDefaults()
	return d.validate()
}

func (o *TrainOptions) validate() error {
	return option.First(
		o.RunOptions.validate(),
		o.DataOptions.validate(),
		option.Optional("heads", o.Heads, 1, 1024),
		option.Optional("norm-groups", o.NormGroups, 1, 1<<16),
		option.Optional("time-scale", o.TimeScale, 1e-6, 1e6),
		option.Optional("epochs", o.Epochs, 1e-6, 1e6),
		option.Between("label-drop", o.LabelDrop, 0, below1),
		option.OneOf("coupling", string(o.Coupling), string(Independent), string(OptimalTransport)),
		o.validateCoupling(),
		o.validateObjective(),
		option.OneOf("conditional", o.Conditional, "auto", "yes", "no"),
		o.validateBudget(o.Epochs, "steps, epochs and time"),
		o.validateNames(),
	)
}

// validate reports the first option that cannot be used, but for the budget, of which a kind of run may have more.
func (o *RunOptions) validate() error {
	return option.First(
		option.Optional("steps", o.Steps, 1, maxSteps),
		option.Between("batch", o.Batch, 1, maxBatch),
		option.Between("micro-batch", o.MicroBatch, 1, min(o.Batch, 64)),
		option.Between("warmup", o.Warmup, 0, maxSteps),
		option.Between("threads", o.Threads, 1, maxThreads),
		option.Optional("save-every", o.SaveEvery, 1, maxSteps),
		option.Between("preview-every", o.PreviewEvery, -1, maxSteps),
		option.Between("validate-every", o.ValidateEvery, -1, maxSteps),
		option.Between("keep", o.Keep, 0, 1<<16),
		option.Optional("stop-after", o.StopAfter, 1, maxSteps),
		option.OneOf("optimizer", string(o.Optimizer), string(AdamW), string(Muon)),
		option.Between("lr", o.LR, 1e-12, 1e3),
		option.Between("beta1", o.Beta1, 0, below1),
		option.Between("beta2", o.Beta2, 0, below1),
		option.Between("eps", o.Eps, 1e-30, 1),
		option.Between("weight-decay", o.WeightDecay, 0, 1e3),
		option.Between("clip", o.Clip, 0, 1e30),
		option.Between("ema", o.EMA, 0, below1),
		option.OneOf("decay", string(o.Decay), string(CosineRate), string(LinearRate), string(ConstantRate)),
		validateISA(o.ISA),
	)
}

// below1 is the largest decay: its complement still counts in a float32.
const below1 = 1 - 1e-6

// validateCoupling bounds the pairs of a batch, all of which are compared.
func (o *TrainOptions) validateCoupling() error {
	if o.Coupling == OptimalTransport && o.Batch > maxPaired && o.Objective != flowObjective {
		return option.Errorf("batch", "%d: optimal transport compares all pairs of a batch: at most %d images, or coupling independent", o.Batch, maxPaired)
	}
	return nil
}

// validateBudget looks at the budget, which may be in epochs too: kinds lists what it may be in.
func (o *RunOptions) validateBudget(epochs float64, kinds string) error {
	given := 0
	for _, budget := range []bool{o.Steps != 0, epochs != 0, o.Time != 0} {
		if budget {
			given++
		}
	}
	switch {
	case given > 1 && o.Steps != 0:
		return option.Errorf("steps", "%d: one budget too many: give one of %s", o.Steps, kinds)
	case given > 1:
		return option.Errorf("epochs", "%v: one budget too many: give one of %s", epochs, kinds)
	case o.Time < 0 || (o.Time > 0 && o.Time < Duration(time.Millisecond)):
		return option.Errorf("time", "%v: a duration of 1ms or more, such as 10m, is needed", o.Time)
	case len(o.Schedule) > 0 && o.Steps != 0 && o.Steps != o.Schedule.Total():
		return option.Errorf("schedule", "ends at step %d, not at the %d steps asked for", o.Schedule.Total(), o.Steps)
	case len(o.Schedule) > 0 && (o.Time != 0 || epochs != 0) && !o.Resume:
		return option.Errorf("schedule", "replays a run by its steps: leave time and epochs out")
	}
	if err := o.Schedule.validate(); err != nil {
		return &OptionError{"schedule", trimOption(err, "schedule: ")}
	}
	return nil
}

// validateNames checks what other packages name.
func (o *TrainOptions) validateNames() error {
	if o.Data == "" && o.Source == nil && !o.Resume {
		return option.Errorf("data", "is needed: name a data set, such as mnist")
	}
	if o.Network != nil && o.Network.FlowMap {
		return option.Errorf("network", "is a flow map, which Distill makes, and training learns velocities")
	}
	if _, err := unet.Preset(o.Preset); err != nil {
		return &OptionError{"preset", trimOption(err, "unknown preset ")}
	}
	if _, err := flow.ParseTimeDistribution(o.TimeDist); err != nil {
		return &OptionError{"time-dist", trimOption(err, "flow: unknown distribution of times ", "flow: distribution of times ")}
	}
	return nil
}

func validateISA(name string) error {
	_, err := ParseISA(name)
	return err
}

// ParseISA is [kernels.Parse] for the option ISA, which is what its error names.
func ParseISA(name string) (kernels.ISA, error) {
	isa, err := kernels.Parse(name)
	if err != nil {
		return isa, &OptionError{"isa", trimOption(err, "unknown instruction set ", "instruction set ")}
	}
	return isa, nil
}

// trimOption takes from an error of another package the words that name the option.
func trimOption(err error, prefixes ...string) string {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(err.Error(), p); ok {
			return rest
		}
	}
	return err.Error()
}

// A Duration is a time.Duration whose JSON is text such as "10m0s".
type Duration time.Duration

// String returns the text.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes the text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}
