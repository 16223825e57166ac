package pipeline

import (
	"context"
	"math"
	"slices"
	"sync/atomic"

	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A task is what one worker of an engine trains for: a network of its own, the buffers round it, and a loss
// that is a mean over the images of the batch.
//
// Whatever it draws is keyed by the run's seed, the step and the position in the batch, so that the worker and the
// moment do not count. A loss that needs several images at once may look at all of its micro-batch; as draws
// are keyed, it may also repeat those for other positions of the batch.
type task interface {
	// gradient adds to grad the gradient of the loss of the n images from position first on of the step's batch:
	// of their share, a sum over n divided by the images of the whole batch. It returns that share, and
	// allocates nothing once its buffers have grown.
	gradient(grad []float32, step, first, n int) (loss float64)
}

// A recipe is what the engine itself needs of the options: how a batch is cut, and what is done with its
// gradient.
type recipe struct {
	batch, micro int
	beta1, beta2 float64
	eps, decay   float64
	clip         float64 // largest norm of the gradient, 0 for any
	ema          float64 // decay of the averages, 0 for none
	muon         bool    // matrices are stepped by Muon, all else by AdamW
}

// optimState is everything that a step changes, as flat vectors of one length.
type optimState struct {
	values  []float32 // the parameters
	average []float32 // their running average
	m, v    []float32 // AdamW's moments; of matrices that Muon steps its momentum, and nothing
}

// newOptimState makes the state of parameters that nobody has trained yet. Without averaging, the
// average is the parameters themselves.
func newOptimState(values []float32, averaged bool) optimState {
	s := optimState{values: values, average: values, m: make([]float32, len(values)), v: make([]float32, len(values))}
	if averaged {
		s.average = slices.Clone(values)
	}
	return s
}

// A stepResult is what a step measured.
type stepResult struct {
	loss float64 // mean over the batch
	norm float64 // of the gradient, before clipping
}

// finite reports whether the step may count.
func (r stepResult) finite() bool {
	return !math.IsNaN(r.loss) && !math.IsInf(r.loss, 0) && !math.IsNaN(r.norm) && !math.IsInf(r.norm, 0)
}

// An engine runs training steps on a crew: micro-batches spread over the workers, then the tail
// (norm, AdamW, averaging, repacking) cut over them. The numbers depend on the recipe, the task, the data and the
// instruction set alone, not on the number of workers: micro-batches meet in a fixed tree, and
// element-wise work and sums are cut at fixed places.
type engine struct {
	recipe
	isa     kernels.ISA
	prepare func(ctx context.Context, step int) error // readies the batch of a step, which no task asks for before
	state   optimState
	repack  func(part, parts int)
	crew    *crew
	tasks   []task // of the workers
	sums    *reducer
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

// A setup says what an engine trains, and how.
type setup struct {
	recipe
	model Model
	// tasks differ in their networks' activations and in their buffers alone. There is a worker for each.
	tasks []task
	// prepare readies the batch of a step, from which tasks take their images; nil: nothing needs to be.
	prepare func(ctx context.Context, step int) error
	crew    *crew // has as many workers as there are tasks, or more; the engine does not own it
}

// newEngine makes an engine.
func newEngine(s setup) *engine {
	params, isa := s.model.Params(), s.model.ISA()
	state := newOptimState(params.Values, s.ema > 0)
	e := &engine{
		recipe: s.recipe, isa: isa, prepare: s.prepare, state: state, repack: s.model.Repack, crew: s.crew, tasks: s.tasks,
		steps: newStepper(s.recipe, isa, state, params, s.crew.size()),
	}
	e.sums = newReducer(e.microBatches(), len(s.tasks), len(state.values), isa.Add)
	e.chunkSum = make([]float64, (len(state.values)+chunkLen-1)/chunkLen)
	e.crew.onPanic = e.sums.abort
	e.phases.gradients = e.gradients
	e.phases.squares = func(int) { e.eachChunk(e.squareChunk) }
	e.phases.apply = e.apply
	e.phases.repack = func(worker int) { e.repack(worker, e.crew.size()) }
	return e
}

// microBatches returns their number in a step; the last may be smaller than the others.
func (r recipe) microBatches() int { return (r.batch + r.micro - 1) / r.micro }

// run does step number step (from 0) at the given learning rate. A result that is not finite, or an
// error, leaves the state as it was before the step, unless a worker panicked in the tail. After an error
// the engine makes no more steps. When ctx ends, the error is its own.
func (e *engine) run(ctx context.Context, step int, rate float64) (stepResult, error) {
	e.step, e.ctx = step, ctx
	if e.prepare != nil {
		if err := e.prepare(ctx, step); err != nil {
			return stepResult{}, err
		}
	}
	e.sums.reset()
	if err := e.crew.run(e.phases.gradients); err != nil {
		return stepResult{}, err
	}
	if e.sums.root == nil { // its buffers are not in place for another step either
		return stepResult{}, ctx.Err()
	}
	if err := e.tail(e.phases.squares); err != nil {
		return stepResult{}, err
	}
	result := stepResult{loss: e.sums.root.loss, norm: math.Sqrt(inorder.Sum(e.chunkSum))}
	if !result.finite() {
		return result, nil
	}
	e.steps.prepare(e.step, rate, result.norm)
	if err := e.tail(e.phases.apply); err != nil {
		return result, err
	}
	return result, e.crew.run(e.phases.repack)
}

func (e *engine) tail(phase func(int)) error {
	e.chunk.Store(0)
	return e.crew.run(phase)
}

// gradients takes micro-batches until none is left.
func (e *engine) gradients(worker int) {
	if worker >= len(e.tasks) {
		return
	}
	for {
		if e.ctx.Err() != nil {
			e.sums.abort()
		}
		p, index, ok := e.sums.take()
		if !ok {
			return
		}
		clear(p.grad)
		first := index * e.micro
		p.loss = e.tasks[worker].gradient(p.grad, e.step, first, min(e.micro, e.batch-first))
		e.sums.deliver(p, index)
	}
}

// eachChunk calls work for the chunks of the flat vectors that no other worker has taken.
func (e *engine) eachChunk(work func(chunk, from, to int)) {
	for {
		i := int(e.chunk.Add(1)) - 1
		if i >= len(e.chunkSum) {
			return
		}
		work(i, i*chunkLen, min((i+1)*chunkLen, len(e.state.values)))
	}
}

func (e *engine) squareChunk(chunk, from, to int) {
	e.chunkSum[chunk] = e.isa.SumSquares(e.sums.root.grad[from:to])
}

// apply steps pieces of the parameters until none is left.
func (e *engine) apply(worker int) {
	for {
		i := int(e.chunk.Add(1)) - 1
		if i >= len(e.steps.pieces) {
			return
		}
		e.steps.step(worker, e.steps.pieces[i], e.sums.root.grad)
	}
}
