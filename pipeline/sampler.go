package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/realnvp"
)

// A drawing says which images to generate.
type drawing struct {
	seed     uint64
	first    int     // index of the first image; image i starts from the noise of (seed, first+i)
	labels   []int32 // the row of label_emb for each image, nil for an unconditional network
	null     int32   // the row of "no class", when guidance is not 1
	guidance float64 // weight W of v_null + W·(v_class − v_null)
	method

	// frame, when not nil, is shown the states of images from..from+n-1 at each step of the solver, by
	// several goroutines at once for images of their own.
	frame func(from, step int, x []float32)
	// done, when not nil, is told how many more images are finished, by several goroutines.
	done func(images int)
}

// A sampler solves dx/dt = v(x, t) from noise at t=0 to images at t=1, a few images at a time on each
// worker of a crew. What it draws for an image depends on no other image.
type sampler struct {
	crew     *crew
	nets     []network          // of the workers
	flows    []*realnvp.Replica // in their place, of a normalizing flow
	size     int                // images that a network takes
	imageLen int
	bufs     []sampleBuffers
}

type sampleBuffers struct {
	y      []int32
	v0     []float32 // the velocity without class
	solved ode.Stats
	err    error
}

func newSampler(c *crew, nets []network, size, imageLen int) *sampler {
	s := &sampler{crew: c, nets: nets, size: size, imageLen: imageLen, bufs: make([]sampleBuffers, len(nets))}
	for i := range s.bufs {
		s.bufs[i] = sampleBuffers{y: make([]int32, size), v0: make([]float32, size*imageLen)}
	}
	return s
}

// newFlowSampler makes a sampler of a normalizing flow, with a worker for each replica.
func newFlowSampler(c *crew, flows []*realnvp.Replica, size, imageLen int) *sampler {
	return &sampler{crew: c, flows: flows, size: size, imageLen: imageLen, bufs: make([]sampleBuffers, len(flows))}
}

// workers returns how many of the crew draw.
func (s *sampler) workers() int { return len(s.nets) + len(s.flows) } // one of the two is empty

// run fills out, [n, H, W, C], with the images of d. It returns ctx.Err() when that ends it.
func (s *sampler) run(ctx context.Context, d drawing, out []float32) (ode.Stats, error) {
	n := len(out) / s.imageLen
	// Few images are spread over all workers rather than left to some.
	chunk := min(s.size, max(1, (n+s.workers()-1)/s.workers()))
	var next atomic.Int64
	err := s.crew.run(func(worker int) {
		if worker >= s.workers() {
			return
		}
		b := &s.bufs[worker]
		b.solved, b.err = ode.Stats{}, nil
		for b.err == nil {
			from := (int(next.Add(1)) - 1) * chunk
			if from >= n {
				return
			}
			count := min(chunk, n-from)
			s.solve(ctx, d, worker, from, out[from*s.imageLen:(from+count)*s.imageLen])
			if d.done != nil && b.err == nil {
				d.done(count)
			}
		}
	})
	var stats ode.Stats
	for i := range s.bufs {
		stats = stats.Merge(s.bufs[i].solved)
		if err == nil {
			err = s.bufs[i].err
		}
	}
	return stats, err
}

// solve draws the images from, from+1, … that fill x, on one worker.
func (s *sampler) solve(ctx context.Context, d drawing, worker, from int, x []float32) {
	b, n := &s.bufs[worker], len(x)/s.imageLen
	var rng rand.PCG
	for i := range n {
		flow.Seed(&rng, d.seed, uint64(d.first+from+i))
		flow.Gaussian(x[i*s.imageLen:(i+1)*s.imageLen], &rng)
	}
	if s.flows != nil {
		var stats ode.Stats
		if stats, b.err = s.transform(d, worker, from, x); b.err == nil {
			b.err = ctx.Err()
		}
		b.solved = b.solved.Merge(stats)
		return
	}
	solver := d.solver
	if s, ok := solver.(flow.PathSolver); ok {
		solver = s.WithNoise(freshNoise(d.seed, d.first+from))
	}
	if d.frame != nil {
		solver = solver.Observed(func(step int, _ float64, x []float32) { d.frame(from, step, x) })
	}
	stats, err := solver.Solve(ctx, s.field(d, worker, from), x, n, 0, 1)
	b.solved = b.solved.Merge(stats)
	b.err = err
}

// transform takes noise through a normalizing flow. It is one evaluation, with nothing between noise and image to show.
func (s *sampler) transform(d drawing, worker, from int, x []float32) (ode.Stats, error) {
	show := d.frame
	if show == nil {
		show = func(int, int, []float32) {}
	}
	n := len(x) / s.imageLen
	show(from, 0, x)
	s.flows[worker].Sample(x, n)
	for _, v := range x {
		if v-v != 0 {
			return ode.Stats{}, fmt.Errorf("image of the normalizing flow: %w", ode.ErrNotFinite)
		}
	}
	show(from, 1, x)
	once := ode.Tally{Total: n, Max: 1}
	return ode.Stats{States: n, Calls: 1, Evaluations: once, Steps: once}, nil
}

// field returns what carries the images from, from+1, … on one worker.
func (s *sampler) field(d drawing, worker, from int) ode.Field {
	if d.jump == 0 {
		return d.predicts.velocity(ode.FieldFunc(func(v, x, t []float32, index []int) { s.predict(d, worker, from, v, x, t, index) }))
	}
	return flow.JumpField(flow.FlowMapFunc(func(u, x, t, lengths []float32, index []int) {
		s.nets[worker].Jump(u, x, t, lengths, s.classesOf(d, worker, from, index))
	}), d.jump)
}

// classesOf returns the classes of the images at an index, nil for a network without.
func (s *sampler) classesOf(d drawing, worker, from int, index []int) []int32 {
	if d.labels == nil {
		return nil
	}
	y := s.bufs[worker].y[:len(index)]
	for i, k := range index {
		y[i] = d.labels[from+k]
	}
	return y
}

// predict is v(x, t, y), or what else the network predicts, guided towards the class where asked for (Ho and Salimans
// 2022, with W = 1 for no guidance; Zheng et al. 2023 for velocities; the same for all, see [flow.VelocityOf]).
func (s *sampler) predict(d drawing, worker, from int, v, x, t []float32, index []int) {
	b, net := &s.bufs[worker], s.nets[worker]
	y := s.classesOf(d, worker, from, index)
	net.Forward(v, x, t, y)
	if y == nil || d.guidance == 1 {
		return
	}
	for i := range y {
		y[i] = d.null
	}
	v0 := b.v0[:len(v)]
	net.Forward(v0, x, t, y)
	w := float32(d.guidance)
	for i := range v {
		v[i] = v0[i] + float32(w*(v[i]-v0[i]))
	}
}
