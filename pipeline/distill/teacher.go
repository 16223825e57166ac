package distill

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// trajectories holds the states of n images at times 0, 1/keptParts, … 1, from noise to image.
type trajectories struct {
	states   [keptParts + 1][]float32 // [n, H, W, C] each
	ways     []span                   // between the first and the last state of each trajectory
	labels   []int32                  // class of each image; nil for a network without classes
	weights  []float32                // weight of guidance of each image; nil for one weight
	imageLen int
	// begun is the share of the jumps from stops that begin at the student's states.
	begun float64
}

// newTrajectories makes room for n images.
func newTrajectories(n, imageLen int) *trajectories {
	p := &trajectories{imageLen: imageLen, ways: make([]span, n)}
	for i := range p.states {
		p.states[i] = make([]float32, n*imageLen)
	}
	return p
}

// len returns the number of trajectories.
func (p *trajectories) len() int { return len(p.states[0]) / p.imageLen }

// state returns the state of a trajectory at time parts/keptParts.
func (p *trajectories) state(index, parts int) []float32 {
	return p.states[parts][index*p.imageLen:][:p.imageLen]
}

// jump returns the jump of a trajectory to train on, for a point u of (0, 1) as in [JumpShares].
func (p *trajectories) jump(index int, s JumpShares, u float64) span {
	switch {
	case p.ways[index] != wholeWay:
		return p.ways[index]
	case p.begun > 0:
		return s.jumpBeside(p.begun, u)
	}
	from, to := s.jump(u)
	return span{from, to}
}

// slice returns the n trajectories from first on, in the same memory.
func (p *trajectories) slice(first, n int) *trajectories {
	s := &trajectories{imageLen: p.imageLen, ways: p.ways[first:][:n]}
	for i, states := range p.states {
		s.states[i] = states[first*p.imageLen:][:n*p.imageLen]
	}
	if p.labels != nil {
		s.labels = p.labels[first:][:n]
	}
	if p.weights != nil {
		s.weights = p.weights[first:][:n]
	}
	return s
}

// A teacher draws trajectories, on the workers of a crew.
type teacher struct {
	pool     *sample.Pool
	rows     model.RowDraw // draws classes; without rows for a network without classes
	guidance model.GuidanceRange
	drawing  model.Drawing             // all but the seed, the labels and the solver
	solvers  [keptParts + 1]ode.Solver // for trajectories of 1, 2, … parts
	steps    int                       // steps of the solver in each part of a trajectory
}

// newTeacher makes a teacher of a model, with a drawer for each worker of a crew. Ranks share the
// trajectories.
// m is settled, and weights are those of guidance.
func newTeacher(
	ck *model.Checkpoint, m model.Method, weights model.GuidanceRange, c *crew.Crew, ranks cluster.Comm,
) (*teacher, error) {
	u := ck.UNet()
	t := &teacher{
		rows: ck.Meta.RowDraw(u.Labels()), guidance: weights, steps: m.Steps / keptParts,
		drawing: model.Drawing{
			Guidance: m.Guidance, Interval: m.Interval, Null: u.Labels().NullRow(),
			Plan: model.Plan{Guide: m.Guide, Predicts: u.Predicts},
		},
	}
	for parts := 1; parts <= keptParts; parts++ {
		var err error
		if t.solvers[parts], err = ode.NewSolver(m.Solver, t.steps*parts, model.DefaultTol); err != nil {
			return nil, err
		}
	}
	var drawers []model.Drawer
	for range c.Size() {
		drawers = append(drawers, u.NewDrawer(sample.ReplicaImages, t.drawing.Plan))
	}
	t.pool = sample.NewPool(c, drawers, sample.ReplicaImages, u.Shape().Len())
	t.pool.Ranks = ranks
	return t, nil
}

// condition draws the classes and weights of guidance of trajectories from a seed. Classes are as
// frequent as in the teacher's training data, and weights uniform in their range.
func (t *teacher) condition(p *trajectories, seed uint64) {
	var rng rand.PCG
	if len(t.rows.Rows) > 0 {
		if p.labels == nil {
			p.labels = make([]int32, p.len())
		}
		for i := range p.labels {
			p.labels[i] = t.rows.Row(&rng, seed, i)
		}
	}
	if t.guidance.Wide() {
		if p.weights == nil {
			p.weights = make([]float32, p.len())
		}
		for i := range p.weights {
			pipeline.Seed(&rng, seed, pipeline.StreamGuidance, i, 0)
			p.weights[i] = float32(t.guidance.At(flow.OpenUniform(&rng)))
		}
	}
}

// draw fills p with the trajectories first, first+1, … of a seed, over a way that begins at noise,
// or at the states that p has there.
func (t *teacher) draw(ctx context.Context, p *trajectories, seed uint64, first int, way span) error {
	d := t.drawing
	d.Seed, d.First, d.Labels, d.Weights = seed, first, p.labels, p.weights
	d.Solver = t.solvers[way.to-way.from]
	d.Part = model.Part{From: float64(way.from) / keptParts, To: float64(way.to) / keptParts}
	for i := range p.ways {
		p.ways[i] = way
	}
	d.Frame = func(from, step int, x []float32) {
		if part := way.from + step/t.steps; step%t.steps == 0 && part < way.to {
			copy(p.states[part][from*p.imageLen:], x)
		}
	}
	end := p.states[way.to]
	if way.from > 0 {
		copy(end, p.states[way.from])
	}
	if _, err := t.pool.Run(ctx, d, end); err != nil {
		return err
	}
	for part := way.from; part < way.to; part++ {
		if err := t.pool.Complete(p.states[part], p.imageLen); err != nil {
			return err
		}
	}
	return nil
}
