package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/pipeline/train"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// Options say what work to measure: the network of a preset for images of a shape, with the classes
// of MNIST and "no class".
type Options struct {
	// Preset is a network of package unet; empty: base.
	Preset string
	// Batch is the number of images of a step, or drawn at once; 0: 128 to train on, 64 to draw.
	Batch int
	// Size is that of the images; zero: 28, as in MNIST.
	Size pipeline.Size
	// ImageChannels are the colours of the images; empty: auto, which is gray as in MNIST.
	ImageChannels feed.Channels
	pipeline.Compute

	// Source is the data to train on; nil: MNIST, or images of noise where Size and ImageChannels
	// are not MNIST's.
	Source dataset.Source
}

// withDefaults fills in everything but the batch, which depends on the measurement.
func (o Options) withDefaults(batch int) Options {
	option.SetDefault(&o.Preset, "base")
	option.SetDefault(&o.Batch, batch)
	option.SetDefault(&o.Size, mnistShape.Size())
	option.SetDefault(&o.ImageChannels, feed.AnyChannels)
	o.Compute = o.Compute.WithDefaults()
	return o
}

// shape returns the shape of the images. The defaults are filled in.
func (o Options) shape() pipeline.Shape {
	channels := mnistShape.Channels
	if o.ImageChannels != feed.AnyChannels {
		channels = slices.Index(feed.ChannelNames(), o.ImageChannels)
	}
	return pipeline.Shape{Height: o.Size.Height, Width: o.Size.Width, Channels: channels}
}

// network returns the network to measure, for unlabelled images. A mistake in the options is a
// [*pipeline.OptionError]. The defaults are filled in.
func (o Options) network() (unet.Config, error) {
	cfg, err := unet.Preset(o.Preset)
	if err != nil {
		return cfg, option.Of("preset", err)
	}
	if err := option.First(
		option.Between("batch", o.Batch, 1, pipeline.MaxBatch),
		o.Size.Validate(),
		option.OneOf("image-channels", o.ImageChannels, feed.ChannelNames()...),
	); err != nil {
		return cfg, err
	}
	s := o.shape()
	if f := cfg.Factor(); s.Width%f != 0 || s.Height%f != 0 {
		return cfg, option.Errorf("size", o.Size, "the network %s takes sides that are multiples of %d", o.Preset, f)
	}
	cfg.ImageSize, cfg.InChannels = [2]int{s.Height, s.Width}, s.Channels
	if err := cfg.Validate(); err != nil {
		return cfg, option.Errorf("size", o.Size, "%v", err)
	}
	return cfg, nil
}

// A trainBench runs single steps of a training, and evaluations of the same network, without a run
// folder. It is not safe for concurrent use.
type trainBench struct {
	session *train.Session
	crew    *crew.Crew
	step    int
	inputs  []evaluation // one for each worker; the first evaluation makes them
	next    atomic.Int64 // index of the next image to evaluate
	forward func(worker int)
}

// An evaluation is the memory of one worker for evaluating the network: images of noise, and their
// times.
type evaluation struct {
	net  model.Replica
	v, x []float32
	t    []float32
	y    []int32
}

// newTrainBench opens the data, draws a network and starts the workers, which close ends. The
// defaults of the options are filled in. A mistake in them is a [*pipeline.OptionError]. ranks do
// the steps together; nil: this process alone. micro is the number of images of a micro-batch; 0:
// as in training.
func newTrainBench(ctx context.Context, o TrainOptions, ranks cluster.Comm, micro int) (*trainBench, error) {
	var opt train.Options
	opt.Ranks, opt.MicroBatch = ranks, micro
	opt.Data, opt.Source, opt.Compute, opt.Seed = "mnist", o.Source, o.Compute, 1
	opt.Preset, opt.Batch, opt.Optimizer = o.Preset, o.Batch, o.Optimizer
	if s := o.shape(); o.Source == nil && s != mnistShape {
		opt.Source = newNoise(s)
		opt.Data = opt.Source.Name()
	}
	session, err := train.NewSession(ctx, opt)
	if err != nil {
		return nil, err
	}
	b := &trainBench{session: session, crew: crew.New(session.Options.Threads)}
	b.forward = b.evaluate
	return b, nil
}

// close ends the workers.
func (b *trainBench) close() {
	b.crew.Close()
	b.session.Close()
}

// train makes one step of the training. After the first call it allocates nothing.
func (b *trainBench) train() error {
	o := &b.session.Options
	rate := o.Rate(engine.RateSchedule{{Total: engine.MaxSteps}}, b.step)
	result, err := b.session.Trainer.Step(context.Background(), b.step, rate)
	if err == nil && !result.Finite() {
		err = fmt.Errorf("training step %d: the loss is %g and its gradient %g", b.step, result.Loss, result.Norm)
	}
	b.step++
	return err
}

// evaluateBatch evaluates the network for the images of a batch, spread over the workers. After the
// first call it allocates nothing.
func (b *trainBench) evaluateBatch() error {
	if b.inputs == nil {
		b.makeInputs()
		// The kernels of each worker allocate their scratch memory here: later the workers share
		// the images in any way.
		if err := b.crew.Run(b.warmUp); err != nil {
			return err
		}
	}
	b.next.Store(0)
	return b.crew.Run(b.forward)
}

// makeInputs makes the evaluations of all workers.
func (b *trainBench) makeInputs() {
	cfg, size := b.session.Model.Config(), min(b.session.Options.Batch, sample.ReplicaImages)
	var rng rand.PCG
	for range b.crew.Size() {
		in := evaluation{
			net: b.session.Model.NewReplica(size, false),
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

// warmUp evaluates the network once on one worker.
func (b *trainBench) warmUp(worker int) {
	in := &b.inputs[worker]
	in.net.Forward(in.v, in.x, in.t, in.y)
}

// evaluate takes some images at a time until the batch is done.
func (b *trainBench) evaluate(worker int) {
	in, batch := &b.inputs[worker], b.session.Options.Batch
	size := len(in.t)
	each := b.session.Model.Config().ImageLen()
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

// limit measures the peaks of as many threads as there are workers.
func (b *trainBench) limit(budget time.Duration) Limit {
	return measurePeaks(b.session.Model.ISA(), b.crew.Size(), budget)
}

// options returns the options with all defaults filled in, and the micro-batch that follows from
// them.
func (b *trainBench) options() (o Options, microBatch int) {
	t := &b.session.Options
	return Options{Preset: t.Preset, Batch: t.Batch, Compute: t.Compute, Source: b.session.Data}, t.MicroBatch
}

// A sampleBench draws images without writing them, from a network with random weights. It is not
// safe for concurrent use.
type sampleBench struct {
	opt     Options
	file    []byte // the checkpoint
	isa     kernels.ISA
	sampler *sample.Sampler
}

// classesToDraw is the number of classes of a sampleBench's network, as of one trained on MNIST.
const classesToDraw = 10

// newSampleBench makes a network and starts the workers, which close ends. s is as for
// [sample.NewSampler], but o has the numbers of images and threads. A mistake in either is a
// [*pipeline.OptionError].
func newSampleBench(o Options, s sample.Options) (*sampleBench, error) {
	o = o.withDefaults(defaultDrawn)
	isa, _, err := o.Settle()
	if err != nil {
		return nil, err
	}
	b := &sampleBench{opt: o, isa: isa}
	if err := b.drawNetwork(); err != nil {
		return nil, err
	}
	s.Count, s.Threads = o.Batch, o.Threads
	option.SetDefault(&s.Guidance, 1) // without guidance, the network runs once in an evaluation
	b.sampler, err = b.open(s)
	return b, err
}

// drawNetwork makes a checkpoint with random weights.
func (b *sampleBench) drawNetwork() error {
	cfg, err := b.opt.network()
	if err != nil {
		return err
	}
	cfg.NumClasses, cfg.NullClass = classesToDraw+1, true
	net, err := unet.New(cfg, b.isa, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return err
	}
	var file bytes.Buffer
	err = safetensors.Write(&file, net.File(net.Params().Values, safetensors.F32, nil))
	b.file = file.Bytes()
	return err
}

// open loads the checkpoint and starts a sampler.
func (b *sampleBench) open(s sample.Options) (*sample.Sampler, error) {
	ck, err := model.Read(bytes.NewReader(b.file), b.opt.Arithmetic)
	if err != nil {
		return nil, err
	}
	return sample.NewSampler(ck, s)
}

// close ends the workers.
func (b *sampleBench) close() { b.sampler.Close() }

// draw draws a batch of images and returns the number of network evaluations for an image.
func (b *sampleBench) draw(ctx context.Context) (evaluations float64, err error) {
	_, err = b.sampler.Draw(ctx, 0, b.opt.Batch)
	return b.sampler.Evaluations(), err
}

// firstImage returns the time from a checkpoint in memory to the first image: reading the file,
// packing the weights, starting workers and drawing.
func (b *sampleBench) firstImage(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	o := b.sampler.Options()
	o.Count = 1
	s, err := b.open(o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	_, err = s.Draw(ctx, 0, 1)
	return time.Since(begin), err
}

// limit measures the peaks of all threads. A sampler has no more workers than images.
func (b *sampleBench) limit(budget time.Duration) Limit {
	return measurePeaks(b.isa, b.opt.Threads, budget)
}

// network returns the configuration of the network and its number of parameters.
func (b *sampleBench) network() (cfg unet.Config, params int) {
	u := b.sampler.Checkpoint().UNet()
	return u.Config(), u.Params().Len()
}
