package likelihood

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// A scorer is a measurement of likelihoods under way.
type scorer struct {
	*Gauge
	opt Options
	// recorded says that Data is what the model's training recorded.
	recorded bool

	out  *Report
	crew *crew.Crew
	sets []*SetReport // of Data, and of Against if there is one

	tasks    []scoreTask // set after set, image after image
	perImage int         // solutions for an image

	mu    sync.Mutex
	done  int       // finished tasks
	stats ode.Stats // of the finished tasks
}

// A scoreTask is one solution of the flow: for an image with one dequantisation under one class.
type scoreTask struct {
	image  Image
	sample int       // number of the dequantisation
	class  int32     // row of the label embedding; -1: a network without classes
	logp   []float64 // in nats, for pixels in [-1, 1]: one for each probe
	// weight is the logarithm of how much the class counts, relative to the mean of the image's.
	weight float64
}

// Measure measures how likely images are under a model. It finds log p(x) by integrating the flow
// backwards to noise together with the divergence of the flow, as bijection.LogLikelihood does.
// Bytes are dequantised, so that the density bounds their probability. A mistake in the options is
// an [*pipeline.OptionError].
func Measure(ctx context.Context, o Options) (*Report, error) {
	o = o.WithDefaults()
	begin := time.Now()
	s, err := openScorer(ctx, o)
	if s != nil {
		defer s.crew.Close()
	}
	if err := cluster.Agree(o.Ranks, err); err != nil {
		return nil, err
	}
	if err := sample.CompareRanks(o.Ranks, s.ck, nil, o.Arithmetic); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	s.out.Seconds = time.Since(begin).Seconds()
	return s.out, s.compare()
}

// openScorer checks the options and makes a scorer.
func openScorer(ctx context.Context, o Options) (*scorer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return newScorer(ctx, o)
}

// newScorer opens the model and the data, plans the tasks, and starts the workers.
func newScorer(ctx context.Context, o Options) (*scorer, error) {
	ck, err := model.Open(o.Model, o.Arithmetic)
	if err != nil {
		return nil, err
	}
	gauge, err := newGauge(ck, o)
	if err != nil {
		return nil, err
	}
	recorded := o.Data == ""
	option.SetDefault(&o.Data, ck.Meta.Data)
	if o.Data == "" {
		return nil, option.Errorf("data", nil, "is needed: the model does not say what it was trained on")
	}
	s := &scorer{Gauge: gauge, opt: o, recorded: recorded, out: &Report{
		Model: ck.Path, Hash: ck.Hash, Dequantized: ck.Meta.Dequantized, Solver: gauge.model.Solver(),
		Divergence: gauge.divergence(), Probes: gauge.method.Probes, Samples: o.Samples, Seed: o.Seed,
	}}
	if err := s.openSets(ctx); err != nil {
		return nil, err
	}
	if err := s.settleClass(s.labelled(), len(s.sets) > 1); err != nil {
		return nil, err
	}
	s.out.Class = s.class
	if err := s.plan(); err != nil {
		return nil, err
	}
	s.crew = crew.New(min(o.Threads, len(s.tasks)))
	s.tell()
	return s, nil
}

// tell sends events about what is measured, and what to know about the result.
func (s *scorer) tell() {
	what := fmt.Sprintf("%s: log p of %s, divergence %s, %s", sample.DescribeCheckpoint(s.ck),
		text.Count(s.images(), "image", "images"), s.out.Divergence, s.out.Solver)
	s.emit(pipeline.Event{Kind: pipeline.Started, Path: s.ck.Path, Total: s.images(), Text: what})
	for _, note := range s.Notes() {
		s.emit(note)
	}
}

// emit sends an event.
func (s *scorer) emit(e pipeline.Event) {
	if s.opt.OnEvent != nil {
		s.opt.OnEvent(e)
	}
}

// images returns the number of images of all sets.
func (s *scorer) images() int {
	n := 0
	for _, set := range s.sets {
		n += len(set.Images)
	}
	return n
}

// run solves all tasks and fills in the report. Of several ranks each solves a range of them.
func (s *scorer) run(ctx context.Context) error {
	ranks := s.opt.Ranks
	from, to := cluster.Share(ranks, len(s.tasks), ranks.Rank())
	if err := cluster.Agree(ranks, s.solve(ctx, s.tasks[from:to])); err != nil {
		return err
	}
	each := len(s.tasks[0].logp)
	logs := make([]float64, 0, len(s.tasks)*each)
	for _, task := range s.tasks {
		logs = append(logs, task.logp...)
	}
	if err := cluster.AllGather(ranks, cluster.NumberBytes(logs), cluster.Shares(ranks, len(s.tasks), 8*each)); err != nil {
		return err
	}
	for i, task := range s.tasks {
		copy(task.logp, logs[i*each:])
	}
	all, err := cluster.GatherValues(ranks, s.stats)
	if err != nil {
		return err
	}
	var stats ode.Stats
	for _, one := range all {
		stats = stats.Merge(one)
	}
	s.out.Evaluations = stats.MeanEvaluations()
	s.gather()
	return nil
}

// solve solves tasks, a few at a time on each worker.
func (s *scorer) solve(ctx context.Context, all []scoreTask) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	size := max(1, min(sample.ReplicaImages, (len(all)+s.crew.Size()-1)/s.crew.Size()))
	workers := make([]*scoreWorker, s.crew.Size())
	chunks := (len(all) + size - 1) / size
	var failed error
	err := s.crew.Each(ctx, s.crew.Size(), chunks, func(worker, chunk int) {
		if workers[worker] == nil {
			workers[worker] = s.newWorker(ctx, size)
		}
		tasks := all[chunk*size : min((chunk+1)*size, len(all))]
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
		done := s.done * s.opt.Ranks.Size() / s.perImage // the other ranks are as far, nearly
		s.emit(pipeline.Event{Kind: pipeline.Sampled, Images: min(done, s.images()), Total: s.images()})
	})
	if failed != nil {
		return failed
	}
	return err
}
