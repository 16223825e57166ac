package bench

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/unet"
)

// A Workload is what was run, and on what.
type Workload struct {
	Preset string `json:"preset"`
	// Size and Channels are those of an image. In reports of old versions both are zero.
	Size       pipeline.Size `json:"size,omitzero"`
	Channels   int           `json:"channels,omitzero"`
	Batch      int           `json:"batch"`
	Threads    int           `json:"threads"`
	ISA        string        `json:"isa"`
	Precision  string        `json:"precision"` // of the network; empty in old reports: f32
	Parameters int           `json:"parameters"`
	// FLOPs counts the direct convolutions and linear layers of an evaluation, for one image.
	FLOPs float64 `json:"flops_per_evaluation"`
}

// same reports whether two measurements may be compared as one on the same machine.
func (w Workload) same(o Workload) bool {
	return w.Preset == o.Preset && w.Batch == o.Batch && w.Threads == o.Threads && w.ISA == o.ISA &&
		w.shape() == o.shape() && inPrecision(w.Precision) == inPrecision(o.Precision)
}

// shape returns the shape of the images. Old versions knew MNIST's alone.
func (w Workload) shape() pipeline.Shape {
	if w.Channels == 0 {
		return mnistShape
	}
	return pipeline.Shape{Height: w.Size.Height, Width: w.Size.Width, Channels: w.Channels}
}

// newWorkload describes a measurement.
func newWorkload(o Options, cfg unet.Config, parameters int) Workload {
	return Workload{
		Preset: o.Preset, Size: pipeline.Size{Width: cfg.ImageSize[1], Height: cfg.ImageSize[0]},
		Channels: cfg.InChannels, Batch: o.Batch, Threads: o.Threads, ISA: o.ISA, Precision: o.Precision,
		Parameters: parameters, FLOPs: cfg.FLOPs(),
	}
}

// Figures are the results that training and generating have in common. Rates are medians.
type Figures struct {
	ImagesPerS       float64    `json:"images_per_s"`
	Quartiles        [2]float64 `json:"images_per_s_quartiles"`
	Samples          int        `json:"samples"`
	ForwardPerS      float64    `json:"forward_images_per_s"` // evaluations of v for one image
	ForwardQuartiles [2]float64 `json:"forward_images_per_s_quartiles"`
	Percent          float64    `json:"percent_of_direct_limit"`         // for images_per_s
	ForwardPercent   float64    `json:"forward_percent_of_direct_limit"` // for forward_images_per_s
	// Peak is the limit of fused multiply-adds of all threads together, measured in the same run.
	Peak float64 `json:"fma_gflops"`
	// BF16 is that of products of bfloat16, as in a [Limit]. It is the limit of a network in that
	// precision, where it is not 0.
	BF16 float64 `json:"bf16_gflops,omitempty"`
	// PeakMemory is the resident memory of the whole process; 0 when the system does not tell it.
	PeakMemory  int64   `json:"peak_memory_bytes"`
	Allocations float64 `json:"allocations_per_step"` // median, after warm-up
	Seconds     float64 `json:"seconds"`              // time of the measurement
}

// TrainOptions says what training to measure.
type TrainOptions struct {
	Options
	// Optimizer is how parameters follow their gradient; empty: muon, as in training.
	Optimizer engine.Optimizer
	// Time is that of the whole, exceeded where a few steps take longer; 0: 20s.
	Time time.Duration

	// OnStart is told what will be measured, once the options are found right; may be nil.
	OnStart func(Workload)
}

// WithDefaults fills in everything.
func (o TrainOptions) WithDefaults() TrainOptions {
	o.Options = o.Options.withDefaults(defaultTrained)
	option.SetDefault(&o.Optimizer, engine.Muon)
	option.SetDefault(&o.Time, defaultTrainTime)
	return o
}

// Validate reports the first option that cannot be used, as a [*pipeline.OptionError].
func (o TrainOptions) Validate() error {
	d := o.WithDefaults()
	if err := option.First(
		checkTime(d.Time),
		option.OneOf("optimizer", d.Optimizer, engine.Optimizers()...),
		d.Compute.Validate(),
	); err != nil {
		return err
	}
	_, err := d.network()
	return err
}

// A TrainResult is the speed of training steps. A step draws noise and times, and does forward,
// backward, clipping, the optimiser, averaging and repacking.
type TrainResult struct {
	Stamp
	Workload
	// Optimizer is empty in reports of old versions.
	Optimizer  engine.Optimizer `json:"optimizer,omitempty"`
	MicroBatch int              `json:"micro_batch"`
	Figures
}

const (
	defaultTrainTime    = 20 * time.Second
	defaultGenerateTime = 20 * time.Second
	defaultTrained      = 128 // images of a step
	defaultDrawn        = 64  // images drawn at once
	defaultSteps        = 16
	// peakTime is the time for measuring the limit, before and after the rest.
	peakTime = 300 * time.Millisecond
)

// Train measures training steps, then evaluations. A mistake in the options is a
// [*pipeline.OptionError].
func Train(ctx context.Context, o TrainOptions) (*TrainResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	begin := time.Now()
	b, err := newTrainBench(ctx, o, nil, 0)
	if err != nil {
		return nil, err
	}
	defer b.close()
	r := &TrainResult{Stamp: newStamp(), Optimizer: o.Optimizer}
	o.Options, r.MicroBatch = b.options()
	net := b.session.Model
	cfg := net.Config()
	r.Workload = newWorkload(o.Options, cfg, net.Params().Len())
	if o.OnStart != nil {
		o.OnStart(r.Workload)
	}

	limit := b.limit(min(peakTime, o.Time/10))
	steps, err := repeat(ctx, o.Time*6/10, b.train)
	if err != nil {
		return nil, err
	}
	r.PeakMemory = peakMemory() // before evaluations take memory of their own
	forwards, err := repeat(ctx, o.Time*2/10, b.evaluateBatch)
	if err != nil {
		return nil, err
	}
	limit = limit.atLeast(b.limit(min(peakTime, o.Time/10)))
	r.Peak, r.BF16 = limit.GFLOPs, limit.BF16
	r.fill(1e9*limit.peak(o.Precision), 3*cfg.FLOPs(), cfg.FLOPs(), float64(o.Batch), steps.seconds, forwards.seconds)
	r.Allocations = steps.allocations
	r.Seconds = time.Since(begin).Seconds()
	return r, nil
}

// fill turns the seconds that batches took into rates and shares of the limit.
func (f *Figures) fill(limit, flops, forwardFLOPs, batch float64, seconds, forwards []float64) {
	rate, forward := quartiles(seconds, batch), quartiles(forwards, batch)
	f.ImagesPerS, f.Quartiles, f.Samples = rate.Median, [2]float64{rate.Low, rate.High}, rate.Samples
	f.ForwardPerS, f.ForwardQuartiles = forward.Median, [2]float64{forward.Low, forward.High}
	f.Percent, f.ForwardPercent = 100*rate.Median*flops/limit, 100*forward.Median*forwardFLOPs/limit
}

// repeats are calls that were timed.
type repeats struct {
	seconds     []float64 // time of each call
	allocations float64   // median of the calls' allocations
}

// repeat warms up by one call, and then times calls until about the given time is over, warm-up
// included. It times at least three calls, or one when the first took all the time.
func repeat(ctx context.Context, budget time.Duration, call func() error) (repeats, error) {
	begin := time.Now()
	if _, _, err := timed(ctx, call); err != nil {
		return repeats{}, err
	}
	least := leastSamples
	if time.Since(begin) > budget {
		least = 1
	}
	var r repeats
	var allocations []float64
	for len(r.seconds) < least || time.Since(begin) < budget {
		seconds, allocated, err := timed(ctx, call)
		if err != nil {
			return repeats{}, err
		}
		r.seconds, allocations = append(r.seconds, seconds), append(allocations, allocated)
	}
	slices.Sort(allocations)
	r.allocations = quantile(allocations, 0.5)
	return r, nil
}

// timed times a call and counts its allocations. It does not call when ctx has ended.
func timed(ctx context.Context, call func() error) (seconds, allocations float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err = call()
	seconds = time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	return seconds, float64(after.Mallocs - before.Mallocs), err
}

// GenerateOptions says what generating to measure.
type GenerateOptions struct {
	Options
	// Solver is a name of model.SolverNames; empty: abm2.
	Solver string
	// Steps are those of the solver; 0: 16.
	Steps int
	// Time is that of the whole, exceeded where a few batches take longer; 0: 20s.
	Time time.Duration

	// OnStart is told what will be measured, once the options are found right; may be nil.
	OnStart func(Workload)
}

// WithDefaults fills in everything.
func (o GenerateOptions) WithDefaults() GenerateOptions {
	o.Options = o.Options.withDefaults(defaultDrawn)
	option.SetDefault(&o.Solver, model.Method{}.WithDefaults().Solver)
	option.SetDefault(&o.Steps, defaultSteps)
	option.SetDefault(&o.Time, defaultGenerateTime)
	return o
}

// A GenerateResult is the speed of drawing images, without writing them. ForwardPerS counts the
// evaluations that the solver makes.
type GenerateResult struct {
	Stamp
	Workload
	Solver      string  `json:"solver"`
	Steps       int     `json:"steps"`
	Evaluations float64 `json:"evaluations_per_image"`
	// FirstImage is the time from a checkpoint in memory to the first image of the process:
	// reading, packing and drawing. It does not have the start of the process and the encoding of a
	// picture.
	FirstImage float64 `json:"ms_to_first_image"`
	Figures
}

// Generate measures drawing images. A mistake in the options is a [*pipeline.OptionError].
func Generate(ctx context.Context, o GenerateOptions) (*GenerateResult, error) {
	o = o.WithDefaults()
	if err := checkTime(o.Time); err != nil {
		return nil, err
	}
	begin := time.Now()
	b, err := newSampleBench(o.Options, sample.Options{Method: model.Method{Solver: o.Solver, Steps: o.Steps}})
	if err != nil {
		return nil, err
	}
	defer b.close()
	r := &GenerateResult{Stamp: newStamp()}
	o.Options = b.opt
	drawn := b.sampler.Options()
	r.Solver, r.Steps = drawn.Solver, drawn.Steps
	cfg, params := b.network()
	r.Workload = newWorkload(o.Options, cfg, params)
	if o.OnStart != nil {
		o.OnStart(r.Workload)
	}

	first, err := b.firstImage(ctx)
	if err != nil {
		return nil, err
	}
	r.FirstImage = 1e3 * first.Seconds()
	limit := b.limit(min(peakTime, o.Time/10))
	draws, err := repeat(ctx, o.Time*7/10, func() (err error) { r.Evaluations, err = b.draw(ctx); return err })
	if err != nil {
		return nil, err
	}
	r.PeakMemory = peakMemory()
	limit = limit.atLeast(b.limit(min(peakTime, o.Time/10)))
	work := r.Evaluations * cfg.FLOPs()
	r.Peak, r.BF16 = limit.GFLOPs, limit.BF16
	r.fill(1e9*limit.peak(o.Precision), work, work, float64(o.Batch), draws.seconds, draws.seconds)
	r.scaleForward(r.Evaluations)
	r.Allocations, err = stepAllocations(ctx, o)
	r.Seconds = time.Since(begin).Seconds()
	return r, err
}

// scaleForward turns rates of images into rates of evaluations.
func (f *Figures) scaleForward(evaluations float64) {
	f.ForwardPerS *= evaluations
	for i := range f.ForwardQuartiles {
		f.ForwardQuartiles[i] *= evaluations
	}
}

// stepAllocations returns the number of allocations in a step of a solver with fixed steps: the
// difference between drawings with more and with fewer steps. It is 0 for an adaptive solver, which
// chooses its steps itself.
func stepAllocations(ctx context.Context, o GenerateOptions) (float64, error) {
	const few, more = 2, 6
	var counts [2]float64
	for i, steps := range []int{few, more} {
		small := o.Options
		small.Batch = min(small.Batch, small.Threads)
		b, err := newSampleBench(small, sample.Options{Method: model.Method{Solver: o.Solver, Steps: steps}})
		if err != nil {
			return 0, err
		}
		draws, err := repeat(ctx, 0, func() error { _, err := b.draw(ctx); return err })
		b.close()
		if err != nil {
			return 0, err
		}
		counts[i] = draws.allocations
	}
	return max(0, counts[1]-counts[0]) / (more - few), nil
}
