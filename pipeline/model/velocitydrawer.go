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
	Jump(u, x, t, d []float32, y []int32)
	Backward(dx, dv, grad []float32)
}

// A VelocityDrawer solves dx/dt = v(x, t) from noise at t = 0 to images at t = 1, with a replica of
// a U-Net. An image does not depend on the others of the batch.
type VelocityDrawer struct {
	net      Replica
	imageLen int
	y        []int32   // classes for one evaluation
	v0       []float32 // output without a class, for guidance
}

// NewVelocityDrawer returns a drawer of up to n images of imageLen numbers at once.
func NewVelocityDrawer(net Replica, n, imageLen int) *VelocityDrawer {
	return &VelocityDrawer{net: net, imageLen: imageLen, y: make([]int32, n), v0: make([]float32, n*imageLen)}
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
	return solver.Solve(ctx, w.Field(d, from), x, len(x)/w.imageLen, 0, 1)
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
// the mean velocity over the next jump.
func (w *VelocityDrawer) Field(d *Drawing, from int) ode.Field {
	if d.Jump == 0 {
		return d.Predicts.Velocity(ode.FieldFunc(func(v, x, t []float32, index []int) {
			w.predict(d, from, v, x, t, index)
		}))
	}
	return flow.JumpField(flow.FlowMapFunc(func(u, x, t, lengths []float32, index []int) {
		w.net.Jump(u, x, t, lengths, w.classesOf(d, from, index))
	}), d.Jump)
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

// predict sets v to what the network predicts for (x, t, y), guided towards the class where the
// drawing says so: v_null + W·(v_class − v_null), where W = 1 is no guidance. The source is Ho and
// Salimans 2022, and Zheng et al. 2023 for velocities. Guidance is the same for velocity, noise and
// data: see [flow.VelocityOf].
func (w *VelocityDrawer) predict(d *Drawing, from int, v, x, t []float32, index []int) {
	y := w.classesOf(d, from, index)
	w.net.Forward(v, x, t, y)
	if y == nil || d.Guidance == 1 {
		return
	}
	for i := range y {
		y[i] = d.Null
	}
	v0 := w.v0[:len(v)]
	w.net.Forward(v0, x, t, y)
	weight := float32(d.Guidance)
	for i := range v {
		v[i] = v0[i] + float32(weight*(v[i]-v0[i]))
	}
}
