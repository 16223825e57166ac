package classify

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// A classifying is what all workers share that train a classifier.
type classifying struct {
	feed         *feed.Feed
	seed         uint64
	batch, micro int
	warp         warpBounds
	smoothing    float64 // share of a label that all classes get
}

// prepare readies the batch of a step.
func (c *classifying) prepare(_ context.Context, step int) error {
	c.feed.Prepare(step, c.batch)
	return nil
}

// A classifyTask is the task of one worker. The loss is the mean cross-entropy between the classes
// of images and the logits of the network for the warped images.
type classifyTask struct {
	*classifying
	net      *Replica
	rng      rand.PCG
	imageLen int
	classes  int

	image  []float32 // [H, W, C], an image before it is warped
	x      []float32 // [micro, H, W, C], warped
	logits []float32 // [micro, K], and then the gradient of the loss
	labels []int32   // [micro]
}

// newClassifyTasks makes a task for each worker.
func newClassifyTasks(c *classifying, model *Network, workers int) []engine.Task {
	h, w, ch := model.Shape()
	classes := len(model.Classes())
	tasks := make([]engine.Task, workers)
	for i := range tasks {
		tasks[i] = &classifyTask{
			classifying: c, net: model.NewReplica(c.micro, true), imageLen: h * w * ch, classes: classes,
			image: make([]float32, h*w*ch), x: make([]float32, c.micro*h*w*ch),
			logits: make([]float32, c.micro*classes), labels: make([]int32, c.micro),
		}
	}
	return tasks
}

// Gradient implements [engine.Task].
func (w *classifyTask) Gradient(grad []float32, step, first, n int) float64 {
	for i := range n {
		w.draw(step, first+i, i)
	}
	logits := w.logits[:n*w.classes]
	w.net.Forward(logits, nil, w.x[:n*w.imageLen])
	share := float64(n) / float64(w.batch)
	loss := CrossEntropy(logits, logits, w.labels[:n], w.smoothing) * share
	for i := range logits {
		logits[i] *= float32(share)
	}
	w.net.Backward(logits, grad)
	return loss
}

// draw fills slot i with the image at the given position of the batch, warped, and its class.
func (w *classifyTask) draw(step, position, i int) {
	x := w.x[i*w.imageLen : (i+1)*w.imageLen]
	if w.warp == (warpBounds{}) {
		w.labels[i] = int32(w.feed.Image(&w.rng, step, position, x))
		return
	}
	w.labels[i] = int32(w.feed.Image(&w.rng, step, position, w.image))
	pipeline.Seed(&w.rng, w.seed, pipeline.StreamWarp, step, position)
	height, width, channels := w.feed.Data.Shape()
	m := w.warp.draw(&w.rng, height, width)
	m.apply(x, w.image, height, width, channels)
}
