package unet

import (
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// large is a network of few channels for pictures whose attention relates 1156 pixels, in several
// blocks of queries and keys, and whose maps go from one step of a layer to the next in bands.
var large = small(func(c *Config) {
	c.ImageSize, c.InChannels, c.NumHeads, c.ChannelMult = [2]int{68, 68}, 3, 2, []int{1, 1}
	c.AttentionResolutions = nil // the middle's is enough
})

func TestDifferencesOfLargePictures(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		testDifferences(t, newProblem(randomModel(t, isa, large), 1, 4), 1)
	})
}

// An image of a batch is computed as it is alone, for training as for inference, and beside other
// workers, to the bit.
func TestLargePicturesAreIndependent(t *testing.T) {
	for _, p := range kernels.Precisions() {
		t.Run(p.String(), func(t *testing.T) {
			m := randomModel(t, kernels.Best(), large)
			m.SetPrecision(p)
			testIndependence(t, m)
		})
	}
}

func testIndependence(t *testing.T, m *Model) {
	const n = 2
	size := large.ImageLen()
	together := newProblem(m, n, 6)
	dx, grad := make([]float32, n*size), make([]float32, m.Params().Len())
	together.value()
	together.r.Backward(dx, together.onto, grad)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			part := func(x []float32) []float32 { return x[i*size : (i+1)*size] }
			one := problem{x: part(together.x), t: together.t[i : i+1]}
			for _, train := range []bool{true, false} {
				v, d := make([]float32, size), make([]float32, size)
				r := m.NewReplica(1, train)
				one.forward(r, v)
				if !slices.Equal(v, part(together.v)) {
					t.Errorf("image %d alone differs; training: %t", i, train)
				}
				if !train {
					continue
				}
				r.Backward(d, part(together.onto), make([]float32, len(grad)))
				if !slices.Equal(d, part(dx)) {
					t.Errorf("the gradient of image %d alone differs", i)
				}
			}
		})
	}
	all.Wait()
}
