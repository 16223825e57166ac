package judge

import (
	"context"
	"math/rand/v2"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// selfTraining is what all workers share that train a self-supervised judge.
type selfTraining struct {
	feed  *feed.Feed
	seed  uint64
	batch int
}

// prepare readies the batch of a step.
func (s *selfTraining) prepare(_ context.Context, step int) error {
	s.feed.Prepare(step, s.batch)
	return nil
}

// pairWeight is the weight of pairs beside turns. Pairs alone do not see how shapes are bent, and
// turns alone say nothing of images that look the same from all sides.
const pairWeight = 0.2

// A selfTask is the task of one worker. Each image has two views, in neighbouring rows, which are
// turned alike. So turns tell no views of one image from views of others.
//
// The loss is the mean over the views of the cross-entropy of the turn, and of the [pairLoss]
// among the views of the micro-batch, times pairWeight.
type selfTask struct {
	*selfTraining
	net    *classify.Replica
	viewer *viewer
	rng    rand.PCG

	image  []float32 // [H, W, C]
	views  []float32 // [2·micro, H, W, C]
	turn   []int32   // [2·micro]
	out    []float32 // [2·micro, selfOutputs], and then the gradient of the loss
	logits []float32 // [2·micro, turns]
	pair   *pairLoss
}

// tasks makes a task for each worker.
func (s *selfTraining) tasks(net *classify.Network, workers int) []engine.Task {
	shape := pipeline.ShapeOf(s.feed.Data)
	size, rows := shape.Len(), 2*selfMicro
	tasks := make([]engine.Task, workers)
	for i := range tasks {
		tasks[i] = &selfTask{
			selfTraining: s, net: net.NewReplica(rows, true), viewer: newViewer(shape),
			image: make([]float32, size), views: make([]float32, rows*size), turn: make([]int32, rows),
			out: make([]float32, rows*selfOutputs), logits: make([]float32, rows*turns),
			pair: newPairLoss(rows, pairDim),
		}
	}
	return tasks
}

// Gradient implements [engine.Task].
func (t *selfTask) Gradient(grad []float32, step, first, n int) float64 {
	size, rows := len(t.image), 2*n
	for i := range n {
		t.look(step, first+i, 2*i)
	}
	out := t.out[:rows*selfOutputs]
	t.net.Forward(out, nil, t.views[:rows*size])
	loss := t.losses(out, rows, float64(n)/float64(t.batch))
	t.net.Backward(out, grad)
	return loss
}

// look fills two rows with views of the image at a position of the step's batch.
func (t *selfTask) look(step, position, row int) {
	t.feed.Image(&t.rng, step, position, t.image)
	pipeline.Seed(&t.rng, t.seed, pipeline.StreamView, step, position)
	way := turn(t.rng.Uint64() % turns)
	size := len(t.image)
	for k := row; k < row+2; k++ {
		t.viewer.view(t.views[k*size:(k+1)*size], t.image, way, &t.rng)
		t.turn[k] = int32(way)
	}
}

// losses returns the loss of the rows of outputs, times their share of the batch, and replaces the
// outputs by its gradient.
func (t *selfTask) losses(out []float32, rows int, share float64) float64 {
	logits := t.logits[:rows*turns]
	for i := range rows {
		copy(logits[i*turns:(i+1)*turns], out[i*selfOutputs:])
		copy(t.pair.row(i), out[i*selfOutputs+turns:(i+1)*selfOutputs])
	}
	loss := classify.CrossEntropy(logits, logits, t.turn[:rows], 0)
	loss += float64(pairWeight * t.pair.compute(rows))
	for i := range rows {
		row := out[i*selfOutputs : (i+1)*selfOutputs]
		for k, v := range logits[i*turns : (i+1)*turns] {
			row[k] = v * float32(share)
		}
		for k, v := range t.pair.row(i) {
			row[turns+k] = v * float32(pairWeight*share)
		}
	}
	return loss * share
}
