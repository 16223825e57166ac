package distill

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// trajectories holds the states of n images at times 0, 1/keptParts, … 1, from noise to image.
type trajectories struct {
	states   [keptParts + 1][]float32 // [n, H, W, C] each
	labels   []int32                  // class of each image; nil for a network without classes
	imageLen int
}

// newTrajectories makes room for n images.
func newTrajectories(n, imageLen int) *trajectories {
	p := &trajectories{imageLen: imageLen}
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

// A teacher draws trajectories, on the workers of a crew.
type teacher struct {
	pool    *sample.Pool
	rows    model.RowDraw // draws classes; without rows for a network without classes
	drawing model.Drawing // all but the seed and the labels
	steps   int           // steps of the solver in each part of a trajectory
}

// newTeacher makes a teacher of a model, with a drawer for each worker of a crew.
func newTeacher(ck *model.Checkpoint, o *Options, c *crew.Crew) (*teacher, error) {
	u := ck.UNet()
	solver, err := ode.NewSolver(o.TeacherSolver, o.TeacherSteps, model.DefaultTol)
	if err != nil {
		return nil, err
	}
	var drawers []model.Drawer
	for range c.Size() {
		drawers = append(drawers, u.NewDrawer(sample.ReplicaImages))
	}
	return &teacher{
		pool: sample.NewPool(c, drawers, sample.ReplicaImages, u.Shape().Len()), rows: ck.Meta.RowDraw(u.Labels()),
		drawing: model.Drawing{
			Guidance: o.Guidance, Null: u.Labels().NullRow(),
			Plan: model.Plan{Solver: solver, Predicts: u.Predicts},
		},
		steps: o.TeacherSteps / keptParts,
	}, nil
}

// draw fills p with trajectories from the noise of a seed. Classes are as frequent as in the
// teacher's training data.
func (t *teacher) draw(ctx context.Context, p *trajectories, seed uint64) error {
	d := t.drawing
	d.Seed = seed
	if len(t.rows.Rows) > 0 {
		if p.labels == nil {
			p.labels = make([]int32, p.len())
		}
		var rng rand.PCG
		for i := range p.labels {
			p.labels[i] = t.rows.Row(&rng, seed, i)
		}
		d.Labels = p.labels
	}
	d.Frame = func(from, step int, x []float32) {
		if part := step / t.steps; step%t.steps == 0 && part < keptParts {
			copy(p.states[part][from*p.imageLen:], x)
		}
	}
	_, err := t.pool.Run(ctx, d, p.states[keptParts])
	return err
}
