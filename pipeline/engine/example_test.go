package engine_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/unet"
)

const batch, microBatch, workers = 16, 4, 2

// A matching is a worker's task: flow matching on the straight path (Lipman et al. 2023, equation
// 9). Here x_t = (1−t)·x0 + t·x1, and u_t = x1 − x0.
type matching struct {
	data     dataset.Source
	net      *unet.Replica
	x0, x1   []float32 // one image of noise, one of the data
	xt, u, v []float32 // [microBatch, H, W, C]
	dv       []float32 // the gradient of the loss with respect to v
	t        []float32 // [microBatch]
	y        []int32   // [microBatch], classes
	rng      rand.PCG
}

// Gradient implements [engine.Task]. Each draw is keyed by the step and the position in the batch.
func (m *matching) Gradient(grad []float32, step, first, n int) float64 {
	size := len(m.x0)
	for i := range n {
		flow.Seed(&m.rng, 1, uint64(step), uint64(first+i))
		m.y[i] = int32(m.data.Image((step*batch+first+i)%m.data.Len(), m.x1))
		flow.Gaussian(m.x0, &m.rng)
		t := flow.Stratum(first+i, batch, flow.OpenUniform(&m.rng))
		c := flow.Linear{}.At(t)
		flow.Interpolate(m.xt[i*size:(i+1)*size], m.x0, m.x1, c)
		flow.Target(m.u[i*size:(i+1)*size], m.x0, m.x1, c, flow.PredictVelocity)
		m.t[i] = float32(t)
	}
	states := n * size
	m.net.Forward(m.v[:states], m.xt[:states], m.t[:n], m.y[:n])
	share := float64(n) / batch
	loss := flow.MSE(m.dv[:states], m.v[:states], m.u[:states]) * share
	for i := range m.dv[:states] {
		m.dv[i] *= float32(share)
	}
	m.net.Backward(nil, m.dv[:states], grad)
	return loss
}

// Train a U-Net by flow matching, step by step. The weights are the same for any number of workers.
func Example() {
	set, err := dataset.Open(context.Background(), "mnist", dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	cfg, err := unet.Preset("tiny")
	if err != nil {
		log.Fatal(err)
	}
	cfg.NumClasses = len(set.Train.Classes())
	net, err := unet.New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		log.Fatal(err)
	}
	states := func(n int) []float32 { return make([]float32, n*cfg.ImageLen()) }
	var tasks []engine.Task
	for range workers {
		tasks = append(tasks, &matching{
			data: set.Train, net: net.NewReplica(microBatch, true), x0: states(1), x1: states(1),
			xt: states(microBatch), u: states(microBatch), v: states(microBatch), dv: states(microBatch),
			t: make([]float32, microBatch), y: make([]int32, microBatch),
		})
	}
	recipe := engine.Recipe{
		Batch: batch, MicroBatch: microBatch, Optimizer: engine.Muon, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Clip: 1,
	}
	trainer := engine.NewTrainer(engine.Setup{Recipe: recipe, Model: net, Tasks: tasks})
	defer trainer.Close()
	var first, last float64
	for step := range 20 {
		result, err := trainer.Step(context.Background(), step, 0.004)
		if err != nil {
			panic(err) // which closes the trainer, as log.Fatal would not
		}
		if last = result.Loss; step == 0 {
			first = result.Loss
		}
	}
	fmt.Println("the loss fell by half:", last < first/2)
	// Output: the loss fell by half: true
}
