package bench

import (
	"context"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/fmimg/fmimg/cluster"
)

// stepsOver measures steps of one batch over some ranks. Beside them it measures what a model needs
// to predict them. All are taken in turn, so that what else the machine does meets all alike.
type stepsOver struct {
	bench *clusterBench
	ranks cluster.Comm
	batch int

	joint *trainBench // of all ranks
	// Of each rank alone, while the others do the same: with few micro-batches and with more.
	few, more *trainBench
	// Of rank 0, while the others wait: with its threads, and with those of all.
	alone, process *trainBench

	all     []*trainBench
	samples struct{ joint, few, more, alone, process []float64 } // seconds
}

// Waves of a step: in each of them every thread takes one micro-batch.
const (
	fewWaves  = 1
	moreWaves = 3
)

// leastRounds is how many rounds are measured, even where they take longer than the time.
const leastRounds = 3

// run measures within about a time, and adds the point to the result on rank 0.
func (s *stepsOver) run(ctx context.Context, budget time.Duration) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.round(); err != nil { // a warm-up
		return err
	}
	begin := time.Now()
	if err := s.round(); err != nil {
		return err
	}
	rounds := max(leastRounds, int(budget/max(time.Since(begin), 1)))
	if err := cluster.BroadcastValue(s.ranks, 0, &rounds); err != nil {
		return err
	}
	for _, list := range s.lists() {
		*list = nil
	}
	for range rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.round(); err != nil {
			return err
		}
	}
	return s.conclude()
}

// pairings is how many groups of images are paired to find out how long that takes.
const pairings = 3

// open makes all trainings.
func (s *stepsOver) open(ctx context.Context) error {
	threads, micro := s.bench.options.Threads, 0
	var err error
	add := func(to **trainBench, ranks cluster.Comm, batch, threads int) {
		if err == nil {
			if *to, err = s.bench.bench(ctx, ranks, batch, micro, threads); err == nil {
				s.all = append(s.all, *to)
			}
		}
	}
	add(&s.joint, s.ranks, s.batch, threads)
	if err != nil {
		return err
	}
	micro = s.micro() // of the others too, so that all take the same waves
	wave := threads * micro
	add(&s.few, nil, fewWaves*wave, threads)
	add(&s.more, nil, moreWaves*wave, threads)
	if s.ranks.Rank() == 0 {
		add(&s.alone, nil, s.batch, threads)
		all := threads * s.ranks.Size()
		if s.bench.result.OneMachine && s.ranks.Size() > 1 && all <= runtime.NumCPU() {
			add(&s.process, nil, s.batch, all)
		}
	}
	return err
}

// micro returns the images of a micro-batch.
func (s *stepsOver) micro() int { return s.joint.session.Options.MicroBatch }

// close ends the workers.
func (s *stepsOver) close() {
	for _, b := range s.all {
		b.close()
	}
}

// lists returns all samples.
func (s *stepsOver) lists() []*[]float64 {
	all := &s.samples
	return []*[]float64{&all.joint, &all.few, &all.more, &all.alone, &all.process}
}

// round takes a step of each training.
func (s *stepsOver) round() error {
	for _, of := range []struct {
		bench *trainBench
		list  *[]float64
	}{{s.few, &s.samples.few}, {s.more, &s.samples.more}, {s.joint, &s.samples.joint}} {
		if err := s.together(of.bench, of.list); err != nil {
			return err
		}
	}
	for _, of := range []struct {
		bench *trainBench
		list  *[]float64
	}{{s.alone, &s.samples.alone}, {s.process, &s.samples.process}} {
		if of.bench == nil {
			continue
		}
		if err := s.paired(of.bench); err != nil {
			return err
		}
		seconds, err := secondsOf(of.bench.train)
		if err != nil {
			return err
		}
		*of.list = append(*of.list, seconds)
	}
	return s.ranks.Barrier()
}

// paired moves a training on to a step whose images are paired with noises already, if there are
// such steps.
func (s *stepsOver) paired(b *trainBench) error {
	if group := pairedSteps(b); group > 1 && b.step%group == 0 {
		return b.train()
	}
	return nil
}

// pairedSteps returns how many steps a training pairs images with noises for at once.
func pairedSteps(b *trainBench) int { return max(1, b.session.Options.Paired/b.session.Options.Batch) }

// pairing returns how long a training takes to pair an image with its noise: what the first step of
// a group takes longer than the next one, which takes what was paired. A group of one step tells
// nothing.
func (s *stepsOver) pairing() (float64, error) {
	group := pairedSteps(s.alone)
	if group == 1 {
		return 0, nil
	}
	var seconds []float64
	for range pairings {
		s.alone.step = (s.alone.step/group + 1) * group
		first, err := secondsOf(s.alone.train)
		if err != nil {
			return 0, err
		}
		next, err := secondsOf(s.alone.train)
		if err != nil {
			return 0, err
		}
		seconds = append(seconds, (first-next)/float64(group*s.batch))
	}
	return max(0, median(seconds)), nil
}

// together takes a step on all ranks at once, and notes how long the slowest took.
func (s *stepsOver) together(b *trainBench, list *[]float64) error {
	if err := s.paired(b); err != nil {
		return err
	}
	if err := s.ranks.Barrier(); err != nil {
		return err
	}
	seconds, err := secondsOf(b.train)
	if err != nil {
		return err
	}
	all, err := cluster.Gather(s.ranks, 0, binary.LittleEndian.AppendUint64(nil, math.Float64bits(seconds)))
	if err != nil {
		return err
	}
	for _, other := range all {
		seconds = max(seconds, math.Float64frombits(binary.LittleEndian.Uint64(other)))
	}
	*list = append(*list, seconds)
	return nil
}

// conclude adds the point to the result, and on one rank the costs.
func (s *stepsOver) conclude() error {
	if s.ranks.Rank() > 0 {
		return nil
	}
	r, threads := s.bench.result, s.bench.options.Threads
	c := Costs{MicroBatch: s.micro(), Largest: r.Costs.Largest}
	few, more := median(s.samples.few), median(s.samples.more)
	c.Wave = max(0, more-few) / (moreWaves - fewWaves)
	c.Tail = max(0, few-fewWaves*c.Wave)
	repack, err := secondsOf(func() error { s.few.session.Model.Repack(0, 1); return nil })
	if err != nil {
		return err
	}
	c.Repack = min(repack/float64(threads), c.Tail)
	if s.ranks.Size() == 1 {
		if c.Pair, err = s.pairing(); err != nil {
			return err
		}
		r.Costs = c
	}
	r.Points = append(r.Points, ClusterPoint{
		Ranks: s.ranks.Size(), Batch: s.batch, Samples: len(s.samples.joint), Step: median(s.samples.joint),
		Alone: median(s.samples.alone), OneProcess: median(s.samples.process),
		Model: c.step(s.ranks.Size(), threads, s.batch) + c.passing(s.ranks.Size(), r.Parameters, r.Link, c.Tail-c.Repack),
	})
	return nil
}

// secondsOf times a call.
func secondsOf(call func() error) (float64, error) {
	start := time.Now()
	err := call()
	return time.Since(start).Seconds(), err
}

// median returns the middle of some values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return quantile(slices.Sorted(slices.Values(values)), 0.5)
}
