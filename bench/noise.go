package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/pipeline"
)

// mnistShape is the shape of MNIST's images.
var mnistShape = pipeline.Shape{Height: 28, Width: 28, Channels: 1}

// noise is a data set of images of noise, for shapes that MNIST does not have. Its images overlap
// in memory, so that they cost little of it. The work of a step does not depend on what they show.
type noise struct {
	shape  pipeline.Shape
	values []float32 // image i begins at value i
}

// noiseImages is the number of images of noise: more than the pairs that a step compares at once.
const noiseImages = 4096

// newNoise makes a data set. The same shape gives the same images.
func newNoise(shape pipeline.Shape) *noise {
	n := &noise{shape: shape, values: make([]float32, shape.Len()+noiseImages-1)}
	var rng rand.PCG
	flow.Gaussian(n.values, &rng)
	for i, v := range n.values {
		n.values[i] = min(max(v/2, -1), 1)
	}
	return n
}

// Name implements [dataset.Source].
func (n *noise) Name() string {
	return fmt.Sprintf("noise of %s with %d channels", n.shape.Sides(), n.shape.Channels)
}

// Len implements [dataset.Source].
func (n *noise) Len() int { return noiseImages }

// Shape implements [dataset.Source].
func (n *noise) Shape() (h, w, c int) { return n.shape.Height, n.shape.Width, n.shape.Channels }

// Classes implements [dataset.Source]: as many as MNIST has.
func (n *noise) Classes() []string { return strings.Split("0123456789", "") }

// Image implements [dataset.Source].
func (n *noise) Image(i int, dst []float32) int {
	copy(dst, n.values[i:i+n.shape.Len()])
	return i % classesToDraw
}
