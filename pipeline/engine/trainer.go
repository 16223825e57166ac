package engine

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A Task is what one worker of a trainer does. It has a network and buffers of its own, and knows
// the loss, a mean over the images of the batch.
//
// Each draw of a task is keyed by the seed of the run, the step and the position in the batch. So
// it does not matter which worker draws, and when. A loss that needs several images at once may
// look at its whole micro-batch. As draws are keyed, a task may also repeat the draws of other
// positions.
type Task interface {
	// Gradient takes the n images of the step's batch from position first on. Their loss is the sum
	// of the images' losses, divided by the number of images of the whole batch. Gradient returns
	// this loss, and adds its gradient to grad. It allocates nothing once its buffers have grown.
	Gradient(grad []float32, step, first, n int) (loss float64)
}

// A Model is what a trainer changes.
type Model interface {
	Params() *nn.Params
	ISA() kernels.ISA
	// Repack rebuilds the forms of the parameters that kernels read. The work is cut into parts,
	// and one call does the part with the given number, from 0.
	Repack(part, parts int)
}

// A Recipe says how a batch is cut, and what a step does with the gradient.
type Recipe struct {
	Batch        int // images of a step
	MicroBatch   int // images that a task takes at once, on which the order of sums depends
	Optimizer    Optimizer
	Beta1, Beta2 float64 // AdamW's decays of the gradient's mean and square
	Eps          float64 // AdamW's smallest divisor
	Decay        float64 // decoupled weight decay, times the learning rate
	Clip         float64 // largest norm of the gradient; 0: no clipping
	EMA          float64 // decay of the averaged weights; 0: no averages
}

// MicroBatches returns the number of micro-batches of a step. The last one may be smaller than the
// others.
func (r Recipe) MicroBatches() int { return (r.Batch + r.MicroBatch - 1) / r.MicroBatch }

// A Setup says what a trainer trains, and how.
type Setup struct {
	Recipe
	Model     Model
	Precision kernels.Precision // of the model's activations
	// Tasks has one task for each worker. They differ only in their activations and their buffers.
	Tasks []Task
	// Prepare readies the batch of a step before tasks ask for it; nil: nothing to do. It may use
	// Ranks.
	Prepare func(ctx context.Context, step int) error
	// Crew has at least as many workers as there are tasks, and stays the caller's; nil: the
	// trainer starts workers of its own.
	Crew *crew.Crew
	// Ranks share the work of each step; nil: this process does it alone. All ranks make the same
	// trainer, but for the number of tasks, and then the same calls of [Trainer.Step],
	// [Trainer.Average] and [Trainer.Collect], which are collective.
	Ranks cluster.Comm
}

// A Trainer does training steps: it spreads micro-batches over the workers, and then the tail of
// the step. Its numbers depend on the recipe, the tasks, the data and the instruction set alone,
// not on the number of workers and ranks. It is not safe for concurrent use.
type Trainer struct {
	recipe  Recipe
	isa     kernels.ISA
	prepare func(ctx context.Context, step int) error
	state   State
	repack  func(part, parts int)
	crew    *crew.Crew
	owned   bool // the trainer ends the crew
	tasks   []Task
	sums    *Reducer
	team    *team
	lost    error // the ranks lost each other before the first step
	steps   *stepper

	// The running step, which Step sets and the workers read.
	ctx      context.Context // checked before each micro-batch: an error abandons the step
	step     int
	grad     []float32    // in this rank's wide share, the sum over all micro-batches
	chunkSum []float64    // the sum of squares of each chunk of the gradient
	chunk    atomic.Int64 // next chunk to work on

	// The phases are made once, so that running them allocates nothing.
	phases struct{ gradients, sums, apply, repack func(worker int) }
	// So is what goes on beside them: sums and values pass to other ranks.
	passes struct{ sums, values func() error }
}

// chunkLen is the length of the chunks of flat vectors in the tail of a step. It is fixed, so that
// sums of squares and the ends of vector loops are the same for any number of workers.
const chunkLen = 16384

// NewTrainer makes a trainer. If the setup has no crew, it also starts workers, which Close ends.
func NewTrainer(s Setup) *Trainer {
	params, isa := s.Model.Params(), s.Model.ISA()
	t := &Trainer{
		recipe: s.Recipe, isa: isa, prepare: s.Prepare, state: newState(params.Values, s.EMA > 0),
		repack: s.Model.Repack, crew: s.Crew, tasks: s.Tasks,
	}
	if t.crew == nil {
		t.crew, t.owned = crew.New(len(s.Tasks)), true
	}
	ranks, micros := s.Ranks, s.MicroBatches()
	if ranks == nil {
		ranks = cluster.Alone()
	}
	cuts, err := Divide(ranks, micros, t.crew.Size())
	if err != nil {
		t.lost, ranks, cuts = err, cluster.Alone(), []int{0, micros}
	}
	t.steps = newStepper(s, t.state, t.crew.Size())
	t.team = newTeam(ranks, cuts, t.steps.pieces, len(t.state.Values))
	own := t.team.own()
	t.steps.keep(own.parts)
	t.sums = newReducer(micros, own.first, own.end, len(s.Tasks), len(t.state.Values), isa.Add)
	t.chunkSum = make([]float64, chunksTo(len(t.state.Values)))
	t.crew.OnPanic = func() {
		t.sums.Abort()
		t.steps.giveUp()
	}
	t.phases.gradients = t.gradients
	t.phases.sums = t.sumChunks
	t.phases.apply = t.apply
	t.passes.sums = func() error { return t.team.passSums(t.sums) }
	t.passes.values = func() error { return t.team.passValues(t.state.Values, t.steps.await) }
	t.phases.repack = func(worker int) { t.repack(worker, t.crew.Size()) }
	return t
}

// Close ends the workers that the trainer made.
func (t *Trainer) Close() {
	if t.owned {
		t.crew.Close()
	}
}

// State returns what steps change. It is not a copy: no step may run while a caller changes it.
func (t *Trainer) State() *State { return &t.state }

// Workers returns the number of workers that compute gradients.
func (t *Trainer) Workers() int { return len(t.tasks) }

// Scratch returns a vector as long as a gradient, which is free between steps.
func (t *Trainer) Scratch() []float32 { return t.sums.pool[0].Grad }

// A StepResult is what a step measured.
type StepResult struct {
	Loss float64 // mean over the batch
	Norm float64 // of the gradient, before clipping
}

// Finite reports whether loss and norm are numbers. Otherwise the step has changed nothing.
func (r StepResult) Finite() bool {
	return !math.IsNaN(r.Loss) && !math.IsInf(r.Loss, 0) && !math.IsNaN(r.Norm) && !math.IsInf(r.Norm, 0)
}

// Step does the step with the given number, from 0, at a learning rate. When ctx ends, Step returns
// ctx.Err(). A result that is not finite, or an error, leaves the state as it was before the step,
// unless a worker panicked in the tail. After an error the trainer cannot make more steps.
//
// All ranks get the same result. An error of one rank ends the step of all, see [cluster.Agree].
// After a [*cluster.Error] the ranks have lost each other.
func (t *Trainer) Step(ctx context.Context, step int, rate float64) (StepResult, error) {
	if t.lost != nil {
		return StepResult{}, t.lost
	}
	t.step, t.ctx = step, ctx
	var err error
	if t.prepare != nil { // which may use the ranks itself
		err = t.prepare(ctx, step)
	}
	t.sums.reset()
	t.team.start(t.passes.sums)
	err = t.compute(err)
	if lost := t.team.wait(); lost != nil {
		return StepResult{}, lost
	}
	if err == nil {
		t.bringTogether()
		err = t.tail(t.phases.sums)
	}
	if err := t.team.agree(err, t.chunkSum); err != nil {
		return StepResult{}, err
	}
	result := StepResult{Loss: t.team.loss(), Norm: math.Sqrt(inorder.Sum(t.chunkSum))}
	if !result.Finite() {
		return result, nil
	}
	t.steps.prepare(t.step, rate, result.Norm)
	return result, t.finish()
}

// compute sums the gradients of this rank's micro-batches. err is an error until now, with which it
// sums nothing.
func (t *Trainer) compute(err error) error {
	if err == nil {
		err = t.crew.Run(t.phases.gradients)
	}
	if err == nil && !t.sums.whole() { // aborted: the buffers are not in place for another step
		err = t.ctx.Err()
	}
	if err != nil {
		t.sums.Abort()
	}
	return err
}

// bringTogether sets where the sums over all micro-batches come from, and where they go.
func (t *Trainer) bringTogether() {
	t.team.take(t.sums)
	if own := t.sums.sums; len(own) > 0 {
		t.grad = own[0].Grad
	} else {
		t.grad = t.Scratch()
	}
}

// finish steps the parameters of this rank's share, and passes them on.
func (t *Trainer) finish() error {
	t.steps.begin()
	t.team.start(t.passes.values)
	err := t.tail(t.phases.apply)
	lost := t.team.wait()
	switch {
	case err != nil && !t.team.alone(): // the others have values without a meaning
		return &cluster.Error{Rank: t.team.comm.Rank(), Err: err}
	case err != nil:
		return err
	case lost != nil:
		return lost
	}
	return t.crew.Run(t.phases.repack)
}

// Average gives all ranks the whole running averages, of which each computes a share.
func (t *Trainer) Average() error {
	if t.recipe.EMA == 0 || t.team.alone() {
		return t.lost
	}
	return t.team.passValues(t.state.Average, func(int) {})
}

// Collect gives rank 0 the whole state, of which each rank computes a share.
func (t *Trainer) Collect() error {
	if t.lost != nil {
		return t.lost
	}
	c := t.team.comm
	for _, part := range t.state.Vectors() {
		for rank := 1; rank < c.Size(); rank++ {
			var err error
			switch share := cluster.FloatBytes(t.team.members[rank].share.of(part.Flat)); {
			case len(share) == 0:
			case c.Rank() == 0:
				err = c.Receive(rank, share)
			case c.Rank() == rank:
				err = c.Send(0, share)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// tail runs a phase of the tail of a step, from the first chunk or piece on.
func (t *Trainer) tail(phase func(int)) error {
	t.chunk.Store(0)
	return t.crew.Run(phase)
}

// gradients takes micro-batches until none is left.
func (t *Trainer) gradients(worker int) {
	if worker >= len(t.tasks) {
		return
	}
	for {
		if t.ctx.Err() != nil {
			t.sums.Abort()
		}
		p, index, ok := t.sums.Take()
		if !ok {
			return
		}
		clear(p.Grad)
		first := index * t.recipe.MicroBatch
		p.Loss = t.tasks[worker].Gradient(p.Grad, t.step, first, min(t.recipe.MicroBatch, t.recipe.Batch-first))
		t.sums.Deliver(p, index)
	}
}

// sumChunks brings chunks of the gradient together, until none is left, and sums their squares.
func (t *Trainer) sumChunks(int) {
	own := t.team.own()
	for {
		from := own.wide.from + (int(t.chunk.Add(1))-1)*chunkLen
		if from >= own.wide.to {
			return
		}
		to := min(from+chunkLen, own.wide.to)
		sum, grad := t.team.sum(from, to, t.isa.Add), t.grad[from:to]
		if &sum[0] != &grad[0] {
			copy(grad, sum)
		}
		t.chunkSum[from/chunkLen] = t.isa.SumSquares(grad)
	}
}

// apply steps pieces of this rank's share of the parameters until none is left.
func (t *Trainer) apply(worker int) {
	for {
		i := int(t.chunk.Add(1)) - 1
		if i >= len(t.steps.pieces) {
			return
		}
		t.steps.step(worker, t.steps.pieces[i], t.grad)
		t.steps.done(i)
	}
}
