package sample

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
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
	// "7", "0-9" or "1,sneaker,none"; empty: each image a random one.
	Class string
	// PerClass is the number of images of each class of the list before the next one's turn; 0: 1.
	PerClass int
	model.Method
	// Threads is the number of workers; 0: GOMAXPROCS.
	Threads int

	// OnEvent is told of finished images, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

const (
	ReplicaImages = 8       // images that a worker draws together
	MaxCount      = 1 << 24 // images of one call
	MaxElements   = 1 << 28 // numbers of images that are held in memory at once: 1 GiB
)

// WithDefaults fills in the defaults for a network of velocities.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, 1)
	o.Method = o.Method.WithDefaults()
	option.SetDefault(&o.PerClass, 1)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	return o
}

// Validate reports the first option that cannot be used with any model, as an [*OptionError].
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
	classes []int32 // that images take in turn, nil for random ones
	crew    *crew.Crew
	pool    *Pool
	stats   ode.Stats // of all images so far
}

// NewSampler checks the options against the model and starts the workers; Close ends them.
func NewSampler(ck *model.Checkpoint, o Options) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{ck: ck}
	var err error
	if s.plan, o.Method, err = ck.Settle(ck.Path, o.Method); err != nil {
		return nil, err
	}
	s.opt = o.WithDefaults()
	if s.classes, err = ck.RequestedClasses(s.opt.Class, s.opt.Guidance); err != nil {
		return nil, err
	}
	if len(s.classes) > 0 && slices.Min(s.classes) == ck.Labels().NullRow() {
		s.opt.Guidance = 1 // away from no class to no class
	}
	s.start()
	return s, nil
}

func (s *Sampler) start() {
	workers, images := min(s.opt.Threads, s.opt.Count), min(s.opt.Count, ReplicaImages)
	s.crew = crew.New(workers)
	var drawers []model.Drawer
	for range workers {
		drawers = append(drawers, s.ck.NewDrawer(images))
	}
	s.pool = NewPool(s.crew, drawers, images, s.ck.Shape().Len())
}

// Options returns the options with all defaults filled in.
func (s *Sampler) Options() Options { return s.opt }

// Checkpoint returns the model.
func (s *Sampler) Checkpoint() *model.Checkpoint { return s.ck }

// CycleClasses lets images take classes in turn, unless the options ask for others.
func (s *Sampler) CycleClasses(classes []int32) {
	if s.classes == nil {
		s.classes, s.opt.PerClass = classes, 1
	}
}

// Evaluations returns the evaluations of the velocity that an image took on average, without those
// for guidance.
func (s *Sampler) Evaluations() float64 { return s.stats.MeanEvaluations() }

// Close ends the workers.
func (s *Sampler) Close() { s.crew.Close() }

// Draw returns the images first..first+n-1 of the sampler's seed.
func (s *Sampler) Draw(ctx context.Context, first, n int) (*picture.Images, error) {
	return s.DrawFrames(ctx, first, n, nil)
}

func (s *Sampler) DrawFrames(ctx context.Context, first, n int, frame func(from, step int, x []float32)) (*picture.Images, error) {
	images := picture.Blank(s.ck.Shape(), n)
	images.Labels = s.labels(first, n)
	d := model.Drawing{
		Seed: s.opt.Seed, First: first, Labels: images.Labels, Guidance: s.opt.Guidance,
		Null: s.ck.Labels().NullRow(), Plan: s.plan, Frame: frame,
	}
	if s.opt.OnEvent != nil {
		d.Done = s.report(first)
	}
	stats, err := s.pool.Run(ctx, d, images.Pixels)
	s.stats = s.stats.Merge(stats)
	return images, err
}

// report returns a function that adds up finished images, from any goroutine, and tells of them.
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

// labels returns the classes of images, nil for a network without.
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
		labels[i] = RandomClass(&rng, s.opt.Seed, first+i, s.ck.Labels().Count)
	}
	return labels
}

// texts is the provenance that goes into a PNG of the given images.
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
	if images.Labels != nil {
		t = append(t, picture.Text{"fmimg.classes", picture.JoinInts(images.Labels)})
	}
	return t
}

// FitsMemory reports whether so many images may be held at once.
func FitsMemory(s pipeline.Shape, images int) bool { return images <= MaxElements/s.Len() }

// GenerateOptions says what to draw, from which model, and where to put it. The zero value of each
// option is its default.
type GenerateOptions struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Out is FILE.png, FILE.gif, FILE.npy, a folder (DIR/ or one that exists), or - for a PNG to
	// Stdout; needed.
	Out string
	// Grid lays out a picture. Where it has as many rows as Sample.Class lists classes, row r is of
	// class r of the list. Without rows and columns it is settled by the number of images, or is
	// 8x8, or a row of 8 for each of several classes.
	Grid picture.GridOptions
	// Strip is the number of moments of each image's way from noise to image: a PNG has a row for
	// each image, a column for each moment; 0: none, but images alone.
	Strip int
	// ISA names the instruction set; empty: the best of this machine.
	ISA    string
	Sample Options
	// Stdout is written to for Out "-".
	Stdout io.Writer
}

// WithDefaults fills in what does not depend on the model and on the number of images.
func (o GenerateOptions) WithDefaults() GenerateOptions {
	o.Grid = o.Grid.WithDefaults()
	return o
}

// A GenerateResult says what was drawn.
type GenerateResult struct {
	Path        string
	Images      int
	Evaluations float64 // of the velocity, of an image on average
	Guidance    float64 // other than 1: each evaluation is two of the network
	Model       string  // where the model came from: a file, or the name of one in the program
}

// Generate draws images from a model and writes them: a grid as a PNG, the way of a grid from noise to
// images as a GIF or, a strip, as a PNG, numbers as a NumPy array, or a folder of PNGs. Options are checked, and Out is
// tried, before any work; a mistake is an [*OptionError].
func Generate(ctx context.Context, o GenerateOptions) (GenerateResult, error) {
	form, err := o.check()
	if err != nil {
		return GenerateResult{}, err
	}
	ck, err := model.Open(o.Model, o.ISA)
	if err != nil {
		return GenerateResult{}, err
	}
	if regular.Same(o.Out, ck.Path) {
		return GenerateResult{}, option.Errorf("out", o.Out, "is the model: name another file")
	}
	if !ck.HasTrajectory() && o.Strip > 2 {
		return GenerateResult{}, option.Errorf("strip", o.Strip,
			"%s is a normalizing flow, which has nothing between noise and image to show: take 2",
			model.ModelName(ck.Path))
	}
	classes, err := ck.RequestedClasses(o.Sample.Class, o.Sample.Guidance)
	if err != nil {
		return GenerateResult{}, err
	}
	o.layOut(form, len(classes))
	if err := o.checkSize(ck.Shape(), form); err != nil {
		return GenerateResult{}, err
	}
	s, err := NewSampler(ck, o.Sample)
	if err != nil {
		return GenerateResult{}, err
	}
	defer s.Close()
	if f := o.Sample.OnEvent; f != nil {
		f(pipeline.Event{Kind: pipeline.Started, Path: ck.Path, Total: o.Sample.Count, Text: DescribeCheckpoint(ck)})
	}
	if err := form.write(ctx, s, &o); err != nil {
		return GenerateResult{}, err
	}
	return GenerateResult{Path: o.Out, Images: o.Sample.Count, Evaluations: s.Evaluations(), Guidance: s.opt.Guidance, Model: ck.Path}, nil
}

func DescribeCheckpoint(ck *model.Checkpoint) string {
	m := ck.Meta
	if ck.Embedded {
		return fmt.Sprintf("%s, part of the program (trained on %s, %d steps)", ck.Path, m.Data, m.Steps)
	}
	if m.Data == "" {
		return fmt.Sprintf("%s (%d parameters)", ck.Path, ck.Params().Len())
	}
	return fmt.Sprintf("%s (trained on %s, %d steps)", ck.Path, m.Data, m.Steps)
}

// check refuses what no model could draw, and tries the output.
func (o *GenerateOptions) check() (form *output, err error) {
	if err := pipeline.ValidateISA(o.ISA); err != nil {
		return nil, err
	}
	if form, err = outputFor(o.Out); err != nil {
		return nil, err
	}
	if err := o.checkStrip(form); err != nil {
		return nil, err
	}
	if err := o.checkCount(form); err != nil {
		return nil, err
	}
	if err := o.Sample.Validate(); err != nil {
		return nil, err
	}
	err = form.probe(o.Out)
	return form, err
}

// checkCount makes sure that grid and count agree.
func (o *GenerateOptions) checkCount(form *output) error {
	g, count := o.Grid, o.Sample.Count
	if err := option.Optional("count", count, 1, MaxCount); err != nil {
		return err
	}
	if g.Empty() {
		g = g.Square(max(count, 1))
	}
	// A folder of many images has no grid that could be too large.
	if form.grid || count == 0 {
		if err := g.Validate(1, 1); err != nil {
			return err
		}
	}
	if g.Rows*g.Cols > MaxCount {
		return option.Errorf("grid", fmt.Sprintf("%dx%d", g.Rows, g.Cols),
			"at most %d images fit into one call", MaxCount)
	}
	if count > g.Rows*g.Cols {
		return option.Errorf("count", count,
			"a grid of %dx%d holds %d images: leave one of the two out, or make the grid larger",
			g.Rows, g.Cols, g.Rows*g.Cols)
	}
	return nil
}

// defaultSide is how many images a row has, and how many rows there are, where nobody says it.
const defaultSide = 8

// layOut settles the grid, the number of images and which class each of them takes, from what is said of them and
// the number of listed classes:
//
//	grid     its rows times its columns of images, or Count of them. As many rows as classes: a row for each class.
//	         Else the images take the classes in turn
//	Count    alone: as nearly square as can be, the classes in turn
//	neither  a picture of several classes: a row of 8 for each. Else 64 images, the classes in turn
//	Strip    see layOutStrip; the classes in turn
func (o *GenerateOptions) layOut(form *output, listed int) {
	if o.Strip > 0 {
		o.layOutStrip(listed)
		return
	}
	g, s := &o.Grid, &o.Sample
	if g.Empty() && s.Count == 0 && form.grid && listed > 1 {
		g.Rows, g.Cols = listed, defaultSide
	}
	if g.Empty() {
		option.SetDefault(&s.Count, defaultSide*defaultSide)
		*g = g.Square(s.Count)
		return
	}
	option.SetDefault(&s.Count, g.Rows*g.Cols)
	if g.Rows == listed {
		option.SetDefault(&s.PerClass, g.Cols)
	}
}

// checkSize bounds what the model's images come to, now that their size is known.
func (o *GenerateOptions) checkSize(s pipeline.Shape, form *output) error {
	if form.grid {
		if err := o.Grid.Validate(s.Height, s.Width); err != nil {
			return err
		}
	}
	if !FitsMemory(s, o.Strip*o.Sample.Count) {
		return option.Errorf("strip", o.Strip,
			"so many moments of %d images of %dx%d do not fit into memory at once: take fewer of either",
			o.Sample.Count, s.Height, s.Width)
	}
	if form.inMemory && !FitsMemory(s, o.Sample.Count) {
		return option.Errorf("count", o.Sample.Count,
			"one file cannot hold so many images of %dx%d: write them to a folder (a name that ends in /)",
			s.Height, s.Width)
	}
	return nil
}
