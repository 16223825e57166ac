package distill

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// heldTrajectories is the number of trajectories for the validation loss, which takes
// [feed.HeldDraws] jumps of them.
const heldTrajectories = 128

// A jumpTraining is what the workers of a distillation share. A round is the steps that use one
// pool of trajectories. The pool depends on the seed, the round, and the states of the student that
// a file keeps, so a resumed run draws its pool again.
type jumpTraining struct {
	teacher      *teacher
	student      student
	seed         uint64
	batch, micro int
	reuse        int // how often a round uses each trajectory
	shares       JumpShares
	power        float64 // P: the error of a jump of length δ has the weight δ^P
	huber        float64 // c of the pseudo-Huber loss

	round int // round of the pool, -1 before the first
	pool  *trajectories
	order *feed.Order   // order in which steps take the trajectories, anew for each use
	held  *trajectories // for the validation loss; nil for none

	took time.Duration // time that drawing a pool took in this step; 0 where it had its pool
	last time.Duration // time that the latest pool took
}

// stepsPerRound returns the number of steps in a round.
func (d *jumpTraining) stepsPerRound() int { return d.pool.len() * d.reuse / d.batch }

// prepare readies the batch of a step: it draws the pool when the step is the first of a round.
func (d *jumpTraining) prepare(ctx context.Context, step int) error {
	d.took = 0
	d.order.Prepare(step*d.batch, d.batch)
	round := step / d.stepsPerRound()
	if round == d.round {
		return nil
	}
	begin := time.Now()
	if d.round < 0 && d.held != nil {
		seed := d.poolSeed(pipeline.StreamHeld, 0)
		d.teacher.condition(d.held, seed)
		if err := d.teacher.draw(ctx, d.held, seed, 0, wholeWay); err != nil {
			return err
		}
	}
	if err := d.drawPool(ctx, round); err != nil {
		return err
	}
	d.round, d.took = round, time.Since(begin)
	d.last = d.took
	return nil
}

// poolSeed returns the seed of trajectories. It is drawn from the run's, so that they are not
// images of a seed that a person would give.
func (d *jumpTraining) poolSeed(stream, round int) uint64 {
	var rng rand.PCG
	pipeline.Seed(&rng, d.seed, stream, round, 0)
	return rng.Uint64()
}

// drawPool fills the pool of a round. The last trajectories begin at states of the student, where
// the round has such states, and are one jump long.
func (d *jumpTraining) drawPool(ctx context.Context, round int) error {
	seed, noise := d.poolSeed(pipeline.StreamPool, round), d.pool.len()
	d.teacher.condition(d.pool, seed)
	d.pool.begun = 0
	if d.student.starts(round * d.stepsPerRound()) {
		noise, d.pool.begun = d.student.blocks[0].first, d.student.begun
		if err := d.student.reach(ctx, d.pool, seed, round); err != nil {
			return err
		}
		for _, b := range d.student.blocks {
			if err := d.teacher.draw(ctx, d.pool.slice(b.first, b.n), seed, b.first, b.next()); err != nil {
				return err
			}
		}
	}
	return d.teacher.draw(ctx, d.pool.slice(0, noise), seed, 0, wholeWay)
}

// A jumpTask is the task of distillation. It computes the gradient of one micro-batch at a time, in
// buffers of its own. A slot is an index into the micro-batch.
type jumpTask struct {
	*jumpTraining
	net      model.Replica
	rng      rand.PCG
	imageLen int

	// States, targets, the network's output, and the loss's gradient: [micro, H, W, C].
	xt, target, u, du []float32
	t, d              []float32 // times and lengths of the jumps, [micro]
	w                 []float32 // weights of guidance, [micro]; nil for a network that takes none
	y                 []int32   // classes, [micro]; nil for a network without classes
}

// newJumpTasks makes a task for each network.
func newJumpTasks(d *jumpTraining, nets []model.Replica) []*jumpTask {
	states := func() []float32 { return make([]float32, d.micro*d.pool.imageLen) }
	var all []*jumpTask
	for _, net := range nets {
		one := &jumpTask{
			jumpTraining: d, net: net, imageLen: d.pool.imageLen,
			xt: states(), target: states(), u: states(), du: states(),
			t: make([]float32, d.micro), d: make([]float32, d.micro),
		}
		if len(d.teacher.rows.Rows) > 0 {
			one.y = make([]int32, d.micro)
		}
		if d.teacher.guidance.Wide() {
			one.w = make([]float32, d.micro)
		}
		all = append(all, one)
	}
	return all
}

// Gradient implements [engine.Task]. The loss is the mean, over the whole batch, of the
// pseudo-Huber loss of the errors δ^P·(u(x_t, t, δ) − (x_{t+δ} − x_t)/δ).
//
// With P = 1 an error is that of the state where the jump ends. An image takes 1/δ jumps. If their
// errors are independent, P = 1/2 gives each jump its part of the image's squared error. If they
// are all equal, P = 0 does.
func (w *jumpTask) Gradient(grad []float32, step, first, n int) float64 {
	for i := range n {
		position := first + i
		pipeline.Seed(&w.rng, w.seed, pipeline.StreamTime, step, position)
		u, index := flow.Stratum(position, w.batch, flow.OpenUniform(&w.rng)), w.order.Index(position)
		jump := w.pool.jump(index, w.shares, u)
		w.place(i, w.pool, index, jump.from, jump.to)
	}
	loss := w.forward(n) / float64(w.batch)
	du := w.du[:n*w.imageLen]
	for i := range du {
		du[i] /= float32(w.batch)
	}
	w.net.Backward(nil, du, grad)
	return loss
}

// place fills slot i with the jump of a trajectory between the ends of two parts, from and to.
func (w *jumpTask) place(i int, p *trajectories, index, from, to int) {
	lo, hi := i*w.imageLen, (i+1)*w.imageLen
	d := float64(to-from) / keptParts
	copy(w.xt[lo:hi], p.state(index, from))
	flow.MeanVelocity(w.target[lo:hi], w.xt[lo:hi], p.state(index, to), d)
	w.t[i], w.d[i] = float32(from)/keptParts, float32(d)
	if w.y != nil {
		w.y[i] = p.labels[index]
	}
	if w.w != nil {
		w.w[i] = p.weights[index]
	}
}

// forward returns the sum of the losses of the first n slots. du becomes its gradient with respect
// to u.
func (w *jumpTask) forward(n int) float64 {
	y, weights := w.y, w.w
	if y != nil {
		y = y[:n]
	}
	if weights != nil {
		weights = weights[:n]
	}
	w.net.Jump(w.u[:n*w.imageLen], w.xt[:n*w.imageLen], w.t[:n], w.d[:n], weights, y)
	loss := 0.0
	for i := range n {
		lo, hi := i*w.imageLen, (i+1)*w.imageLen
		weight := math.Pow(float64(w.d[i]), w.power)
		loss += flow.PseudoHuber(w.du[lo:hi], w.u[lo:hi], w.target[lo:hi], weight, w.huber)
	}
	return loss
}

// Probe implements [run.Task].
func (w *jumpTask) Probe(grad []float32) {
	w.net.Jump(w.u, w.xt, w.t, w.d, w.w, w.y)
	w.net.Backward(nil, w.du, grad)
}

// Validate implements [run.Task]. The jumps lie at multiples of the golden ratio, which spread
// evenly over the draws.
func (w *jumpTask) Validate(first, n int) float64 {
	for i := range n {
		draw := first + i
		_, spread := math.Modf((float64(draw) + 0.5) / math.Phi)
		from, to := w.shares.jump(spread)
		w.place(i, w.held, draw%w.held.len(), from, to)
	}
	return w.forward(n)
}
