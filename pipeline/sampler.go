package pipeline

import (
	"context"
	"math/rand/v2"
	"sync/atomic"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

// A sampler draws images, a few at a time on each worker of a crew.
type sampler struct {
	crew     *crew
	drawers  []Drawer // of the workers
	size     int      // images that a drawer takes
	imageLen int
	tallies  []tally // by each worker
}

// A tally is what a worker came to.
type tally struct {
	solved ode.Stats
	err    error
}

func newSampler(c *crew, drawers []Drawer, size, imageLen int) *sampler {
	return &sampler{crew: c, drawers: drawers, size: size, imageLen: imageLen, tallies: make([]tally, len(drawers))}
}

// run fills out, [n, H, W, C], with the images of d. It returns ctx.Err() when that ends it.
func (s *sampler) run(ctx context.Context, d Drawing, out []float32) (ode.Stats, error) {
	n := len(out) / s.imageLen
	// Few images are spread over all workers rather than left to some.
	chunk := min(s.size, max(1, (n+len(s.drawers)-1)/len(s.drawers)))
	var next atomic.Int64
	err := s.crew.run(func(worker int) {
		if worker >= len(s.drawers) {
			return
		}
		b := &s.tallies[worker]
		b.solved, b.err = ode.Stats{}, nil
		for b.err == nil {
			from := (int(next.Add(1)) - 1) * chunk
			if from >= n {
				return
			}
			count := min(chunk, n-from)
			s.draw(ctx, &d, worker, from, out[from*s.imageLen:(from+count)*s.imageLen])
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

// draw draws the images from, from+1, … that fill x, on one worker.
func (s *sampler) draw(ctx context.Context, d *Drawing, worker, from int, x []float32) {
	var rng rand.PCG
	for i := range len(x) / s.imageLen {
		flow.Seed(&rng, d.Seed, uint64(d.First+from+i))
		flow.Gaussian(x[i*s.imageLen:(i+1)*s.imageLen], &rng)
	}
	b := &s.tallies[worker]
	stats, err := s.drawers[worker].Draw(ctx, d, from, x)
	b.solved, b.err = b.solved.Merge(stats), err
}
