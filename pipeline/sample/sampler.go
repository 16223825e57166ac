package sample

import (
	"context"
	"runtime"
	"sync"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// Options says which images to draw from a model and how. The zero value of each option is its
// default.
type Options struct {
	// Count is the number of images; 0: 1. [Generate] takes as many as its grid holds.
	Count int
	// Seed is that of the noise: image i depends on the seed and i, on no other image and on no
	// thread. The command takes 1 unless it is told another.
	Seed uint64
	// Class lists the classes that images take in turn: numbers, ranges, names and none, such as
	// "7", "0-9" or "1,sneaker,none", see [model.ClassList.Parse]; empty: each image a random one,
	// as often as the training data had it.
	Class string
	// NoClass asks for images of no class instead, in a model with a class called none too.
	NoClass bool
	// PerClass is the number of images of each class of the list before the next one's turn; 0: 1.
	PerClass int
	model.Method
	// Threads is the number of workers; 0: GOMAXPROCS.
	Threads int

	// Ranks are the processes that draw together; nil: this one alone. All of them call
	// the same functions with the same options, and have all images in the end. Rank 0 alone writes
	// files.
	Ranks cluster.Comm

	// OnEvent is told of finished images, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// Bounds on what is drawn at once.
const (
	ReplicaImages = 8       // images that a worker draws together
	MaxCount      = 1 << 24 // images of one call
	MaxElements   = 1 << 28 // numbers of the images in memory: 1 GiB
)

// WithDefaults fills in the defaults of networks that predict velocities.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, 1)
	o.Method = o.Method.WithDefaults()
	option.SetDefault(&o.PerClass, 1)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	return o
}

// Validate reports the first option that no model can use, as a [*pipeline.OptionError].
func (o Options) Validate() error {
	d := o.WithDefaults()
	return option.First(
		option.Between("count", d.Count, 1, MaxCount),
		option.Between("per-class", d.PerClass, 1, MaxCount),
		option.Between("threads", d.Threads, 1, pipeline.MaxThreads),
		o.Method.Validate(),
	)
}

// A Sampler draws images from a model, with workers of its own. It is not safe for concurrent use.
type Sampler struct {
	*Settled
	crew  *crew.Crew
	pool  *Pool
	stats ode.Stats // of all images so far
}

// NewSampler checks the options against the model and starts the workers, which Close ends. There
// are no more workers than o.Count. A mistake in the options is a [*pipeline.OptionError].
func NewSampler(ck *model.Checkpoint, o Options) (*Sampler, error) {
	settled, err := Settle(ck, o)
	if err != nil {
		return nil, err
	}
	s := &Sampler{Settled: settled}
	s.start()
	return s, nil
}

// start starts the workers.
func (s *Sampler) start() {
	workers, images := min(s.opt.Threads, s.opt.Count), min(s.opt.Count, ReplicaImages)
	s.crew = crew.New(workers)
	var drawers []model.Drawer
	for range workers {
		drawers = append(drawers, s.ck.NewDrawer(images, s.plan))
	}
	s.pool = NewPool(s.crew, drawers, images, s.ck.Shape().Len())
	s.pool.Ranks = s.opt.Ranks
}

// CycleClasses has images take classes in turn, unless the options ask for classes.
func (s *Sampler) CycleClasses(classes []int32) {
	if s.classes == nil {
		s.classes, s.opt.PerClass = classes, 1
	}
}

// Evaluations returns the evaluations of networks that an image took on average. Where guidance is
// computed, a velocity takes two.
func (s *Sampler) Evaluations() float64 { return s.stats.MeanEvaluations() }

// Close ends the workers.
func (s *Sampler) Close() { s.crew.Close() }

// Draw returns the images first..first+n-1 of the sampler's seed. When ctx ends, Draw returns
// ctx.Err().
func (s *Sampler) Draw(ctx context.Context, first, n int) (*picture.Images, error) {
	return s.DrawFrames(ctx, first, n, nil)
}

// DrawFrames is [Sampler.Draw] with a function that gets the states of each step: see Frame of
// [model.Drawing]. Image 0 of frame is image first of the seed.
func (s *Sampler) DrawFrames(
	ctx context.Context, first, n int, frame func(from, step int, x []float32),
) (*picture.Images, error) {
	images := picture.Blank(s.ck.Shape(), n)
	d := s.Drawing(first, n)
	images.Labels, d.Frame = d.Labels, frame
	if s.opt.OnEvent != nil {
		d.Done = s.report(first)
	}
	stats, err := s.pool.Run(ctx, d, images.Pixels)
	s.stats = s.stats.Merge(stats)
	return images, err
}

// report returns a function that adds up finished images and sends an event for them. Any goroutine
// may call it.
func (s *Sampler) report(first int) func(images int) {
	var mu sync.Mutex
	finished := first
	return func(images int) {
		mu.Lock()
		defer mu.Unlock()
		finished = min(finished+images, s.opt.Count)
		s.opt.OnEvent(pipeline.Event{Kind: pipeline.Sampled, Images: finished, Total: s.opt.Count})
	}
}

// FitsMemory reports whether so many images of a shape may be in memory at once: see [MaxElements].
func FitsMemory(s pipeline.Shape, images int) bool { return images <= MaxElements/s.Len() }
