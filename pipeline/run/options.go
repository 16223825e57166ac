package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// Reader returns how the run reads its data.
func (o *Options) Reader() feed.Reader {
	return feed.Reader{Seed: o.Seed, Threads: o.Threads, OnEvent: o.OnEvent}
}

// Note tells what a person should know before the run begins, see [option.Say].
func (o *Options) Note(format string, args ...any) {
	if o.OnEvent != nil {
		o.OnEvent(pipeline.Note(format, args...))
	}
}

// Options say for how long a run trains, how, and what it leaves, whatever it trains for: [TrainOptions] and
// [DistillOptions] hold them.
type Options struct {
	Out string `json:"-"` // the run folder; empty: one of its own under runs/

	// Budget of the whole run: at most one of the two; none: 10 minutes.
	Steps    int                 `json:"steps,omitempty"`    // batches
	Time     Duration            `json:"time,omitempty"`     // training time, which shapes the learning rate as steps do
	Schedule engine.RateSchedule `json:"schedule,omitempty"` // replays a recorded run with a budget in time; resolved: as the run went
	// StopAfter ends the run early, after so many steps, as an interruption does; 0: never.
	StopAfter int `json:"-"`

	Batch      int `json:"batch"`       // images of a step; 0: 64
	MicroBatch int `json:"micro_batch"` // images that a worker takes at once, which settles the order of sums; 0: a quarter of the batch, at most 8

	Optimizer Optimizer `json:"optimizer"` // empty: adamw

	LR          float64      `json:"lr"`           // peak learning rate; 0: 0.004 with muon, 0.002 with adamw
	Warmup      int          `json:"warmup"`       // steps of linear warm-up, at most a tenth of the run
	Decay       engine.Decay `json:"decay"`        // shape of the learning rate; empty: cosine
	Beta1       float64      `json:"beta1"`        // AdamW's decay of the gradient's mean
	Beta2       float64      `json:"beta2"`        // AdamW's decay of the gradient's square
	Eps         float64      `json:"eps"`          // AdamW's smallest divisor; 0: 1e-8
	WeightDecay float64      `json:"weight_decay"` // decoupled, times the learning rate
	Clip        float64      `json:"clip"`         // largest norm of a gradient; 0: unlimited
	EMA         float64      `json:"ema"`          // decay of the averaged weights; 0: no averaging

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
	OnEvent func(pipeline.Event) `json:"-"`

	// Words name commands and options in the run's README.md; nil: it has no commands, and options
	// go by their names.
	Words pipeline.Words `json:"-"`

	// Disk stands between the run and its files, in tests of full disks; nil otherwise.
	Disk func(io.Writer) io.Writer `json:"-"`
}

func DefaultOptions() Options {
	return Options{
		Batch: 64, Optimizer: Muon,
		Warmup: 50, Decay: engine.CosineRate, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.01, Clip: 1, EMA: 0.998,
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

// FillDefaults fills in what has one default; untimed says that no other budget than these is given.
func (o *Options) FillDefaults(untimed bool) {
	option.SetDefault(&o.Batch, 64)
	option.SetDefault(&o.MicroBatch, min(max(o.Batch/4, 1), 8))
	option.SetDefault(&o.Optimizer, AdamW)
	option.SetDefault(&o.LR, o.Optimizer.Rate())
	option.SetDefault(&o.Decay, engine.CosineRate)
	option.SetDefault(&o.Eps, 1e-8)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	if untimed && o.Steps == 0 && o.Time == 0 && len(o.Schedule) == 0 {
		o.Time = Duration(defaultTime)
	}
}

// Validate reports the first option that cannot be used, but for the budget, of which a kind of run may have more.
func (o *Options) Validate() error {
	return option.First(
		option.Optional("steps", o.Steps, 1, engine.MaxSteps),
		option.Between("batch", o.Batch, 1, pipeline.MaxBatch),
		option.Between("micro-batch", o.MicroBatch, 1, min(o.Batch, 64)),
		option.Between("warmup", o.Warmup, 0, engine.MaxSteps),
		option.Between("threads", o.Threads, 1, pipeline.MaxThreads),
		option.Optional("save-every", o.SaveEvery, 1, engine.MaxSteps),
		option.Between("preview-every", o.PreviewEvery, -1, engine.MaxSteps),
		option.Between("validate-every", o.ValidateEvery, -1, engine.MaxSteps),
		option.Between("keep", o.Keep, 0, 1<<16),
		option.Optional("stop-after", o.StopAfter, 1, engine.MaxSteps),
		option.OneOf("optimizer", string(o.Optimizer), string(AdamW), string(Muon)),
		option.Between("lr", o.LR, 1e-12, 1e3),
		option.Between("beta1", o.Beta1, 0, pipeline.Below1),
		option.Between("beta2", o.Beta2, 0, pipeline.Below1),
		option.Between("eps", o.Eps, 1e-30, 1),
		option.Between("weight-decay", o.WeightDecay, 0, 1e3),
		option.Between("clip", o.Clip, 0, 1e30),
		option.Between("ema", o.EMA, 0, pipeline.Below1),
		option.OneOf("decay", string(o.Decay), string(engine.CosineRate), string(engine.LinearRate), string(engine.ConstantRate)),
		pipeline.ValidateISA(o.ISA),
	)
}

// ValidateBudget looks at the budget, which may be in epochs too: kinds lists what it may be in.
func (o *Options) ValidateBudget(epochs float64, kinds string) error {
	given := 0
	for _, budget := range []bool{o.Steps != 0, epochs != 0, o.Time != 0} {
		if budget {
			given++
		}
	}
	switch {
	case given > 1 && o.Steps != 0:
		return option.Errorf("steps", o.Steps, "one budget too many: give one of %s", kinds)
	case given > 1:
		return option.Errorf("epochs", epochs, "one budget too many: give one of %s", kinds)
	case o.Time < 0 || (o.Time > 0 && o.Time < Duration(time.Millisecond)):
		return option.Errorf("time", o.Time, "a duration of 1ms or more, such as 10m, is needed")
	case len(o.Schedule) > 0 && o.Steps != 0 && o.Steps != o.Schedule.Total():
		return option.Errorf("schedule", nil,
			"ends at step %d, not at the %d steps asked for", o.Schedule.Total(), o.Steps)
	case len(o.Schedule) > 0 && (o.Time != 0 || epochs != 0) && !o.Resume:
		return option.Errorf("schedule", nil, "replays a run by its steps: leave time and epochs out")
	}
	if wrong, ok := errors.AsType[*engine.ScheduleError](o.Schedule.Validate()); ok {
		return option.Errorf("schedule", nil, "%s", wrong.Reason)
	}
	return nil
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

// Plan returns the schedule of a new run: empty when only the clock will tell.
func (o *Options) Plan() engine.RateSchedule {
	switch {
	case len(o.Schedule) > 0:
		return o.Schedule
	case o.Steps > 0:
		return engine.RateSchedule{{Step: 0, Total: o.Steps}}
	}
	return nil
}

// TakeOver takes over from the caller's options what may change when a recorded run goes on, and reports whether it
// has a new budget: other says that it has one of another kind. The instruction set may change too, which does
// alter the last bits.
func (o *Options) TakeOver(given *Options, other bool) (newBudget bool) {
	o.Resume, o.Threads, o.StopAfter = true, given.Threads, given.StopAfter
	o.OnEvent, o.Words, o.Disk = given.OnEvent, given.Words, given.Disk
	option.Override(&o.ISA, given.ISA)
	option.Override(&o.SaveEvery, given.SaveEvery)
	option.Override(&o.PreviewEvery, given.PreviewEvery)
	option.Override(&o.ValidateEvery, given.ValidateEvery)
	option.Override(&o.Keep, given.Keep)
	option.Override(&o.TensorBoard, given.TensorBoard)
	if other || given.Steps > 0 && given.Steps != o.Steps || given.Time > 0 && given.Time != o.Time {
		o.Steps, o.Time, o.Schedule = given.Steps, given.Time, nil
		return true
	}
	return false
}

// mayChange are the options that a resumed run takes from its caller.
var mayChange = []string{
	"out", "resume", "steps", "epochs", "time", "stop-after", "threads", "isa", "save-every", "preview-every", "validate-every", "keep", "data-memory", "tensorboard",
}

// Conflict returns an [*OptionError] for an option that the caller has given on purpose and that differs from that of
// the run recorded in a folder, whose numbers it would change. Options come by the names of their JSON form.
func Conflict(folder string, recorded, wanted map[string]any, given []string) error {
	for _, name := range given {
		key := strings.ReplaceAll(name, "-", "_")
		want, known := wanted[key]
		had := recorded[key]
		if !known || slices.Contains(mayChange, name) || fmt.Sprint(want) == fmt.Sprint(had) || want == "auto" {
			continue
		}
		if had == nil {
			had = "none"
		}
		return option.Errorf(name, want,
			"the run in %s has %v, which cannot change: leave the option out, or train anew",
			folder, had)
	}
	return nil
}

// FieldsOf returns options by the names of their JSON form.
func FieldsOf(options any) map[string]any {
	text, err := json.Marshal(options)
	if err != nil {
		panic(err) // plain data: options are validated before they are compared
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		panic(err)
	}
	return fields
}
