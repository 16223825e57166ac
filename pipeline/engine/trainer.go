package engine

import (
	"context"
	"math"
	"slices"
	"sync/atomic"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A Task is what one worker of an engine trains for: a network of its own, the buffers round it, and a loss
// that is a mean over the images of the batch.
//
// Whatever it draws is keyed by the run's seed, the step and the position in the batch, so that the worker and the
// moment do not count. A loss that needs several images at once may look at all of its micro-batch; as draws
// are keyed, it may also repeat those for other positions of the batch.
type Task interface {
	// Gradient adds to grad the gradient of the loss of the n images from position first on of the step's batch:
	// of their share, a sum over n divided by the images of the whole batch. It returns that share, and
	// allocates nothing once its buffers have grown.
	Gradient(grad []float32, step, first, n int) (loss float64)
}

// A Recipe is what the engine itself needs of the options: how a batch is cut, and what is done with its
// gradient.
type Recipe struct {
	Batch, MicroBatch int
	Beta1, Beta2      float64
	Eps, Decay        float64
	Clip              float64 // largest norm of the gradient, 0 for any
	EMA               float64 // decay of the averages, 0 for none
	Muon              bool    // matrices are stepped by Muon, all else by AdamW
}

// State is everything that a step changes, as flat vectors of one length.
type State struct {
	Values         []float32 // the parameters
	Average        []float32 // their running average
	Moment, Square []float32 // AdamW's moments; of matrices that Muon steps its momentum, and nothing
}

// newOptimState makes the state of parameters that nobody has trained yet. Without averaging, the
// average is the parameters themselves.
func newOptimState(values []float32, averaged bool) State {
	s := State{Values: values, Average: values, Moment: make([]float32, len(values)), Square: make([]float32, len(values))}
	if averaged {
		s.Average = slices.Clone(values)
	}
	return s
}

// A StepResult is what a step measured.
type StepResult struct {
	Loss float64 // mean over the batch
	Norm float64 // of the gradient, before clipping
}

// Finite reports whether the step may count.
func (r StepResult) Finite() bool {
	return !math.IsNaN(r.Loss) && !math.IsInf(r.Loss, 0) && !math.IsNaN(r.Norm) && !math.IsInf(r.Norm, 0)
}

// An Trainer runs training steps on a crew: micro-batches spread over the workers, then the tail
// (norm, AdamW, averaging, repacking) cut over them. The numbers depend on the recipe, the task, the data and the
// instruction set alone, not on the number of workers: micro-batches meet in a fixed tree, and
// element-wise work and sums are cut at fixed places.
type Trainer struct {
	Recipe
	isa     kernels.ISA
	prepare func(ctx context.Context, step int) error // readies the batch of a step, which no task asks for before
	State   State
	repack  func(part, parts int)
	crew    *crew.Crew
	Tasks   []Task // of the workers
	Sums    *reducer
	steps   *stepper

	// Of the running step, set by run and read by the workers.
	ctx      context.Context // asked before each micro-batch: an error abandons the step
	step     int
	chunkSum []float64    // squares summed over each chunk of the gradient
	chunk    atomic.Int64 // next chunk to work on

	// The phases as values made once, so that running them allocates nothing.
	phases struct{ gradients, squares, apply, repack func(worker int) }
}

// chunkLen is the length of the pieces that flat vectors are cut into for the tail. It is fixed, so
// that sums of squares and the ends of vector loops are the same for any number of workers.
const chunkLen = 16384

// A Model is what an engine trains.
type Model interface {
	Params() *nn.Params
	ISA() kernels.ISA
	// Repack does one of parts parts of the work that a change of the parameters takes.
	Repack(part, parts int)
}

// A Setup says what an engine trains, and how.
type Setup struct {
	Recipe
	Model Model
	// Tasks differ in their networks' activations and in their buffers alone. There is a worker for each.
	Tasks []Task
	// Prepare readies the batch of a step, from which tasks take their images; nil: nothing needs to be.
	Prepare func(ctx context.Context, step int) error
	Crew    *crew.Crew // has as many workers as there are tasks, or more; the engine does not own it
}

// NewTrainer makes an engine.
func NewTrainer(s Setup) *Trainer {
	params, isa := s.Model.Params(), s.Model.ISA()
	state := newOptimState(params.Values, s.EMA > 0)
	e := &Trainer{
		Recipe: s.Recipe, isa: isa, prepare: s.Prepare, State: state, repack: s.Model.Repack, crew: s.Crew, Tasks: s.Tasks,
		steps: newStepper(s.Recipe, isa, state, params, s.Crew.Size()),
	}
	e.Sums = NewReducer(e.MicroBatches(), len(s.Tasks), len(state.Values), isa.Add)
	e.chunkSum = make([]float64, (len(state.Values)+chunkLen-1)/chunkLen)
	e.crew.OnPanic = e.Sums.Abort
	e.phases.gradients = e.gradients
	e.phases.squares = func(int) { e.eachChunk(e.squareChunk) }
	e.phases.apply = e.apply
	e.phases.repack = func(worker int) { e.repack(worker, e.crew.Size()) }
	return e
}

// MicroBatches returns their number in a step; the last may be smaller than the others.
func (r Recipe) MicroBatches() int { return (r.Batch + r.MicroBatch - 1) / r.MicroBatch }

// Step does step number step (from 0) at the given learning rate. A result that is not finite, or an
// error, leaves the state as it was before the step, unless a worker panicked in the tail. After an error
// the engine makes no more steps. When ctx ends, the error is its own.
func (e *Trainer) Step(ctx context.Context, step int, rate float64) (StepResult, error) {
	e.step, e.ctx = step, ctx
	if e.prepare != nil {
		if err := e.prepare(ctx, step); err != nil {
			return StepResult{}, err
		}
	}
	e.Sums.reset()
	if err := e.crew.Run(e.phases.gradients); err != nil {
		return StepResult{}, err
	}
	if e.Sums.Root == nil { // its buffers are not in place for another step either
		return StepResult{}, ctx.Err()
	}
	if err := e.tail(e.phases.squares); err != nil {
		return StepResult{}, err
	}
	result := StepResult{Loss: e.Sums.Root.Loss, Norm: math.Sqrt(inorder.Sum(e.chunkSum))}
	if !result.Finite() {
		return result, nil
	}
	e.steps.prepare(e.step, rate, result.Norm)
	if err := e.tail(e.phases.apply); err != nil {
		return result, err
	}
	return result, e.crew.Run(e.phases.repack)
}

func (e *Trainer) tail(phase func(int)) error {
	e.chunk.Store(0)
	return e.crew.Run(phase)
}

// gradients takes micro-batches until none is left.
func (e *Trainer) gradients(worker int) {
	if worker >= len(e.Tasks) {
		return
	}
	for {
		if e.ctx.Err() != nil {
			e.Sums.Abort()
		}
		p, index, ok := e.Sums.Take()
		if !ok {
			return
		}
		clear(p.Grad)
		first := index * e.MicroBatch
		p.Loss = e.Tasks[worker].Gradient(p.Grad, e.step, first, min(e.MicroBatch, e.Batch-first))
		e.Sums.Deliver(p, index)
	}
}

// eachChunk calls work for the chunks of the flat vectors that no other worker has taken.
func (e *Trainer) eachChunk(work func(chunk, from, to int)) {
	for {
		i := int(e.chunk.Add(1)) - 1
		if i >= len(e.chunkSum) {
			return
		}
		work(i, i*chunkLen, min((i+1)*chunkLen, len(e.State.Values)))
	}
}

func (e *Trainer) squareChunk(chunk, from, to int) {
	e.chunkSum[chunk] = e.isa.SumSquares(e.Sums.Root.Grad[from:to])
}

// apply steps pieces of the parameters until none is left.
func (e *Trainer) apply(worker int) {
	for {
		i := int(e.chunk.Add(1)) - 1
		if i >= len(e.steps.pieces) {
			return
		}
		e.steps.step(worker, e.steps.pieces[i], e.Sums.Root.Grad)
	}
}

// A stateVector is one of the vectors of an [optimState], with the prefix of its tensors in a file.
type stateVector struct {
	Prefix string
	Flat   []float32
}

// Vectors returns all vectors of the state.
func (s *State) Vectors() []stateVector {
	return []stateVector{{"weights.", s.Values}, {"average.", s.Average}, {"adam_m.", s.Moment}, {"adam_v.", s.Square}}
}
