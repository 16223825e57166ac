package pipeline

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

// A trajectories holds the way of some images from noise at t = 0, at equal distances of time, to t = 1.
type trajectories struct {
	states   [keptParts + 1][]float32 // [n, H, W, C] each
	labels   []int32                  // nil for a network without classes
	imageLen int
}

func newTrajectories(n, imageLen int) *trajectories {
	p := &trajectories{imageLen: imageLen}
	for i := range p.states {
		p.states[i] = make([]float32, n*imageLen)
	}
	return p
}

func (p *trajectories) len() int { return len(p.states[0]) / p.imageLen }

// state returns that of a trajectory at the end of so many parts.
func (p *trajectories) state(index, parts int) []float32 {
	return p.states[parts][index*p.imageLen:][:p.imageLen]
}

// A teacher draws trajectories, on the workers of a crew.
type teacher struct {
	sampler *sampler
	classes int     // real ones
	drawing Drawing // but for the seed and the labels
	steps   int     // of the solver in each part of a trajectory
}

// newTeacher makes the workers' copies of a model, for at most so many of them.
func newTeacher(ck *Checkpoint, o *DistillOptions, c *crew) (*teacher, error) {
	u := ck.UNet()
	solver, err := ode.NewSolver(o.TeacherSolver, o.TeacherSteps, defaultTol)
	if err != nil {
		return nil, err
	}
	var drawers []Drawer
	for range c.size() {
		drawers = append(drawers, u.NewDrawer(replicaImages))
	}
	return &teacher{
		sampler: newSampler(c, drawers, replicaImages, u.Shape().Len()), classes: u.Labels().Count,
		drawing: Drawing{Guidance: o.Guidance, Null: u.Labels().NullRow(), Plan: Plan{Solver: solver, Predicts: u.Predicts}},
		steps:   o.TeacherSteps / keptParts,
	}, nil
}

// draw fills p with trajectories from the noise of a seed, of classes that are equally frequent.
func (t *teacher) draw(ctx context.Context, p *trajectories, seed uint64) error {
	d := t.drawing
	d.Seed = seed
	if t.classes > 0 {
		if p.labels == nil {
			p.labels = make([]int32, p.len())
		}
		var rng rand.PCG
		for i := range p.labels {
			p.labels[i] = randomClass(&rng, seed, i, t.classes)
		}
		d.Labels = p.labels
	}
	d.Frame = func(from, step int, x []float32) {
		if part := step / t.steps; step%t.steps == 0 && part < keptParts {
			copy(p.states[part][from*p.imageLen:], x)
		}
	}
	_, err := t.sampler.run(ctx, d, p.states[keptParts])
	return err
}

// randomClass returns the class of an image that none is asked for.
func randomClass(rng *rand.PCG, seed uint64, index, classes int) int32 {
	seedStream(rng, seed, streamClass, index, 0)
	return int32(flow.OpenUniform(rng) * float64(classes))
}
