package pipeline

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
)

// A network is what the engine and the sampler need of a unet.Replica: see there for the shapes.
type network interface {
	Forward(v, x, t []float32, y []int32)
	Backward(dx, dv, grad []float32)
}

// A recipe is the part of the options that a step's numbers depend on.
type recipe struct {
	seed         uint64
	batch, micro int
	times        flow.TimeDistribution
	path         flow.Schedule
	labels       bool    // the network takes a class
	null         int32   // the row of "no class", -1 when there is none
	drop         float64 // share of labels replaced by null
	beta1, beta2 float64
	eps, decay   float64
	clip         float64 // largest norm of the gradient, 0 for any
	ema          float64 // decay of the averages, 0 for none
	flip         bool    // every second image is mirrored
}

// optimState is everything that a step changes, as flat vectors of one length.
type optimState struct {
	values  []float32 // the parameters
	average []float32 // their running average
	m, v    []float32 // AdamW's moments
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
	loss float64 // mean squared error over the batch
	norm float64 // of the gradient, before clipping
}

// finite reports whether the step may count.
func (r stepResult) finite() bool {
	return !math.IsNaN(r.loss) && !math.IsInf(r.loss, 0) && !math.IsNaN(r.norm) && !math.IsInf(r.norm, 0)
}

// An engine runs training steps on a crew: micro-batches spread over the workers, then the tail
// (norm, AdamW, averaging, repacking) cut over them. The numbers depend on the recipe and the
// instruction set alone, not on the number of workers: micro-batches meet in a fixed tree, and
// element-wise work and sums are cut at fixed places.
type engine struct {
	recipe
	isa     kernels.ISA
	data    dataset.Source
	state   optimState
	repack  func(part, parts int)
	crew    *crew
	workers []*trainWorker
	sums    *reducer

	// stop, unless nil, is asked before each micro-batch: an error abandons the step.
	stop func() error

	// Of the running step, set by step and read by the workers.
	step     int
	order    *epochOrder
	update   kernels.AdamWStep
	toLerp   float32      // weight of the new values in the averages
	chunkSum []float64    // squares summed over each chunk of the gradient
	chunk    atomic.Int64 // next chunk to work on

	// The phases as values made once, so that running them allocates nothing.
	phases struct{ gradients, squares, apply, repack func(worker int) }
}

// chunkLen is the length of the pieces that flat vectors are cut into for the tail. It is fixed, so
// that sums of squares and the ends of vector loops are the same for any number of workers.
const chunkLen = 16384

// newEngine makes an engine with a worker for each network. It uses the crew, which it does not own
// and which has as many workers or more.
func newEngine(r recipe, isa kernels.ISA, data dataset.Source, state optimState, repack func(part, parts int), c *crew, nets []network) *engine {
	e := &engine{recipe: r, isa: isa, data: data, state: state, repack: repack, crew: c}
	h, w, ch := data.Shape()
	for _, net := range nets {
		e.workers = append(e.workers, newTrainWorker(net, r, h, w, ch))
	}
	e.sums = newReducer(e.microBatches(), len(nets), len(state.values), isa.Add)
	e.chunkSum = make([]float64, (len(state.values)+chunkLen-1)/chunkLen)
	e.order = newEpochOrder(data.Len(), r.seed, r.batch)
	c.onPanic = e.sums.abort
	e.phases.gradients = e.gradients
	e.phases.squares = func(int) { e.eachChunk(e.squareChunk) }
	e.phases.apply = func(int) { e.eachChunk(e.applyChunk) }
	e.phases.repack = func(worker int) { e.repack(worker, c.size()) }
	return e
}

// microBatches returns their number in a step; the last may be smaller than the others.
func (r recipe) microBatches() int { return (r.batch + r.micro - 1) / r.micro }

// run does step number step (from 0) at the given learning rate. A result that is not finite, or an
// error, leaves the state as it was before the step, unless a worker panicked in the tail. After an error
// the engine makes no more steps.
func (e *engine) run(step int, rate float64) (stepResult, error) {
	e.step = step
	e.order.prepare(step*e.batch, e.batch)
	e.sums.reset()
	if err := e.crew.run(e.phases.gradients); err != nil {
		return stepResult{}, err
	}
	if e.sums.root == nil { // its buffers are not in place for another step either
		return stepResult{}, e.stop()
	}
	if err := e.tail(e.phases.squares); err != nil {
		return stepResult{}, err
	}
	result := stepResult{loss: e.sums.root.loss, norm: math.Sqrt(sum(e.chunkSum))}
	if !result.finite() {
		return result, nil
	}
	e.setUpdate(rate, result.norm)
	if err := e.tail(e.phases.apply); err != nil {
		return result, err
	}
	return result, e.crew.run(e.phases.repack)
}

func (e *engine) tail(phase func(int)) error {
	e.chunk.Store(0)
	return e.crew.run(phase)
}

// setUpdate prepares AdamW (Loshchilov and Hutter 2019, algorithm 2) and the averages for this step.
func (e *engine) setUpdate(rate, norm float64) {
	t := float64(e.step + 1)
	scale := 1.0
	if e.clip > 0 && norm > e.clip {
		scale = e.clip / norm
	}
	e.update = kernels.AdamWStep{
		LR: float32(rate), Beta1: float32(e.beta1), Beta2: float32(e.beta2), Eps: float32(e.eps), Decay: float32(e.decay),
		Bias1: float32(1 - math.Pow(e.beta1, t)), Bias2: float32(1 - math.Pow(e.beta2, t)), GradScale: float32(scale),
	}
	// Early averages look back on a tenth of the steps only, so that they forget the first weights.
	e.toLerp = float32(1 - min(e.ema, (1+t)/(10+t)))
}

// gradients takes micro-batches until none is left.
func (e *engine) gradients(worker int) {
	if worker >= len(e.workers) {
		return
	}
	w := e.workers[worker]
	for {
		if e.stop != nil && e.stop() != nil {
			e.sums.abort()
		}
		p, index, ok := e.sums.take()
		if !ok {
			return
		}
		clear(p.grad)
		first := index * e.micro
		p.loss = w.gradient(e, p.grad, first, min(e.micro, e.batch-first))
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

func (e *engine) applyChunk(_, from, to int) {
	s := &e.state
	e.isa.AdamW(s.values[from:to], s.m[from:to], s.v[from:to], e.sums.root.grad[from:to], e.update)
	e.isa.Lerp(s.average[from:to], s.values[from:to], e.toLerp)
}

func sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}

// A trainWorker computes the gradient of one micro-batch at a time, in buffers of its own.
type trainWorker struct {
	net      network
	rng      rand.PCG
	imageLen int
	rowLen   int // of an image, in numbers
	channels int

	x0, x1       []float32 // noise and image, of one state
	xt, u, v, dv []float32 // [micro, H, W, C]: states, targets, the network's answer, the loss's gradient
	t            []float32 // [micro]
	y            []int32   // [micro], nil for a network without classes
}

func newTrainWorker(net network, r recipe, h, width, ch int) *trainWorker {
	imageLen := h * width * ch
	states := func(n int) []float32 { return make([]float32, n*imageLen) }
	w := &trainWorker{
		net: net, imageLen: imageLen, rowLen: width * ch, channels: ch,
		x0: states(1), x1: states(1), xt: states(r.micro), u: states(r.micro), v: states(r.micro), dv: states(r.micro),
		t: make([]float32, r.micro),
	}
	if r.labels {
		w.y = make([]int32, r.micro)
	}
	return w
}

// gradient adds to grad the gradient of the loss of n images of the step's batch, from the given
// position on. The loss is their share of the mean over the whole batch of ‖v(x_t, t) − (x1 − x0)‖²/d
// (Lipman et al. 2023, equation 14, with the linear path).
func (w *trainWorker) gradient(e *engine, grad []float32, first, n int) float64 {
	for i := range n {
		w.draw(e, first+i, i)
	}
	share := float64(n) / float64(e.batch)
	loss := w.forward(n) * share
	dv := w.dv[:n*w.imageLen]
	for i := range dv {
		dv[i] *= float32(share)
	}
	w.net.Backward(nil, dv, grad)
	return loss
}

// forward returns the loss of the first n slots, and leaves its gradient with respect to v in dv.
func (w *trainWorker) forward(n int) float64 {
	states, y := n*w.imageLen, w.y
	if y != nil {
		y = y[:n]
	}
	w.net.Forward(w.v[:states], w.xt[:states], w.t[:n], y)
	return flow.MSE(w.dv[:states], w.v[:states], w.u[:states])
}

// draw fills slot i with the image at the given position of the batch: its noise, time and label.
func (w *trainWorker) draw(e *engine, position, i int) {
	label := int32(e.data.Image(e.order.index(position), w.x1))
	if e.flip {
		seedStream(&w.rng, e.seed, streamFlip, e.step, position)
		if w.rng.Uint64()>>63 == 1 {
			mirror(w.x1, w.rowLen, w.channels)
		}
	}
	seedStream(&w.rng, e.seed, streamNoise, e.step, position)
	flow.Gaussian(w.x0, &w.rng)
	seedStream(&w.rng, e.seed, streamTime, e.step, position)
	// One time from each of the batch's equal strata: the loss varies less between steps.
	t := e.times.Quantile(flow.Stratum(position, e.batch, flow.OpenUniform(&w.rng)))
	w.place(e, i, t)
	if w.y == nil {
		return
	}
	seedStream(&w.rng, e.seed, streamDrop, e.step, position)
	if e.null >= 0 && (label < 0 || flow.OpenUniform(&w.rng) < e.drop) {
		label = e.null
	}
	w.y[i] = label
}

// place fills slot i with the state between the noise x0 and the image x1 at time t, and its target.
func (w *trainWorker) place(e *engine, i int, t float64) {
	c := e.path.At(t)
	lo, hi := i*w.imageLen, (i+1)*w.imageLen
	flow.Interpolate(w.xt[lo:hi], w.x0, w.x1, c)
	flow.TargetVelocity(w.u[lo:hi], w.x0, w.x1, c)
	w.t[i] = float32(t)
}

// mirror exchanges left and right of an image whose rows are rowLen numbers of so many channels each.
func mirror(image []float32, rowLen, channels int) {
	for ; len(image) > 0; image = image[rowLen:] {
		for a, b := 0, rowLen-channels; a < b; a, b = a+channels, b-channels {
			for c := range channels {
				image[a+c], image[b+c] = image[b+c], image[a+c]
			}
		}
	}
}
