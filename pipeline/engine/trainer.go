package engine

import (
	"context"
	"math"
	"sync/atomic"

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
	// Prepare readies the batch of a step before tasks ask for it; nil: nothing to do.
	Prepare func(ctx context.Context, step int) error
	// Crew has at least as many workers as there are tasks, and stays the caller's; nil: the
	// trainer starts workers of its own.
	Crew *crew.Crew
}

// A Trainer does training steps: it spreads micro-batches over the workers, and then the tail of
// the step. Its numbers depend on the recipe, the tasks, the data and the instruction set alone,
// not on the number of workers. It is not safe for concurrent use.
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
	steps   *stepper

	// The running step, which Step sets and the workers read.
	ctx      context.Context // checked before each micro-batch: an error abandons the step
	step     int
	chunkSum []float64    // the sum of squares of each chunk of the gradient
	chunk    atomic.Int64 // next chunk to work on

	// The phases are made once, so that running them allocates nothing.
	phases struct{ gradients, squares, apply, repack func(worker int) }
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
	t.steps = newStepper(s, t.state, t.crew.Size())
	t.sums = NewReducer(s.MicroBatches(), len(s.Tasks), len(t.state.Values), isa.Add)
	t.chunkSum = make([]float64, (len(t.state.Values)+chunkLen-1)/chunkLen)
	t.crew.OnPanic = t.sums.Abort
	t.phases.gradients = t.gradients
	t.phases.squares = func(int) { t.eachChunk(t.squareChunk) }
	t.phases.apply = t.apply
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
func (t *Trainer) Step(ctx context.Context, step int, rate float64) (StepResult, error) {
	t.step, t.ctx = step, ctx
	if t.prepare != nil {
		if err := t.prepare(ctx, step); err != nil {
			return StepResult{}, err
		}
	}
	t.sums.reset()
	if err := t.crew.Run(t.phases.gradients); err != nil {
		return StepResult{}, err
	}
	root := t.sums.Root()
	if root == nil { // aborted: the buffers are not in place for another step
		return StepResult{}, ctx.Err()
	}
	if err := t.tail(t.phases.squares); err != nil {
		return StepResult{}, err
	}
	result := StepResult{Loss: root.Loss, Norm: math.Sqrt(inorder.Sum(t.chunkSum))}
	if !result.Finite() {
		return result, nil
	}
	t.steps.prepare(t.step, rate, result.Norm)
	if err := t.tail(t.phases.apply); err != nil {
		return result, err
	}
	return result, t.crew.Run(t.phases.repack)
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

// eachChunk calls work for chunks of the flat vectors until none is left.
func (t *Trainer) eachChunk(work func(chunk, from, to int)) {
	for {
		i := int(t.chunk.Add(1)) - 1
		if i >= len(t.chunkSum) {
			return
		}
		work(i, i*chunkLen, min((i+1)*chunkLen, len(t.state.Values)))
	}
}

// squareChunk sums the squares of a chunk of the gradient.
func (t *Trainer) squareChunk(chunk, from, to int) {
	t.chunkSum[chunk] = t.isa.SumSquares(t.sums.root.Grad[from:to])
}

// apply steps pieces of the parameters until none is left.
func (t *Trainer) apply(worker int) {
	for {
		i := int(t.chunk.Add(1)) - 1
		if i >= len(t.steps.pieces) {
			return
		}
		t.steps.step(worker, t.steps.pieces[i], t.sums.root.Grad)
	}
}
