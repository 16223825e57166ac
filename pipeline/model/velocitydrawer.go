package model

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
)

// A Replica runs a U-Net forward and backward for one worker. [unet.Replica] implements it and
// documents the shapes.
type Replica interface {
	Forward(v, x, t []float32, y []int32)
	Jump(u, x, t, d, w []float32, y []int32)
	Backward(dx, dv, grad []float32)
}

// A VelocityDrawer solves dx/dt = v(x, t) from noise at t = 0 to images at t = 1, or over a part of
// that way, with a replica of a U-Net, and of its guide where it has one. The two share no memory.
// An image does not depend on the others of the batch.
type VelocityDrawer struct {
	net      Replica
	guide    Replica // nil for a drawing without a [Guide]
	imageLen int
	y        []int32   // classes for one evaluation
	w        []float32 // weights of guidance for one evaluation
	away     []float32 // output from which guidance leads away
	none     []float32 // output without a class beside that of a guide; empty for others
	counts   []int     // evaluations of networks for each image of the batch
	guided   guidedPart
	term     guidanceTerm
}

// NewVelocityDrawer returns a drawer of up to n images of imageLen numbers at once. guide evaluates
// the guide of drawings that have one, and is nil for others.
func NewVelocityDrawer(net, guide Replica, n, imageLen int) *VelocityDrawer {
	return &VelocityDrawer{
		net: net, guide: guide, imageLen: imageLen,
		y: make([]int32, n), w: make([]float32, n), away: make([]float32, n*imageLen), counts: make([]int, n),
	}
}

// Draw implements [Drawer].
func (w *VelocityDrawer) Draw(ctx context.Context, d *Drawing, from int, x []float32) (ode.Stats, error) {
	solver := d.Solver
	if s, ok := solver.(flow.PathSolver); ok {
		solver = s.WithNoise(freshNoise(d.Seed, d.First+from))
	}
	if d.Frame != nil {
		solver = solver.Observed(func(step int, _ float64, x []float32) { d.Frame(from, step, x) })
	}
	clear(w.counts)
	n := len(x) / w.imageLen
	stats, err := solver.Solve(ctx, w.Field(d, from), x, n, d.Part.From, d.Part.end())
	stats.Evaluations = ode.Tally{}
	for _, count := range w.counts[:n] {
		stats.Evaluations.Total += count
		stats.Evaluations.Max = max(stats.Evaluations.Max, count)
	}
	return stats, err
}

// freshNoise returns the noise that a solver adds in its steps. The noise depends on the seed, the
// image and the step. first is the image of index 0. One goroutine may use the function.
func freshNoise(seed uint64, first int) flow.NoiseFunc {
	var rng rand.PCG
	return func(z []float32, index, step int) {
		pipeline.Seed(&rng, seed, pipeline.StreamStep, first+index, step)
		flow.Gaussian(z, &rng)
	}
}

// Field returns the velocity field of the images from, from+1, … of a drawing. For a flow map it is
// the mean velocity over the next jump. Otherwise it is an [ode.Restater].
func (w *VelocityDrawer) Field(d *Drawing, from int) ode.Field {
	if d.Jump == 0 {
		return &drawnField{w: w, d: d, from: from}
	}
	return flow.JumpField(flow.FlowMapFunc(func(u, x, t, lengths []float32, index []int) {
		w.count(index)
		w.net.Jump(u, x, t, lengths, w.weightsOf(d, from, index), w.classesOf(d, from, index))
	}), d.Jump)
}

// count counts an evaluation of a network for each of the images.
func (w *VelocityDrawer) count(index []int) {
	for _, k := range index {
		w.counts[k]++
	}
}

// classesOf returns the classes of the images from + index, or nil for a network without classes.
func (w *VelocityDrawer) classesOf(d *Drawing, from int, index []int) []int32 {
	if d.Labels == nil {
		return nil
	}
	y := w.y[:len(index)]
	for i, k := range index {
		y[i] = d.Labels[from+k]
	}
	return y
}

// weightsOf returns the weights of guidance of the images from + index, or nil for a flow map that
// takes none.
func (w *VelocityDrawer) weightsOf(d *Drawing, from int, index []int) []float32 {
	if !d.TakesGuidance {
		return nil
	}
	return w.weights(d, from, index)
}

// weights returns the weights of guidance of the images from + index.
func (w *VelocityDrawer) weights(d *Drawing, from int, index []int) []float32 {
	weights := w.w[:len(index)]
	for i, k := range index {
		weights[i] = d.weight(from + k)
	}
	return weights
}
