package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// BenchOptions says what work to run for a measurement: the network of a preset, with the classes of
// MNIST and one for none, on the images that Train would take.
type BenchOptions struct {
	Preset  string // of package unet; empty: base
	Batch   int    // images of a step; 0: 128 to train, 64 to generate
	Threads int    // 0: GOMAXPROCS
	ISA     string // empty: the best of this machine

	// Source is the data to train on, instead of MNIST.
	Source dataset.Source
}

// A TrainBench runs the steps of Train one by one, and evaluations of the same network, without a
// run folder. It is not safe for concurrent use.
type TrainBench struct {
	run     *training
	network *unet.Model
	step    int
	inputs  []evaluation // one for each worker, made by the first Forward
	next    atomic.Int64 // image to evaluate next
	forward func(worker int)
}

// An evaluation is what one worker needs to evaluate the network: images of noise at some time.
type evaluation struct {
	net  Replica
	v, x []float32
	t    []float32
	y    []int32
}

// NewTrainBench opens the data, draws a network and starts the workers; Close ends them. A mistake in
// the options is an [*OptionError].
func NewTrainBench(o BenchOptions) (*TrainBench, error) {
	opt := DefaultTrainOptions()
	opt.Data, opt.Source, opt.Threads, opt.ISA = "mnist", o.Source, o.Threads, o.ISA
	option.Override(&opt.Preset, o.Preset)
	option.Override(&opt.Batch, o.Batch)
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	r := newTraining(opt)
	isa, err := kernels.Parse(o.ISA)
	if err != nil {
		return nil, err
	}
	if err := r.openData(context.Background()); err != nil {
		return nil, err
	}
	lesson := &matchLesson{}
	if err := lesson.resolve(r, isa); err != nil {
		return nil, err
	}
	if err := lesson.build(r, isa); err != nil {
		return nil, err
	}
	b := &TrainBench{run: r, network: lesson.network}
	b.forward = b.evaluate
	return b, nil
}

// Close ends the workers.
func (b *TrainBench) Close() { b.run.close() }

// Step trains on one batch: draws, forward, backward, AdamW, averages and repacking. After the first
// one it allocates nothing.
func (b *TrainBench) Step() error {
	o := b.run.opt
	result, err := b.run.engine.run(context.Background(), b.step, Schedule{{0, maxSteps}}.Rate(b.step, o.LR, o.Warmup, o.Decay))
	if err == nil && !result.finite() {
		err = fmt.Errorf("training step %d: the loss is %g and its gradient %g", b.step, result.loss, result.norm)
	}
	b.step++
	return err
}

// Forward evaluates the network for as many images as a batch has, spread over the workers. After the
// first call, which makes room, it allocates nothing.
func (b *TrainBench) Forward() error {
	if b.inputs == nil {
		b.makeInputs()
		// Each worker's kernels find their scratch memory now, whoever gets how many images later.
		if err := b.run.crew.run(b.warmUp); err != nil {
			return err
		}
	}
	b.next.Store(0)
	return b.run.crew.run(b.forward)
}

func (b *TrainBench) makeInputs() {
	cfg, size := b.network.Config(), min(b.run.opt.Batch, replicaImages)
	var rng rand.PCG
	for range b.run.crew.size() {
		in := evaluation{
			net: b.network.NewReplica(size, false),
			v:   make([]float32, size*cfg.ImageLen()), x: make([]float32, size*cfg.ImageLen()),
			t: make([]float32, size),
		}
		flow.Gaussian(in.x, &rng)
		for i := range in.t {
			in.t[i] = (float32(i) + 0.5) / float32(size)
		}
		if cfg.NumClasses > 0 {
			in.y = make([]int32, size)
		}
		b.inputs = append(b.inputs, in)
	}
}

func (b *TrainBench) warmUp(worker int) {
	in := &b.inputs[worker]
	in.net.Forward(in.v, in.x, in.t, in.y)
}

// evaluate takes images, some at a time, until the batch is done.
func (b *TrainBench) evaluate(worker int) {
	in, batch := &b.inputs[worker], b.run.opt.Batch
	size := len(in.t)
	each := b.run.images.Len()
	for {
		from := int(b.next.Add(int64(size))) - size
		if from >= batch {
			return
		}
		n := min(size, batch-from)
		y := in.y
		if y != nil {
			y = y[:n]
		}
		in.net.Forward(in.v[:n*each], in.x[:n*each], in.t[:n], y)
	}
}

// Limit measures what the cores reach together in fused multiply-adds alone, in operations a second:
// see [kernels.ISA.Peak].
func (b *TrainBench) Limit(budget time.Duration) float64 {
	return limit(b.run.crew, b.run.model.ISA(), budget)
}

func limit(c *crew, isa kernels.ISA, budget time.Duration) float64 {
	rates := make([]float64, c.size())
	// Peak runs on registers alone and cannot panic, which is the only error there is.
	_ = c.run(func(worker int) { rates[worker] = isa.Peak(budget) })
	return inorder.Sum(rates)
}

// Options returns the options with all defaults filled in, and the micro-batch that follows from them.
func (b *TrainBench) Options() (o BenchOptions, microBatch int) {
	t := &b.run.options
	return BenchOptions{Preset: t.Preset, Batch: t.Batch, Threads: t.Threads, ISA: b.run.model.ISA().String(), Source: b.run.data}, t.MicroBatch
}

// Model returns the network.
func (b *TrainBench) Model() *unet.Model { return b.network }

// A SampleBench draws the images of Generate without writing them, from a network with drawn weights.
// It is not safe for concurrent use.
type SampleBench struct {
	opt     BenchOptions
	file    []byte // the checkpoint
	isa     kernels.ISA
	sampler *Sampler
	drawing Drawing
	pixels  []float32
}

// classesToDraw is how many classes the network of a SampleBench has, as one trained on MNIST.
const classesToDraw = 10

// NewSampleBench draws a network and starts the workers; Close ends them. s is as for [NewSampler], but
// for the number of images and of threads, which the options of the bench say. A mistake in either is
// an [*OptionError].
func NewSampleBench(o BenchOptions, s SampleOptions) (*SampleBench, error) {
	option.SetDefault(&o.Preset, "base")
	option.SetDefault(&o.Batch, 64)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	if err := option.Between("batch", o.Batch, 1, maxBatch); err != nil {
		return nil, err
	}
	if err := validateISA(o.ISA); err != nil {
		return nil, err
	}
	isa, err := kernels.Parse(o.ISA)
	if err != nil {
		return nil, err
	}
	o.ISA = isa.String()
	b := &SampleBench{opt: o, isa: isa}
	if err := b.drawNetwork(); err != nil {
		return nil, err
	}
	s.Count, s.Threads = o.Batch, o.Threads
	option.SetDefault(&s.Guidance, 1) // the network runs once an evaluation, unless it is asked for
	if b.sampler, err = b.open(s); err != nil {
		return nil, err
	}
	cfg := b.Model().Config()
	b.pixels = make([]float32, o.Batch*cfg.ImageLen())
	b.drawing = Drawing{
		Seed: s.Seed, Labels: b.sampler.labels(0, o.Batch), Null: int32(cfg.NumClasses - 1),
		Guidance: b.sampler.opt.Guidance, Plan: b.sampler.plan,
	}
	return b, nil
}

// drawNetwork makes the checkpoint.
func (b *SampleBench) drawNetwork() error {
	cfg, err := unet.Preset(b.opt.Preset)
	if err != nil {
		return &OptionError{"preset", trimOption(err, "unknown preset ")}
	}
	cfg.NumClasses, cfg.NullClass = classesToDraw+1, true
	model, err := unet.New(cfg, b.isa, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return err
	}
	var file bytes.Buffer
	err = safetensors.Write(&file, model.File(model.Params().Values, safetensors.F32, nil))
	b.file = file.Bytes()
	return err
}

// open loads the checkpoint and starts a sampler.
func (b *SampleBench) open(s SampleOptions) (*Sampler, error) {
	ck, err := readCheckpoint(bytes.NewReader(b.file), "of preset "+b.opt.Preset, b.opt.ISA)
	if err != nil {
		return nil, err
	}
	return NewSampler(ck, s)
}

// Close ends the workers.
func (b *SampleBench) Close() { b.sampler.Close() }

// Draw draws a batch of images, which it forgets, and returns how many evaluations of the network an
// image took. A guided evaluation counts twice, as the network runs twice for it.
func (b *SampleBench) Draw(ctx context.Context) (evaluations float64, err error) {
	stats, err := b.sampler.sampler.run(ctx, b.drawing, b.pixels)
	evaluations = stats.MeanEvaluations()
	if b.drawing.Guidance != 1 {
		evaluations *= 2
	}
	return evaluations, err
}

// FirstImage returns the time from a checkpoint in memory to the first image: reading it, packing the
// weights, starting workers and drawing.
func (b *SampleBench) FirstImage(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	o := b.sampler.opt
	o.Count = 1
	s, err := b.open(o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	_, err = s.Draw(ctx, 0, 1)
	return time.Since(begin), err
}

// Limit measures what the cores reach together in fused multiply-adds alone, in operations a second.
func (b *SampleBench) Limit(budget time.Duration) float64 {
	c := newCrew(b.opt.Threads) // a sampler has no more workers than images
	defer c.close()
	return limit(c, b.isa, budget)
}

// Options returns the options with all defaults filled in.
func (b *SampleBench) Options() (BenchOptions, SampleOptions) { return b.opt, b.sampler.opt }

// Model returns the network.
func (b *SampleBench) Model() *unet.Model { return b.sampler.ck.UNet().Model }
