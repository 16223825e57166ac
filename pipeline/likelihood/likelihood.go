package likelihood

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say of which images to measure the likelihood, under which model and how. The zero value
// of each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Data names the images, those that training does not see; empty: what the model was trained
	// on.
	Data string
	// Against names other images, to see whether likelihood tells them from those of Data; empty:
	// none.
	Against string
	// Count is the number of images of each; 0: 100.
	Count int

	// Class says which density of a model with classes is measured; empty: label where all images
	// have classes of the model and nothing is compared, else none, else all.
	Class Class
	// Samples is the number of draws of the dequantisation noise, whose mean density is the
	// importance-weighted bound; 0: 1.
	Samples int

	model.DensityMethod
	// Seed is that of the dequantisation and the probes. The images are the same for every seed.
	// The command takes 1 unless it is told another.
	Seed uint64
	pipeline.Compute

	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// A Class says which density of a model with classes is measured.
type Class string

// The densities: log p(x|y) of each image's class; that of no class; and log p(x), the mean of
// p(x|y) over all classes.
const (
	LabelClass Class = "label"
	NoClass    Class = model.NoClass
	AllClasses Class = "all"
)

// A Report says how likely images are under a model.
type Report struct {
	Model       string `json:"model"`
	Hash        string `json:"model_hash"`
	Dequantized bool   `json:"dequantized"` // the model was trained on such data; where not, its density means little
	Class       Class  `json:"class,omitempty"`
	Divergence  string `json:"divergence"` // exact or hutchinson
	Probes      int    `json:"probes,omitempty"`
	Samples     int    `json:"samples"`
	Solver      string `json:"solver"`
	Seed        uint64 `json:"seed"`

	SetReport
	Against *SetReport `json:"against,omitempty"`
	// AUROC is the share of pairs of one image of each set in which that of Data is the likelier.
	AUROC *float64 `json:"auroc,omitempty"`
	// ToldApart is the share of images on their side of the best threshold.
	ToldApart *float64 `json:"told_apart,omitempty"`

	Evaluations float64 `json:"evaluations"` // of the velocity and its divergence, of a solution on average
	Seconds     float64 `json:"seconds"`
}

// A SetReport is the likelihood of the images of one set.
type SetReport struct {
	Data  string `json:"data"`
	Count int    `json:"count"`
	// BitsPerDimension is the mean over the images of −log₂ P(bytes)/d, an upper bound of it in expectation:
	// −log p/(d·ln 2) + 7 with p the density of dequantised pixels in [-1,1].
	BitsPerDimension float64 `json:"bits_per_dim"`
	// StandardError is that of this mean as an estimate for all such images: their spread and that of the probes
	// together. 0 for a single image.
	StandardError float64 `json:"standard_error"`
	// ProbeError is the part of it that comes from the probes alone, from two of them on.
	ProbeError *float64      `json:"probe_standard_error,omitempty"`
	Images     []ImageReport `json:"images"`

	source dataset.Source
}

// An ImageReport is that of one image.
type ImageReport struct {
	Index            int      `json:"index"`           // in the data
	Label            string   `json:"label,omitempty"` // its class in the data
	BitsPerDimension float64  `json:"bits_per_dim"`
	LogLikelihood    float64  `json:"log_likelihood"` // of its bytes, in nats
	ProbeError       *float64 `json:"probe_standard_error,omitempty"`
}

// The defaults of likelihoods, and their limits.
const (
	defaultScored = 100
	maxSpreads    = 1 << 16
)

// WithDefaults fills in what has one default for all models. The method is up to the network.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, defaultScored)
	option.SetDefault(&o.Samples, 1)
	o.Compute = o.Compute.WithDefaults()
	return o
}

// validate reports the first option that cannot be used with any model.
func (o *Options) validate() error {
	for _, check := range []error{
		option.Between("count", o.Count, 1, sample.MaxCount),
		option.Between("samples", o.Samples, 1, maxSpreads),
		o.DensityMethod.Validate(),
		o.Compute.Validate(),
	} {
		if check != nil {
			return check
		}
	}
	if o.Class == "" {
		return nil
	}
	return option.OneOf("class", o.Class, LabelClass, NoClass, AllClasses)
}

// Measure measures how likely images are under a model: log p(x), by integrating the flow backwards to noise
// together with its divergence (see [bijection.LogLikelihood]). Bytes are dequantised, so that the density bounds their
// probability. A mistake in the options is an [*OptionError].
func Measure(ctx context.Context, o Options) (*Report, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	begin := time.Now()
	s, err := newScorer(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.crew.Close()
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	s.out.Seconds = time.Since(begin).Seconds()
	return s.out, s.compare()
}

// A scorer is a measurement of likelihoods under way.
type scorer struct {
	opt    Options
	out    *Report
	ck     *model.Checkpoint
	method model.DensityMethod // settled
	model  model.DensityModel
	crew   *crew.Crew
	sets   []*SetReport // Data, and Against if any

	tasks []scoreTask // of the images of all sets, in this order
	jobs  int         // solutions for an image at most: what progress counts is images

	mu    sync.Mutex
	done  int // tasks
	stats ode.Stats
}

// A scoreTask is one solution: of an image with one dequantisation under one class.
type scoreTask struct {
	set    *SetReport
	image  int // position in the set's Images
	sample int
	class  int32     // row of label_emb, -1 for a network without
	logp   []float64 // of pixels in [-1,1], in nats: one for each probe
}

// newScorer opens the model and the data and says what is to be done.
func newScorer(ctx context.Context, o Options) (*scorer, error) {
	ck, err := model.Open(o.Model, o.ISA)
	if err != nil {
		return nil, err
	}
	model, err := ck.DensityModel(ck.Path, o.DensityMethod)
	if err != nil {
		return nil, err
	}
	method := model.Method()
	option.SetDefault(&o.Data, ck.Meta.Data)
	if o.Data == "" {
		return nil, option.Errorf("data", nil, "is needed: the model does not say what it was trained on")
	}
	s := &scorer{opt: o, ck: ck, method: method, model: model, out: &Report{
		Model: ck.Path, Hash: ck.Hash, Dequantized: ck.Meta.Dequantized, Solver: model.Solver(),
		Divergence: "hutchinson", Probes: method.Probes, Samples: o.Samples, Seed: o.Seed,
	}}
	if method.Exact {
		s.out.Divergence = "exact"
	}
	if err := s.openSets(ctx); err != nil {
		return nil, err
	}
	if err := s.settleClass(); err != nil {
		return nil, err
	}
	if err := s.plan(); err != nil {
		return nil, err
	}
	s.crew = crew.New(min(o.Threads, len(s.tasks)))
	s.tell()
	return s, nil
}

// tell says what is measured, and what a reader of the result should know.
func (s *scorer) tell() {
	s.emit(pipeline.Event{Kind: pipeline.Started, Path: s.ck.Path, Total: s.images(), Text: fmt.Sprintf("%s: log p of %s, divergence %s, %s",
		sample.DescribeCheckpoint(s.ck), text.Count(s.images(), "image", "images"), s.out.Divergence, s.out.Solver)})
	if !s.ck.Meta.Dequantized {
		s.emit(pipeline.Note("the model was not trained with %v: its density lies between the bytes too, "+
			"or at them alone, and its bits say little", option.Setting{Option: "dequantize"}))
	}
	if !s.method.Exact && (s.opt.Samples > 1 || s.out.Class == AllClasses) {
		s.emit(pipeline.Note("a mean of densities is raised by the noise of the probes: "+
			"compare with more %v, or take %v", option.Setting{Option: "probes"}, option.Setting{Option: "exact"}))
	}
}

func (s *scorer) emit(e pipeline.Event) {
	if s.opt.OnEvent != nil {
		s.opt.OnEvent(e)
	}
}

// images returns how many there are of all sets.
func (s *scorer) images() int {
	n := 0
	for _, set := range s.sets {
		n += len(set.Images)
	}
	return n
}

// openSets opens the data and picks images: the first so many in an order that is the same for each seed.
func (s *scorer) openSets(ctx context.Context) error {
	for _, from := range []struct{ option, name string }{{"data", s.opt.Data}, {"against", s.opt.Against}} {
		if from.name == "" {
			continue
		}
		set, err := s.openSet(ctx, from.name, from.option)
		if err != nil {
			return err
		}
		s.sets = append(s.sets, set)
	}
	return nil
}

func (s *scorer) openSet(ctx context.Context, name, role string) (*SetReport, error) {
	set, err := s.ck.DataRequest(name, role, s.opt.Threads, s.opt.OnEvent).Open(ctx)
	if err != nil {
		return nil, err
	}
	source := set.Test
	if source == nil {
		source = set.Train
		s.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf("%s has no images that training does not see: those are measured that there are", name)})
	}
	if s.opt.Count > source.Len() {
		return nil, option.Errorf("count",
			s.opt.Count, "%s holds %s", source.Name(), text.Count(source.Len(), "image", "images"))
	}
	out := &SetReport{Data: source.Name(), Count: s.opt.Count, source: source}
	order, pixels := dataset.Order(source.Len(), 0, 0), make([]float32, s.ck.Shape().Len())
	for i := range s.opt.Count {
		image := ImageReport{Index: order.At(i)}
		if label := source.Image(image.Index, pixels); label >= 0 {
			image.Label = source.Classes()[label]
		}
		out.Images = append(out.Images, image)
	}
	return out, nil
}

// settleClass decides which density is measured, see [LikelihoodOptions].
func (s *scorer) settleClass() error {
	labels, class := s.ck.Labels(), s.opt.Class
	if labels.Rows() == 0 {
		if class != "" {
			return option.Errorf("class", class, "%s takes no class", model.ModelName(s.ck.Path))
		}
		return nil
	}
	labelled := true
	for _, set := range s.sets {
		for i := range set.Images {
			labelled = labelled && slices.Contains(s.ck.Meta.Classes, set.Images[i].Label)
		}
	}
	switch {
	case class == "" && labelled && len(s.sets) == 1:
		class = LabelClass
	case class == "" && labels.Null:
		class = NoClass
	case class == "":
		class = AllClasses
	case class == LabelClass && len(s.sets) > 1:
		return option.Errorf("class", "label", "images of other data have other classes: compare under none or all")
	case class == LabelClass && !labelled:
		return option.Errorf("class", "label", "not every image has a class of the model's: use none or all")
	case class == NoClass && !labels.Null:
		return option.Errorf("class", "none", "%s always needs a class: use label or all", model.ModelName(s.ck.Path))
	}
	s.out.Class = class
	return nil
}

// rows returns the classes under which an image is measured, as rows of label_emb.
func (s *scorer) rows(image ImageReport) []int32 {
	labels := s.ck.Labels()
	switch s.out.Class {
	case "":
		return []int32{-1}
	case NoClass:
		return []int32{labels.NullRow()}
	case LabelClass:
		return []int32{int32(slices.Index(s.ck.Meta.Classes, image.Label))}
	}
	all := make([]int32, labels.Count)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// plan lists the solutions to find.
func (s *scorer) plan() error {
	numbers := max(s.method.Probes, 1)
	for _, set := range s.sets {
		for i, image := range set.Images {
			for sample := range s.opt.Samples {
				for _, class := range s.rows(image) {
					s.tasks = append(s.tasks, scoreTask{set: set, image: i, sample: sample, class: class, logp: make([]float64, numbers)})
				}
			}
			if len(s.tasks) > sample.MaxCount {
				return option.Errorf("count", s.opt.Count,
					"too many solutions for one call: at most %d", sample.MaxCount)
			}
		}
	}
	s.jobs = len(s.tasks) / s.images()
	return nil
}

// run finds the solutions, a few at a time on each worker, and adds them up.
func (s *scorer) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	size := min(sample.ReplicaImages, (len(s.tasks)+s.crew.Size()-1)/s.crew.Size())
	workers := make([]*scoreWorker, s.crew.Size())
	chunks := (len(s.tasks) + size - 1) / size
	var failed error
	err := s.crew.Each(ctx, s.crew.Size(), chunks, func(worker, chunk int) {
		if workers[worker] == nil {
			workers[worker] = s.newWorker(ctx, size)
		}
		tasks := s.tasks[chunk*size : min((chunk+1)*size, len(s.tasks))]
		stats, err := workers[worker].solve(ctx, tasks)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			if failed == nil {
				failed = err
			}
			stop()
			return
		}
		s.stats, s.done = s.stats.Merge(stats), s.done+len(tasks)
		s.emit(pipeline.Event{Kind: pipeline.Sampled, Images: s.done / s.jobs, Total: s.images()})
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	s.out.Evaluations = s.stats.MeanEvaluations()
	s.gather()
	return nil
}

// A scoreWorker finds solutions in memory of its own.
type scoreWorker struct {
	*scorer
	density model.DensityEstimator
	pixels  []float32
	logp    []float64
	y       []int32
}

func (s *scorer) newWorker(ctx context.Context, size int) *scoreWorker {
	return &scoreWorker{
		scorer: s, density: s.model.NewEstimator(ctx, size),
		pixels: make([]float32, size*s.ck.Shape().Len()), y: make([]int32, size), logp: make([]float64, size*max(s.method.Probes, 1)),
	}
}

// solve finds the solutions of some tasks together.
func (w *scoreWorker) solve(ctx context.Context, tasks []scoreTask) (ode.Stats, error) {
	n, d, m := len(tasks), len(w.pixels)/len(w.y), max(w.method.Probes, 1)
	var rng rand.PCG
	for i, task := range tasks {
		index := task.set.Images[task.image].Index
		x := w.pixels[i*d : (i+1)*d]
		task.set.source.Image(index, x)
		pipeline.Seed(&rng, w.opt.Seed, pipeline.StreamScoreSpread, index, task.sample)
		feed.Dequantize(x, &rng)
		w.density.SetImage(i, w.opt.Seed, index)
		w.y[i] = task.class
	}
	var y []int32
	if w.out.Class != "" {
		y = w.y[:n]
	}
	stats, err := w.density.LogProb(ctx, w.logp[:n*m], w.pixels[:n*d], y)
	if err == nil {
		err = ctx.Err() // which may have ended the last divergence early
	}
	for i, task := range tasks {
		copy(task.logp, w.logp[i*m:(i+1)*m])
	}
	return stats, err
}

// gather turns the solutions of each image into its likelihood, and these into their means.
func (s *scorer) gather() {
	d := s.ck.Shape().Len()
	for from := 0; from < len(s.tasks); from += s.jobs {
		tasks := s.tasks[from : from+s.jobs]
		tasks[0].set.Images[tasks[0].image].measure(tasks, d)
	}
	for _, set := range s.sets {
		set.summarise()
	}
	s.out.SetReport = *s.sets[0]
	if len(s.sets) > 1 {
		s.out.Against = s.sets[1]
	}
}

// measure sets the likelihood of an image of d numbers from its solutions: the mean density over dequantisations
// and classes, of the mean over the probes.
func (l *ImageReport) measure(tasks []scoreTask, d int) {
	logs := make([]float64, len(tasks))
	for i, task := range tasks {
		logs[i] = inorder.Sum(task.logp) / float64(len(task.logp))
	}
	logp := logMeanExp(logs)
	l.BitsPerDimension = bijection.BitsPerDimension(logp, d, dataset.BitsOfScale)
	l.LogLikelihood = logp - float64(d*dataset.BitsOfScale)*math.Ln2
	probes := len(tasks[0].logp)
	if probes < 2 {
		return
	}
	each := make([]float64, probes)
	for p := range each {
		for i, task := range tasks {
			logs[i] = task.logp[p]
		}
		each[p] = bijection.BitsPerDimension(logMeanExp(logs), d, 0)
	}
	_, spread := inorder.MeanAndError(each)
	l.ProbeError = &spread
}

// logMeanExp returns log (Σ exp x)/n without overflow.
func logMeanExp(x []float64) float64 {
	top, total := slices.Max(x), 0.0
	for _, v := range x {
		total += math.Exp(v - top)
	}
	return top + math.Log(total/float64(len(x)))
}

// summarise sets the means over the images.
func (l *SetReport) summarise() {
	var bits []float64
	var squares float64
	for i := range l.Images {
		bits = append(bits, l.Images[i].BitsPerDimension)
		if e := l.Images[i].ProbeError; e != nil {
			squares += *e * *e
		}
	}
	l.BitsPerDimension, l.StandardError = inorder.MeanAndError(bits)
	if l.Images[0].ProbeError != nil {
		e := math.Sqrt(squares) / float64(len(bits))
		l.ProbeError = &e
	}
}

// compare says how well likelihood tells the two sets apart.
func (s *scorer) compare() error {
	if s.out.Against == nil {
		return nil
	}
	logs := func(l *SetReport) (x []float64) {
		for i := range l.Images {
			x = append(x, l.Images[i].LogLikelihood)
		}
		return x
	}
	found, err := metrics.Separate(logs(&s.out.SetReport), logs(s.out.Against))
	s.out.AUROC, s.out.ToldApart = &found.AUROC, &found.ToldApart
	return err
}
