package classify

import (
	"context"
	"runtime"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/metrics"
)

// A Classification is the result of a classifier for n images.
type Classification struct {
	Features    metrics.Features // [n, D]
	Logits      []float32        // [n, K]
	Predictions []int            // [n], the class of the largest logit
}

// classifyImages is the number of images that a worker classifies at a time.
const classifyImages = 8

// Classify runs a classifier over n images on the given number of threads, 0 for GOMAXPROCS. The
// function image writes image i, [H, W, C] in [-1, 1], to dst. It is called once for each i, by
// several goroutines at the same time. The result is the same, to the byte, for any number of
// threads. When ctx ends, Classify returns ctx.Err().
func Classify(
	ctx context.Context, c *Network, n, threads int, image func(i int, dst []float32),
) (*Classification, error) {
	option.SetDefault(&threads, runtime.GOMAXPROCS(0))
	chunks := (n + classifyImages - 1) / classifyImages
	workers := crew.New(max(1, min(threads, chunks)))
	defer workers.Close()
	return ClassifyOn(ctx, workers, c, n, image)
}

// ClassifyOn is [Classify] on the workers of a crew.
func ClassifyOn(
	ctx context.Context, workers *crew.Crew, c *Network, n int, image func(i int, dst []float32),
) (*Classification, error) {
	h, w, channels := c.Shape()
	size, dim, classes := h*w*channels, c.Dim(), len(c.Classes())
	out := &Classification{
		Features: metrics.Features{N: n, D: dim, Data: make([]float32, n*dim)},
		Logits:   make([]float32, n*classes), Predictions: make([]int, n),
	}
	type buffers struct {
		net *Replica
		x   []float32
	}
	own := make([]buffers, workers.Size())
	err := workers.Each(ctx, len(own), (n+classifyImages-1)/classifyImages, func(worker, chunk int) {
		b := &own[worker]
		if b.net == nil {
			*b = buffers{c.NewReplica(classifyImages, false), make([]float32, classifyImages*size)}
		}
		from := chunk * classifyImages
		to := min(n, from+classifyImages)
		for i := from; i < to; i++ {
			image(i, b.x[(i-from)*size:(i-from+1)*size])
		}
		b.net.Forward(out.Logits[from*classes:to*classes], out.Features.Data[from*dim:to*dim], b.x[:(to-from)*size])
		for i := from; i < to; i++ {
			out.Predictions[i] = Predict(out.Logits[i*classes : (i+1)*classes])
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ClassifySource classifies all images of a source on the workers of a crew. It also returns the
// labels, -1 for an image without a class.
func ClassifySource(
	ctx context.Context, workers *crew.Crew, c *Network, data dataset.Source,
) (*Classification, []int, error) {
	labels := make([]int, data.Len())
	result, err := ClassifyOn(ctx, workers, c, data.Len(), func(i int, dst []float32) {
		labels[i] = data.Image(i, dst)
	})
	return result, labels, err
}

// Accuracy returns the share of images whose prediction is their label. labels has one label for
// each image.
func (c *Classification) Accuracy(labels []int) float64 {
	right := 0
	for i, label := range labels {
		if c.Predictions[i] == label {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
