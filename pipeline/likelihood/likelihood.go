package likelihood

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

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
