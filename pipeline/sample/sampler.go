package sample

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"

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
	ck      *model.Checkpoint
	opt     Options
	plan    model.Plan
	classes []int32 // classes that the images take in turn; nil for random ones
	random  model.RowDraw
	crew    *crew.Crew
	pool    *Pool
	stats   ode.Stats // of all images so far
}

// NewSampler checks the options against the model and starts the workers, which Close ends. There
// are no more workers than o.Count. A mistake in the options is a [*pipeline.OptionError].
func NewSampler(ck *model.Checkpoint, o Options) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{ck: ck, random: ck.Meta.RowDraw(ck.Labels())}
	var err error
	if s.plan, o.Method, err = ck.Settle(ck.Path, o.Method); err != nil {
		return nil, err
	}
	s.opt = o.WithDefaults()
	var notes []pipeline.Event
	if s.classes, notes, err = s.opt.requested(ck); err != nil {
		return nil, err
	}
	for _, note := range notes {
		if s.opt.OnEvent != nil {
			s.opt.OnEvent(note)
		}
	}
	if flows := s.opt.Solver != model.FlowMapSolver; flows && s.opt.Guide == nil && len(s.classes) > 0 &&
		slices.Min(s.classes) == ck.Labels().NullRow() {
		s.opt.Guidance, s.opt.Interval = 1, model.WholeWay() // away from no class to no class
	}
	s.start()
	return s, nil
}

// requested returns the rows that the options ask for, nil for random ones, with notes on what was
// assumed.
func (o Options) requested(ck *model.Checkpoint) (rows []int32, notes []pipeline.Event, err error) {
	if o.NoClass {
		rows, err = ck.RequestedNoClass(o.Method)
		return rows, nil, err
	}
	return ck.RequestedClasses(o.Class, o.Method)
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
}

// Options returns the options with all defaults filled in.
func (s *Sampler) Options() Options { return s.opt }

// Checkpoint returns the model.
func (s *Sampler) Checkpoint() *model.Checkpoint { return s.ck }

// CycleClasses has images take classes in turn, unless the options ask for classes.
func (s *Sampler) CycleClasses(classes []int32) {
	if s.classes == nil {
		s.classes, s.opt.PerClass = classes, 1
	}
}

// Evaluations returns the evaluations of networks that an image took on average. Where guidance
// acts, a velocity takes two.
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
	images.Labels = s.labels(first, n)
	d := model.Drawing{
		Seed: s.opt.Seed, First: first, Labels: images.Labels, Guidance: s.opt.Guidance, Interval: s.opt.Interval,
		Null: s.ck.Labels().NullRow(), Plan: s.plan, Frame: frame,
	}
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
		finished += images
		s.opt.OnEvent(pipeline.Event{Kind: pipeline.Sampled, Images: finished, Total: s.opt.Count})
	}
}

// labels returns the classes of the images first..first+n-1, or nil for a network without classes.
func (s *Sampler) labels(first, n int) []int32 {
	if s.ck.Labels().Rows() == 0 {
		return nil
	}
	labels := make([]int32, n)
	var rng rand.PCG
	for i := range labels {
		if s.classes != nil {
			labels[i] = s.classes[(first+i)/s.opt.PerClass%len(s.classes)]
			continue
		}
		labels[i] = s.random.Row(&rng, s.opt.Seed, first+i)
	}
	return labels
}

// texts returns what a PNG says of the origin of its images.
func (s *Sampler) texts(images *picture.Images) []picture.Text {
	t := []picture.Text{
		{"Software", "fmimg " + pipeline.Version()},
		{"fmimg.version", pipeline.Version()},
		{"fmimg.model", s.ck.Hash},
		{"fmimg.seed", strconv.FormatUint(s.opt.Seed, 10)},
		{"fmimg.solver", s.opt.Solver},
		{"fmimg.steps", strconv.Itoa(s.opt.Steps)},
		{"fmimg.guidance", strconv.FormatFloat(s.opt.Guidance, 'g', -1, 64)},
	}
	if s.opt.Solver == ode.Dopri5.Name {
		t[5] = picture.Text{"fmimg.tol", strconv.FormatFloat(s.opt.Tol, 'g', -1, 64)}
	}
	if s.opt.Solver == "sde" {
		t = append(t, picture.Text{"fmimg.noise-level", strconv.FormatFloat(s.opt.NoiseLevel, 'g', -1, 64)})
	}
	t = append(t, GuidanceTexts(s.opt.Method)...)
	if p := s.ck.Precision(); p != "" {
		t = append(t, picture.Text{"fmimg.precision", p})
	}
	if images.Labels != nil {
		t = append(t, picture.Text{"fmimg.classes", picture.JoinInts(images.Labels)})
	}
	return t
}

// GuidanceTexts returns what a PNG says of guidance beside its weight: the interval where it is not
// the whole way, and the guide. The method is settled.
func GuidanceTexts(m model.Method) []picture.Text {
	var t []picture.Text
	if within := m.GuidedWithin(); within != (model.Interval{}) {
		t = append(t, picture.Text{"fmimg.guidance-interval", within.String()})
	}
	if hash := m.GuideHash(); hash != "" {
		t = append(t, picture.Text{"fmimg.guide", hash})
	}
	return t
}

// FitsMemory reports whether so many images of a shape may be in memory at once: see [MaxElements].
func FitsMemory(s pipeline.Shape, images int) bool { return images <= MaxElements/s.Len() }
