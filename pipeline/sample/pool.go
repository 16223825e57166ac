package sample

import (
	"context"
	"math/rand/v2"
	"sync/atomic"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A Pool draws images, a few at a time on each worker of a crew.
type Pool struct {
	crew     *crew.Crew
	Drawers  []model.Drawer // one for each worker
	size     int            // most images that a drawer takes at once
	imageLen int
	tallies  []tally // one for each worker

	// Ranks draw the images together, and all have them in the end; nil: this process draws them
	// alone.
	Ranks cluster.Comm
}

// A tally is the work of one worker, and the error that ended it.
type tally struct {
	solved ode.Stats
	err    error
}

// NewPool returns a pool of drawers, one for each worker of a crew or for fewer. size is the most
// images that a drawer takes at once, and imageLen the numbers of an image.
func NewPool(c *crew.Crew, drawers []model.Drawer, size, imageLen int) *Pool {
	return &Pool{crew: c, Drawers: drawers, size: size, imageLen: imageLen, tallies: make([]tally, len(drawers))}
}

// Run draws images 0 to n-1 of d into out, [n, H, W, C]. Where the drawing begins after noise, out
// holds the states to begin from. When ctx ends, Run returns ctx.Err().
//
// Of several ranks each draws a range of the images. All return the same statistics, and an error
// where one of them failed. Frames are those of the own range: see [Pool.Complete].
func (s *Pool) Run(ctx context.Context, d model.Drawing, out []float32) (ode.Stats, error) {
	n := len(out) / s.imageLen
	if s.alone() {
		return s.run(ctx, &d, 0, n, out)
	}
	from, to := cluster.Share(s.Ranks, n, s.Ranks.Rank())
	if done := d.Done; done != nil { // the others are as far, nearly
		d.Done = func(images int) { done(images * s.Ranks.Size()) }
	}
	stats, err := s.run(ctx, &d, from, to, out)
	if err := cluster.Agree(s.Ranks, err); err != nil {
		return stats, err
	}
	all, err := cluster.GatherValues(s.Ranks, stats)
	if err != nil {
		return stats, err
	}
	stats = ode.Stats{}
	for _, one := range all {
		stats = stats.Merge(one)
	}
	return stats, s.Complete(out, s.imageLen)
}

// alone reports whether this process draws all images.
func (s *Pool) alone() bool { return s.Ranks == nil || s.Ranks.Size() == 1 }

// Complete gives all ranks what each of them has of x for the images that it drew in Run. x has the
// given number of elements for each image.
func (s *Pool) Complete(x []float32, each int) error {
	if s.alone() {
		return nil
	}
	return cluster.AllGather(s.Ranks, cluster.FloatBytes(x), cluster.Shares(s.Ranks, len(x)/each, 4*each))
}

// run draws the images first..end-1 of d into their places in out.
func (s *Pool) run(ctx context.Context, d *model.Drawing, first, end int, out []float32) (ode.Stats, error) {
	n := end - first
	// Few images are spread over all workers rather than left to some.
	chunk := min(s.size, max(1, (n+len(s.Drawers)-1)/len(s.Drawers)))
	var next atomic.Int64
	err := s.crew.Run(func(worker int) {
		if worker >= len(s.Drawers) {
			return
		}
		b := &s.tallies[worker]
		b.solved, b.err = ode.Stats{}, nil
		for b.err == nil {
			from := first + (int(next.Add(1))-1)*chunk
			if from >= end {
				return
			}
			count := min(chunk, end-from)
			s.draw(ctx, d, worker, from, out[from*s.imageLen:(from+count)*s.imageLen])
			if d.Done != nil && b.err == nil {
				d.Done(count)
			}
		}
	})
	var stats ode.Stats
	for i := range s.tallies {
		stats = stats.Merge(s.tallies[i].solved)
		if err == nil {
			err = s.tallies[i].err
		}
	}
	return stats, err
}

// Noise fills x, [H, W, C], with the noise that the image of an index begins from.
func Noise(x []float32, seed uint64, index int) {
	var rng rand.PCG
	flow.Seed(&rng, seed, uint64(index))
	flow.Gaussian(x, &rng)
}

// draw draws the images from, from+1, … into x, [n, H, W, C], on one worker.
func (s *Pool) draw(ctx context.Context, d *model.Drawing, worker, from int, x []float32) {
	if d.Part.From == 0 {
		for i := range len(x) / s.imageLen {
			Noise(x[i*s.imageLen:(i+1)*s.imageLen], d.Seed, d.First+from+i)
		}
	}
	b := &s.tallies[worker]
	stats, err := s.Drawers[worker].Draw(ctx, d, from, x)
	b.solved, b.err = b.solved.Merge(stats), err
}
