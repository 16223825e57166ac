package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// Options say for how long a run trains, how, and what it leaves, whatever it trains for. The zero
// value of each option is its default. The options of training and of distilling embed them.
type Options struct {
	// Out is the run folder; empty: a new one under runs/, or with Resume the newest run there.
	Out string `json:"-"`

	Budget
	Recipe
	Upkeep
	pipeline.Compute

	// Resume continues the run in Out. Then only the budget, Compute and Upkeep count, and what was
	// moved: the data, and the model that is distilled.
	Resume bool `json:"-"`
	// Given names the options that the caller set on purpose, as in the JSON form with - for _.
	// With Resume, one that differs from the run's own is an error; the others follow the run
	// silently.
	Given []string `json:"-"`
	// OnEvent is called with the run's progress, from the caller's own goroutine; may be nil.
	OnEvent func(pipeline.Event) `json:"-"`

	// Bounded refuses a run that needs more memory than there is. Without it that leaves a note.
	Bounded bool `json:"-"`

	// Words name commands and options in the run's README.md. Without them it has no commands, and
	// options go by their names.
	Words pipeline.Words `json:"-"`

	// Ranks are the processes that do the run together; nil: this one alone. All of them
	// call the same functions with the same options. Rank 0 owns the folder, and the others write
	// nothing and send no events.
	Ranks cluster.Comm `json:"-"`

	// Disk stands between the run and its files, in tests of full disks; nil otherwise.
	Disk func(io.Writer) io.Writer `json:"-"`
}

// A Budget says for how long a whole run trains: Steps, Time or Schedule, of which it takes one.
type Budget struct {
	// Steps is the number of batches; 0: as many as the rest of the budget allows.
	Steps int `json:"steps,omitempty"`
	// Time is training time, which shapes the learning rate as Steps does; 0: 10m, where there is
	// no other budget.
	Time Duration `json:"time,omitempty"`
	// Schedule replays a recorded run whose budget was in time; empty: none. A run records how it
	// went.
	Schedule engine.RateSchedule `json:"schedule,omitempty"`
	// EarlyStop ends the run when the loss of held-out images has turned, and keeps the averaged
	// weights for which it was the least. Training on up to 500 pictures turns it on by default.
	EarlyStop bool `json:"early_stop,omitempty"`
	// StopAfter ends the run early, after so many steps, as an interruption does; 0: never.
	StopAfter int `json:"-"`
}

// A Recipe says what the numbers of a run depend on beside its data and its network. A value below
// 0 turns off what has a default; config.json says 0 there.
type Recipe struct {
	// Batch is the number of images of a step; 0: 64.
	Batch int `json:"batch"`
	// MicroBatch is the number of images that a worker takes at once, which settles the order of
	// sums; 0: a quarter of the batch, at most 8.
	MicroBatch int `json:"micro_batch"`
	// Optimizer is how parameters follow their gradient; empty: muon.
	Optimizer engine.Optimizer `json:"optimizer"`
	// LR is the peak learning rate; 0: 0.004 with muon, 0.002 with adamw. Distilling takes 0.002.
	LR float64 `json:"lr"`
	// Warmup is the number of steps of linear warm-up, at most a tenth of the run; 0: 50; below 0:
	// none.
	Warmup int `json:"warmup"`
	// Decay is the shape of the learning rate; empty: cosine.
	Decay engine.Decay `json:"decay"`
	// Beta1 is AdamW's decay of the gradient's mean; 0: 0.9; below 0: none.
	Beta1 float64 `json:"beta1"`
	// Beta2 is AdamW's decay of the gradient's square; 0: 0.99; below 0: none.
	Beta2 float64 `json:"beta2"`
	// Eps is AdamW's smallest divisor; 0: 1e-8.
	Eps float64 `json:"eps"`
	// WeightDecay is decoupled, and times the learning rate; 0: 0.01; below 0: none.
	WeightDecay float64 `json:"weight_decay"`
	// Clip is the largest norm of a gradient; 0: 1; below 0: any.
	Clip float64 `json:"clip"`
	// EMA is the decay of the averaged weights; 0: 0.998; below 0: no averaging.
	EMA float64 `json:"ema"`
	// Seed is that of everything random. 0 is a seed like any other. The command takes 1 unless it
	// is told another.
	Seed uint64 `json:"seed"`
}

// Upkeep says what a run leaves and shows on its way.
type Upkeep struct {
	// SaveEvery is the number of steps between checkpoints; 0: about every minute.
	SaveEvery int `json:"save_every"`
	// PreviewEvery is the number of steps between previews; 0: about ten in a run; below 0: none.
	PreviewEvery int `json:"preview_every"`
	// ValidateEvery is the number of steps between validation losses; 0: as often as takes 1 % of
	// the time; below 0: never.
	ValidateEvery int `json:"validate_every"`
	// Keep is the number of numbered checkpoints of the averaged weights beside the last one; 0:
	// none.
	Keep int `json:"keep"`
	// TensorBoard also writes event files for TensorBoard into the run folder.
	TensorBoard bool `json:"tensorboard,omitempty"`
}

// defaultTime is the budget of a run that is given none.
const defaultTime = 10 * time.Minute

// WithDefaults fills in the options that have one default for all data.
func (o Options) WithDefaults() Options {
	o.Budget = o.Budget.WithDefaults()
	o.Recipe = o.Recipe.WithDefaults()
	o.Compute = o.Compute.WithDefaults()
	o.settleRanks()
	return o
}

// WithDefaults fills in the time of a run that has no budget at all.
func (b Budget) WithDefaults() Budget {
	if b.Steps == 0 && len(b.Schedule) == 0 {
		option.SetDefault(&b.Time, Duration(defaultTime))
	}
	return b
}

// WithDefaults fills in everything.
func (r Recipe) WithDefaults() Recipe {
	option.SetDefault(&r.Batch, 64)
	option.SetDefault(&r.MicroBatch, min(max(r.Batch/4, 1), 8))
	option.SetDefault(&r.Optimizer, engine.Muon)
	option.SetDefault(&r.LR, r.Optimizer.Rate())
	option.SetDefault(&r.Warmup, 50)
	option.SetDefault(&r.Decay, engine.CosineRate)
	option.SetDefault(&r.Beta1, 0.9)
	option.SetDefault(&r.Beta2, 0.99)
	option.SetDefault(&r.Eps, 1e-8)
	option.SetDefault(&r.WeightDecay, 0.01)
	option.SetDefault(&r.Clip, 1)
	option.SetDefault(&r.EMA, 0.998)
	return r
}

// WhereSilent returns what config.json means by what it does not say. Runs did not record their
// optimiser and their precision while there was one alone.
func WhereSilent() Options {
	o := Options{Recipe: Recipe{Optimizer: engine.AdamW}}
	o.Precision = kernels.F32.String()
	return o
}

// ToRecord turns options into the form of config.json, where 0 is none.
func (r *Recipe) ToRecord() {
	option.ZeroNone(&r.Warmup)
	option.ZeroNone(r.turnedOff()...)
}

// FromRecord undoes ToRecord.
func (r *Recipe) FromRecord() {
	option.NoneOfZero(&r.Warmup)
	option.NoneOfZero(r.turnedOff()...)
}

// turnedOff returns the numbers, beside Warmup, that a value below 0 turns off.
func (r *Recipe) turnedOff() []*float64 {
	return []*float64{&r.Beta1, &r.Beta2, &r.WeightDecay, &r.Clip, &r.EMA}
}

// Validate reports the first option that cannot be used. The defaults are filled in. A kind of run
// may have more budgets than these, so that ValidateBudget is apart.
func (o *Options) Validate() error {
	return option.First(
		option.Optional("steps", o.Steps, 1, engine.MaxSteps),
		o.Recipe.Validate(),
		o.Upkeep.Validate(),
		o.Compute.Validate(),
		option.Optional("stop-after", o.StopAfter, 1, engine.MaxSteps),
	)
}

// Validate reports the first option that cannot be used. The defaults are filled in.
func (r *Recipe) Validate() error {
	return option.First(
		option.Between("batch", r.Batch, 1, pipeline.MaxBatch),
		option.Between("micro-batch", r.MicroBatch, 1, min(r.Batch, 64)),
		option.Between("warmup", option.OrNone(r.Warmup), 0, engine.MaxSteps),
		option.OneOf("optimizer", r.Optimizer, engine.Optimizers()...),
		option.Between("lr", r.LR, 1e-12, 1e3),
		option.Between("beta1", option.OrNone(r.Beta1), 0, pipeline.Below1),
		option.Between("beta2", option.OrNone(r.Beta2), 0, pipeline.Below1),
		option.Between("eps", r.Eps, 1e-30, 1),
		option.Between("weight-decay", option.OrNone(r.WeightDecay), 0, 1e3),
		option.Between("clip", option.OrNone(r.Clip), 0, 1e30),
		option.Between("ema", option.OrNone(r.EMA), 0, pipeline.Below1),
		option.OneOf("decay", r.Decay, engine.Decays()...),
	)
}

// Validate reports the first option that cannot be used.
func (u *Upkeep) Validate() error {
	return option.First(
		option.Optional("save-every", u.SaveEvery, 1, engine.MaxSteps),
		option.Between("preview-every", u.PreviewEvery, -1, engine.MaxSteps),
		option.Between("validate-every", u.ValidateEvery, -1, engine.MaxSteps),
		option.Between("keep", u.Keep, 0, 1<<16),
	)
}

// engine returns the recipe as numbers, with 0 for what is turned off.
func (r *Recipe) engine() engine.Recipe {
	return engine.Recipe{
		Batch: r.Batch, MicroBatch: r.MicroBatch,
		Beta1: option.OrNone(r.Beta1), Beta2: option.OrNone(r.Beta2), Eps: r.Eps,
		Decay: option.OrNone(r.WeightDecay), Clip: option.OrNone(r.Clip), EMA: option.OrNone(r.EMA),
		Optimizer: r.Optimizer,
	}
}

// Rate returns the learning rate at a step of a schedule.
func (r *Recipe) Rate(s engine.RateSchedule, step int) float64 {
	return s.Rate(step, r.LR, option.OrNone(r.Warmup), r.Decay)
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
			"ends at step %d, not at the %s asked for", o.Schedule.Total(), text.Count(o.Steps, "step", "steps"))
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

// Reader returns how the run reads its data.
func (o *Options) Reader() feed.Reader {
	return feed.Reader{Seed: o.Seed, Threads: o.Threads, OnEvent: o.OnEvent}
}

// Note sends an event with something that a person should know. format and args are as for
// [option.Say].
func (o *Options) Note(format string, args ...any) {
	if o.OnEvent != nil {
		o.OnEvent(pipeline.Note(format, args...))
	}
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

// TakeOver sets, in the options of a recorded run, those that may change when the run goes on. It
// returns whether given has a new budget. other says that given has a new budget of a kind that
// only a job knows. The arithmetic may change too, although that alters the numbers.
func (o *Options) TakeOver(given *Options, other bool) (newBudget bool) {
	o.Resume, o.Threads, o.StopAfter = true, given.Threads, given.StopAfter
	o.OnEvent, o.Bounded, o.Words, o.Disk = given.OnEvent, given.Bounded, given.Words, given.Disk
	o.Ranks = given.Ranks
	o.settleRanks()
	o.overrideArithmetic(given.Arithmetic)
	option.Override(&o.SaveEvery, given.SaveEvery)
	option.Override(&o.PreviewEvery, given.PreviewEvery)
	option.Override(&o.ValidateEvery, given.ValidateEvery)
	option.Override(&o.Keep, given.Keep)
	option.Override(&o.TensorBoard, given.TensorBoard)
	if slices.Contains(given.Given, "early-stop") {
		o.EarlyStop = given.EarlyStop
	}
	if other || given.Steps > 0 && given.Steps != o.Steps || given.Time > 0 && given.Time != o.Time {
		o.Steps, o.Time, o.Schedule = given.Steps, given.Time, nil
		return true
	}
	return false
}

// overrideArithmetic takes over what given names. A note says that the run changes.
func (o *Options) overrideArithmetic(given pipeline.Arithmetic) {
	had := o.Arithmetic
	o.Override(given)
	now := o.Arithmetic
	if _, _, err := now.Settle(); err == nil && now != had {
		o.Note("the run goes on with %s in %s, and had %s in %s: repeating it from the start gives other tensors",
			now.ISA, now.Precision, had.ISA, had.Precision)
	}
}

// mayChange are the names of the options that a resumed run takes from its caller.
var mayChange = []string{
	"out", "resume", "steps", "epochs", "time", "stop-after", "threads", "isa", "precision", "save-every", "preview-every",
	"validate-every", "keep", "data-memory", "tensorboard", "early-stop",
}

// Conflict compares the recorded options of the run in a folder with the wanted ones, by the names
// of their JSON form. It returns a [*pipeline.OptionError] for the first of the given options that
// differs and cannot change.
func Conflict(folder string, recorded, wanted map[string]any, given []string) error {
	for _, name := range given {
		key := strings.ReplaceAll(name, "-", "_")
		want, known := wanted[key]
		had := recorded[key]
		if !known && had != nil { // given as none
			want, known = "none", true
		}
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

// FieldsOf returns the values of options by the names of their JSON form.
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
