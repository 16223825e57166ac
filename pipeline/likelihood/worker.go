package likelihood

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A scoreWorker solves tasks in memory of its own.
type scoreWorker struct {
	*Gauge
	density model.DensityEstimator
	pixels  []float32 // [tasks, H, W, C]
	logp    []float64 // [tasks, probes]
	y       []int32   // [tasks]
}

// newWorker makes a worker that solves up to size tasks at a time.
func (g *Gauge) newWorker(ctx context.Context, size int) *scoreWorker {
	return &scoreWorker{
		Gauge: g, density: g.model.NewEstimator(ctx, size),
		pixels: make([]float32, size*g.ck.Shape().Len()), y: make([]int32, size),
		logp: make([]float64, size*max(g.method.Probes, 1)),
	}
}

// solve solves tasks together and sets their logp.
func (w *scoreWorker) solve(ctx context.Context, tasks []scoreTask) (ode.Stats, error) {
	n, d, m := len(tasks), len(w.pixels)/len(w.y), max(w.method.Probes, 1)
	var rng rand.PCG
	for i, task := range tasks {
		index, x := task.image.Index, w.pixels[i*d:(i+1)*d]
		task.image.Set(x)
		pipeline.Seed(&rng, w.opt.Seed, pipeline.StreamScoreSpread, index, task.sample)
		feed.Dequantize(x, &rng)
		w.density.SetImage(i, w.opt.Seed, index)
		w.y[i] = task.class
	}
	var y []int32
	if w.class != "" {
		y = w.y[:n]
	}
	stats, err := w.density.LogProb(ctx, w.logp[:n*m], w.pixels[:n*d], y)
	if err == nil {
		err = ctx.Err() // the last divergence may be cut short
	}
	for i, task := range tasks {
		copy(task.logp, w.logp[i*m:(i+1)*m])
	}
	return stats, err
}
