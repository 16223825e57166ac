package pipeline

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/unet"
)

// SampleOptions says which images to draw from a model and how.
type SampleOptions struct {
	Count    int     // number of images; 0 means 1
	Seed     uint64  // image i depends on the seed and i, on no other image and on no thread
	Class    string  // classes that the images take in turn: numbers, ranges, names and none, such as "7", "0-9" or "1,sneaker,none"; empty: each image a random one
	PerClass int     // images of each class of the list before the next one's turn; 0 means 1
	Guidance float64 // W of v_null + W·(v_class − v_null), 1 is off; 0: DefaultGuidance, or 1 for models that cannot have any
	Solver   string  // a name of ode.SolverNames or flow.PathSolverNames; empty: adams2, or the only method of a flow map or normalizing flow
	Steps    int     // of the solver, or jumps; 0: 8 of adams2 and 16 of others, as many jumps as the flow map was trained for at most, or the one pass of a normalizing flow
	Tol      float64 // error that dopri5 allows a step; 0: 1e-4
	// NoiseLevel is how much fresh noise sde adds and removes, as a multiple of the variance that the path loses; 0: 1.
	NoiseLevel float64
	Threads    int // 0: GOMAXPROCS

	// OnEvent is told of finished images, by one goroutine at a time; may be nil.
	OnEvent func(Event)
}

// The defaults of sampling.
const (
	defaultSolver = "adams2"
	defaultSteps  = 8  // of the default solver
	othersSteps   = 16 // of others, some of which have order 1
	defaultTol    = 1e-4
	// DefaultGuidance is that of models that were trained for it: docs/quality.md has what it is worth.
	DefaultGuidance = 1.15

	replicaImages = 8       // images that a worker draws together
	maxCount      = 1 << 24 // images of one call
	maxElements   = 1 << 28 // numbers of images that are held in memory at once: 1 GiB
)

// withDefaults fills in the defaults for a network of velocities.
func (o SampleOptions) withDefaults() SampleOptions {
	setDefault(&o.Count, 1)
	setDefault(&o.Solver, defaultSolver)
	if o.Solver == defaultSolver {
		setDefault(&o.Steps, defaultSteps)
	}
	setDefault(&o.Steps, othersSteps)
	if !slices.Contains(solverless, o.Solver) {
		setDefault(&o.Tol, defaultTol)
		setDefault(&o.NoiseLevel, 1)
	}
	setDefault(&o.Guidance, 1)
	setDefault(&o.PerClass, 1)
	setDefault(&o.Threads, runtime.GOMAXPROCS(0))
	return o
}

// What only flow maps and normalizing flows can do, and need not be told, as [SampleOptions] names it.
const (
	flowMapSolver = "flow-map"
	flowSolver    = "normalizing-flow"
)

var solverless = []string{flowMapSolver, flowSolver}

// A method is how a model draws: by a solver and, of a flow map, jumps of a length.
type method struct {
	solver   ode.Solver
	predicts prediction // by the network; the zero value: velocities
	jump     float64    // 0 for a network without jumps
}

// jumps is the method that takes n jumps of a flow map.
func jumps(n int) method { return method{solver: flow.Jumps(n), jump: 1 / float64(n)} }

// method returns how a model draws with the options, and these with the model's defaults.
func (o SampleOptions) method(ck *Checkpoint) (method, SampleOptions, error) {
	model := modelName(ck.Path)
	o.Guidance = ck.guidance(o.Guidance)
	if ck.Flow != nil {
		return o.onePass(model)
	}
	if !ck.config().FlowMap {
		if slices.Contains(solverless, o.Solver) {
			return method{}, o, optionErrorf("solver", "%s: %s is none: choose one of %s", o.Solver, model, strings.Join(solverNames(), ", "))
		}
		o = o.withDefaults()
		predicts, err := ck.Meta.prediction()
		if err != nil {
			return method{}, o, err
		}
		solver, err := newSolver(o, predicts)
		return method{solver: solver, predicts: predicts}, o, err
	}
	known := ck.Meta.jumps()
	setDefault(&o.Solver, flowMapSolver)
	setDefault(&o.Steps, slices.Max(known))
	switch {
	case o.Solver != flowMapSolver:
		return method{}, o, optionErrorf("solver", "%s: %s is a flow map, which jumps without a solver: leave it out", o.Solver, model)
	case o.Tol != 0:
		return method{}, o, optionErrorf("tol", "%v: %s is a flow map, which jumps without a solver: leave it out", o.Tol, model)
	case o.NoiseLevel != 0:
		return method{}, o, optionErrorf("noise-level", "%v: %s is a flow map, which adds no noise: leave it out", o.NoiseLevel, model)
	case !slices.Contains(known, o.Steps):
		return method{}, o, optionErrorf("steps", "%d: %s was trained for %s jumps: choose one of these", o.Steps, model, joinOr(known))
	}
	return jumps(o.Steps), o.withDefaults(), nil
}

// onePass is the method of a normalizing flow.
func (o SampleOptions) onePass(model string) (method, SampleOptions, error) {
	setDefault(&o.Solver, flowSolver)
	setDefault(&o.Steps, 1)
	const needs = "is a normalizing flow, which draws in one pass: leave it out"
	switch {
	case o.Solver != flowSolver:
		return method{}, o, optionErrorf("solver", "%s: %s %s", o.Solver, model, needs)
	case o.Steps != 1:
		return method{}, o, optionErrorf("steps", "%d: %s %s", o.Steps, model, needs)
	case o.Tol != 0:
		return method{}, o, optionErrorf("tol", "%v: %s %s", o.Tol, model, needs)
	case o.NoiseLevel != 0:
		return method{}, o, optionErrorf("noise-level", "%v: %s %s", o.NoiseLevel, model, needs)
	}
	return method{}, o.withDefaults(), nil
}

// joinOr lists numbers as in "1, 2 or 4".
func joinOr(numbers []int) string {
	text := ""
	for i, n := range numbers {
		switch {
		case i == 0:
		case i == len(numbers)-1:
			text += " or "
		default:
			text += ", "
		}
		text += strconv.Itoa(n)
	}
	return text
}

// Validate reports the first option that cannot be used with any model, as an [*OptionError].
func (o SampleOptions) Validate() error {
	o = o.withDefaults()
	for _, check := range []error{
		between("count", o.Count, 1, maxCount),
		between("per-class", o.PerClass, 1, maxCount),
		between("guidance", o.Guidance, -100, 100),
		between("steps", o.Steps, 1, 100000),
		optional("tol", o.Tol, 1e-7, 1),
		between("threads", o.Threads, 1, maxThreads),
		optional("noise-level", o.NoiseLevel, 1e-6, 100),
		o.validateSolver(),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

// validateSolver checks the name of the solver.
func (o SampleOptions) validateSolver() error {
	if slices.Contains(solverless, o.Solver) {
		return nil
	}
	return oneOf("solver", o.Solver, solverNames()...)
}

// A Sampler draws images from a model, with workers of its own. It is not safe for concurrent use.
type Sampler struct {
	ck      *Checkpoint
	opt     SampleOptions
	method  method
	classes []int32 // that images take in turn, nil for random ones
	crew    *crew
	sampler *sampler
	stats   ode.Stats // of all images so far
}

// NewSampler checks the options against the model and starts the workers; Close ends them.
func NewSampler(ck *Checkpoint, o SampleOptions) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{ck: ck}
	var err error
	if s.method, s.opt, err = o.method(ck); err != nil {
		return nil, err
	}
	if s.classes, err = ck.askedClasses(s.opt); err != nil {
		return nil, err
	}
	if null := ck.classList().n; len(s.classes) > 0 && slices.Min(s.classes) == int32(null) {
		s.opt.Guidance = 1 // away from no class to no class
	}
	s.start()
	return s, nil
}

func (s *Sampler) start() {
	workers, images, size := min(s.opt.Threads, s.opt.Count), min(s.opt.Count, replicaImages), s.ck.config().ImageLen()
	s.crew = newCrew(workers)
	if s.ck.Flow != nil {
		var flows []*realnvp.Replica
		for range workers {
			flows = append(flows, s.ck.Flow.NewReplica(images, false))
		}
		s.sampler = newFlowSampler(s.crew, flows, images, size)
		return
	}
	var nets []network
	for range workers {
		nets = append(nets, s.ck.Model.NewReplica(images, false))
	}
	s.sampler = newSampler(s.crew, nets, images, size)
}

// Evaluations returns the evaluations of the velocity that an image took on average, without those
// for guidance.
func (s *Sampler) Evaluations() float64 { return s.stats.MeanEvaluations() }

// Close ends the workers.
func (s *Sampler) Close() { s.crew.close() }

// Draw returns the images first..first+n-1 of the sampler's seed.
func (s *Sampler) Draw(ctx context.Context, first, n int) (*Images, error) {
	return s.draw(ctx, first, n, nil)
}

func (s *Sampler) draw(ctx context.Context, first, n int, frame func(from, step int, x []float32)) (*Images, error) {
	images := blankImages(s.ck.config(), n)
	images.Labels = s.labels(first, n)
	d := drawing{
		seed: s.opt.Seed, first: first, labels: images.Labels, guidance: s.opt.Guidance,
		null: int32(s.ck.config().NumClasses - 1), method: s.method, frame: frame,
	}
	if s.opt.OnEvent != nil {
		d.done = s.report(first)
	}
	stats, err := s.sampler.run(ctx, d, images.Pixels)
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
		s.opt.OnEvent(Event{Kind: Sampled, Images: finished, Total: s.opt.Count})
	}
}

// labels returns the classes of images, nil for a network without.
func (s *Sampler) labels(first, n int) []int32 {
	classes := s.ck.config().Classes()
	if s.ck.config().NumClasses == 0 {
		return nil
	}
	labels := make([]int32, n)
	var rng rand.PCG
	for i := range labels {
		if s.classes != nil {
			labels[i] = s.classes[(first+i)/s.opt.PerClass%len(s.classes)]
			continue
		}
		labels[i] = randomClass(&rng, s.opt.Seed, first+i, classes)
	}
	return labels
}

// texts is the provenance that goes into a PNG of the given images.
func (s *Sampler) texts(images *Images) []Text {
	t := []Text{
		{"Software", "fmimg " + Version()},
		{"fmimg.version", Version()},
		{"fmimg.model", s.ck.Hash},
		{"fmimg.seed", strconv.FormatUint(s.opt.Seed, 10)},
		{"fmimg.solver", s.opt.Solver},
		{"fmimg.steps", strconv.Itoa(s.opt.Steps)},
		{"fmimg.guidance", strconv.FormatFloat(s.opt.Guidance, 'g', -1, 64)},
	}
	if s.opt.Solver == ode.Dopri5.Name {
		t[5] = Text{"fmimg.tol", strconv.FormatFloat(s.opt.Tol, 'g', -1, 64)}
	}
	if s.opt.Solver == "sde" {
		t = append(t, Text{"fmimg.noise-level", strconv.FormatFloat(s.opt.NoiseLevel, 'g', -1, 64)})
	}
	if images.Labels != nil {
		t = append(t, Text{"fmimg.classes", joinInts(images.Labels)})
	}
	return t
}

func joinInts(x []int32) string {
	var b strings.Builder
	for i, v := range x {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(v)))
	}
	return b.String()
}

// blankImages returns n images of the network's shape.
func blankImages(cfg unet.Config, n int) *Images {
	return &Images{
		Height: cfg.ImageSize[0], Width: cfg.ImageSize[1], Channels: cfg.InChannels,
		Pixels: make([]float32, n*cfg.ImageLen()),
	}
}

// fitsMemory reports whether so many images may be held at once.
func fitsMemory(cfg unet.Config, images int) bool { return images <= maxElements/cfg.ImageLen() }

// GenerateOptions says what to draw, from which model, and where to put it.
type GenerateOptions struct {
	Model  string      // a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which is part of the program
	Out    string      // FILE.png, FILE.gif, FILE.npy, a folder (DIR/ or one that exists), or - for a PNG to Stdout
	Grid   GridOptions // of as many rows as Sample.Class lists classes: row r is of class r of the list
	Strip  int         // moments of each image's way from noise to image: a PNG has a row for each image, a column for each moment; 0: images alone
	ISA    string      // empty: the best of this machine
	Sample SampleOptions
	Stdout io.Writer // for Out "-"
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
	ck, err := OpenCheckpoint(o.Model, o.ISA)
	if err != nil {
		return GenerateResult{}, err
	}
	if sameFile(o.Out, ck.Path) {
		return GenerateResult{}, optionErrorf("out", "%s: is the model: name another file", o.Out)
	}
	if ck.Flow != nil && o.Strip > 2 {
		return GenerateResult{}, optionErrorf("strip", "%d: %s is a normalizing flow, which has nothing between noise and image to show: take 2", o.Strip, modelName(ck.Path))
	}
	classes, err := ck.askedClasses(o.Sample)
	if err != nil {
		return GenerateResult{}, err
	}
	o.layOut(form, len(classes))
	if err := o.checkSize(ck.config(), form); err != nil {
		return GenerateResult{}, err
	}
	s, err := NewSampler(ck, o.Sample)
	if err != nil {
		return GenerateResult{}, err
	}
	defer s.Close()
	if f := o.Sample.OnEvent; f != nil {
		f(Event{Kind: Started, Path: ck.Path, Total: o.Sample.Count, Text: describeCheckpoint(ck)})
	}
	if err := form.write(ctx, s, &o); err != nil {
		return GenerateResult{}, err
	}
	return GenerateResult{Path: o.Out, Images: o.Sample.Count, Evaluations: s.Evaluations(), Guidance: s.opt.Guidance, Model: ck.Path}, nil
}

func describeCheckpoint(ck *Checkpoint) string {
	m := ck.Meta
	if ck.Embedded {
		return fmt.Sprintf("%s, part of the program (trained on %s, %d steps)", ck.Path, m.Data, m.Steps)
	}
	if m.Data == "" {
		return fmt.Sprintf("%s (%d parameters)", ck.Path, ck.weights().Params().Len())
	}
	return fmt.Sprintf("%s (trained on %s, %d steps)", ck.Path, m.Data, m.Steps)
}

// check refuses what no model could draw, and tries the output.
func (o *GenerateOptions) check() (form *output, err error) {
	if err := validateISA(o.ISA); err != nil {
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
	if err := optional("count", count, 1, maxCount); err != nil {
		return err
	}
	if g.empty() {
		g = g.square(max(count, 1))
	}
	// A folder of many images has no grid that could be too large.
	if form.grid || count == 0 {
		if err := g.validate(1, 1); err != nil {
			return err
		}
	}
	if g.Rows*g.Cols > maxCount {
		return optionErrorf("grid", "%dx%d: at most %d images fit into one call", g.Rows, g.Cols, maxCount)
	}
	if count > g.Rows*g.Cols {
		return optionErrorf("count", "%d: a grid of %dx%d holds %d images: leave one of the two out, or make the grid larger",
			count, g.Rows, g.Cols, g.Rows*g.Cols)
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
	if g.empty() && s.Count == 0 && form.grid && listed > 1 {
		g.Rows, g.Cols = listed, defaultSide
	}
	if g.empty() {
		setDefault(&s.Count, defaultSide*defaultSide)
		*g = g.square(s.Count)
		return
	}
	setDefault(&s.Count, g.Rows*g.Cols)
	if g.Rows == listed {
		setDefault(&s.PerClass, g.Cols)
	}
}

// checkSize bounds what the model's images come to, now that their size is known.
func (o *GenerateOptions) checkSize(cfg unet.Config, form *output) error {
	if form.grid {
		if err := o.Grid.validate(cfg.ImageSize[0], cfg.ImageSize[1]); err != nil {
			return err
		}
	}
	if !fitsMemory(cfg, o.Strip*o.Sample.Count) {
		return optionErrorf("strip", "%d: so many moments of %d images of %dx%d do not fit into memory at once: take fewer of either",
			o.Strip, o.Sample.Count, cfg.ImageSize[0], cfg.ImageSize[1])
	}
	if form.inMemory && !fitsMemory(cfg, o.Sample.Count) {
		return optionErrorf("count", "%d: one file cannot hold so many images of %dx%d: write them to a folder (a name that ends in /)",
			o.Sample.Count, cfg.ImageSize[0], cfg.ImageSize[1])
	}
	return nil
}
