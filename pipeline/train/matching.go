package train

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// drawNoise fills x with the noise of a position of a step's batch.
func drawNoise(rng *rand.PCG, seed uint64, step, position int, x []float32) {
	pipeline.Seed(rng, seed, pipeline.StreamNoise, step, position)
	flow.Gaussian(x, rng)
}

// A matching is what the workers of a run by flow matching share.
type matching struct {
	feed         *feed.Feed
	seed         uint64
	batch, micro int
	times        flow.TimeDistribution
	// The share of the training that is done before a step; nil where times do not depend on it.
	done   func(step int) float64
	labels bool     // the network takes a class
	null   int32    // the row of "no class"; -1 when there is none
	drop   float64  // share of labels replaced by null
	pairs  *pairing // nil for independent pairs of noise and image

	predicts model.Prediction // what the network predicts
	loss     flow.Objective   // the loss is the squared error of this objective
	held     dataset.Source   // for the validation loss; nil for none
}

// prepare readies the batch of a step.
func (m *matching) prepare(_ context.Context, step int) error {
	m.feed.Prepare(step, m.batch)
	if m.pairs == nil {
		return nil
	}
	return m.pairs.prepare(step)
}

// timesAt returns the distribution of the times of a step.
func (m *matching) timesAt(step int) flow.TimeDistribution {
	if m.done == nil {
		return m.times
	}
	return flow.TimesAt(m.times, m.done(step))
}

// A matcher is the task of flow matching. It computes the gradient of one micro-batch at a time, in
// buffers of its own. A slot is an index into the micro-batch.
type matcher struct {
	*matching
	net      model.Replica
	rng      rand.PCG
	imageLen int

	x0, x1 []float32 // noise and image of one slot
	// States, targets, the network's output, and the loss's gradient: [micro, H, W, C].
	xt, u, v, dv []float32
	t            []float32 // times, [micro]
	weights      []float64 // weights of the slots in the loss, [micro]; nil where all are 1
	y            []int32   // classes, [micro]; nil for a network without classes
}

// newMatchers makes a task for each network.
func newMatchers(m *matching, nets []model.Replica) []*matcher {
	h, w, c := m.feed.Data.Shape()
	imageLen := h * w * c
	states := func(n int) []float32 { return make([]float32, n*imageLen) }
	var all []*matcher
	for _, net := range nets {
		one := &matcher{
			matching: m, net: net, imageLen: imageLen,
			x0: states(1), x1: states(1), t: make([]float32, m.micro),
			xt: states(m.micro), u: states(m.micro), v: states(m.micro), dv: states(m.micro),
		}
		if m.loss != m.predicts.Objective {
			one.weights = make([]float64, m.micro)
		}
		if m.labels {
			one.y = make([]int32, m.micro)
		}
		all = append(all, one)
	}
	return all
}

// Gradient implements [engine.Task]. The loss is the mean over the whole batch of ‖v(x_t, t) −
// u_t‖²/d (Lipman et al. 2023, equation 9). v and u_t may be noise or data instead of velocities.
func (w *matcher) Gradient(grad []float32, step, first, n int) float64 {
	for i := range n {
		w.draw(step, first+i, i)
	}
	share := float64(n) / float64(w.batch)
	loss := w.forward(n) * share
	dv := w.dv[:n*w.imageLen]
	for i := range dv {
		dv[i] *= float32(share)
	}
	w.net.Backward(nil, dv, grad)
	return loss
}

// forward returns the loss of the first n slots. dv becomes its gradient with respect to v.
func (w *matcher) forward(n int) float64 {
	states, y := n*w.imageLen, w.y
	if y != nil {
		y = y[:n]
	}
	w.net.Forward(w.v[:states], w.xt[:states], w.t[:n], y)
	if w.weights != nil {
		return flow.WeightedMSE(w.dv[:states], w.v[:states], w.u[:states], w.weights[:n])
	}
	return flow.MSE(w.dv[:states], w.v[:states], w.u[:states])
}

// draw fills slot i with the image at a position of the batch, and draws its noise, time and label.
func (w *matcher) draw(step, position, i int) {
	label := int32(w.feed.Image(&w.rng, step, position, w.x1))
	from, at := step, position
	if w.pairs != nil {
		from, at = w.pairs.noiseOf(step, position)
	}
	drawNoise(&w.rng, w.seed, from, at, w.x0)
	pipeline.Seed(&w.rng, w.seed, pipeline.StreamTime, step, position)
	// The batch has one time from each of equal strata: so the loss varies less between steps.
	t := w.timesAt(step).Quantile(flow.Stratum(position, w.batch, flow.OpenUniform(&w.rng)))
	w.place(i, t)
	if w.y == nil {
		return
	}
	pipeline.Seed(&w.rng, w.seed, pipeline.StreamDrop, step, position)
	if w.null >= 0 && (label < 0 || flow.OpenUniform(&w.rng) < w.drop) {
		label = w.null
	}
	w.y[i] = label
}

// place fills slot i with the state between the noise x0 and the image x1 at time t, and its
// target.
func (w *matcher) place(i int, t float64) {
	c := w.predicts.Path.At(t)
	lo, hi := i*w.imageLen, (i+1)*w.imageLen
	flow.Interpolate(w.xt[lo:hi], w.x0, w.x1, c)
	flow.Target(w.u[lo:hi], w.x0, w.x1, c, w.predicts.Objective)
	if w.weights != nil {
		w.weights[i] = lossWeight(c, w.predicts.Objective, w.loss)
	}
	w.t[i] = float32(t)
}

// lossWeightMost is the largest weight of an image in the loss, as in Li and He 2025, "Back to
// Basics". Where the noise is less than a twentieth of the data, the velocity's squared error is
// more than 400 times that of the data. Without the bound a step would follow a few images of the
// batch alone.
const lossWeightMost = 400

// lossWeight returns the weight of the squared error of a prediction.
func lossWeight(c flow.Coefficients, predicted, loss flow.Objective) float64 {
	return min(c.LossWeight(predicted, loss), lossWeightMost)
}

// Probe implements [run.Task].
func (w *matcher) Probe(grad []float32) {
	w.net.Forward(w.v, w.xt, w.t, w.y)
	w.net.Backward(nil, w.dv, grad)
}

// Validate implements [run.Task].
func (w *matcher) Validate(first, n int) float64 {
	for i := range n {
		w.drawHeld(w.held, first+i, i)
	}
	return w.forward(n) * float64(n)
}

// drawHeld fills slot i with a draw of the validation loss. The times are at multiples of the
// golden ratio, which spread evenly over all draws and over the draws of every class.
func (w *matcher) drawHeld(data dataset.Source, draw, i int) {
	label := feed.HeldImage(data, w.seed, draw, w.feed.Dequantize, &w.rng, w.x1)
	pipeline.Seed(&w.rng, w.seed, pipeline.StreamHeld, draw, 0)
	flow.Gaussian(w.x0, &w.rng)
	_, spread := math.Modf((float64(draw) + 0.5) / math.Phi)
	w.place(i, w.times.Quantile(spread))
	if w.y != nil {
		if label < 0 && w.null >= 0 {
			label = w.null
		}
		w.y[i] = label
	}
}
