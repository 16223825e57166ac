package unet

import (
	"fmt"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// Images that are not square, of any number of channels, have the velocity and the gradients on
// every instruction set that plain Go computes. The sizes leave tiles of Winograd's convolution and
// segments of rows unfinished on either side. Both results are rounded, so that the bound is twice
// that of golden numbers.
func TestShapes(t *testing.T) {
	for _, shape := range [][3]int{{12, 20, 4}, {20, 12, 2}, {4, 36, 1}, {28, 8, 3}, {48, 64, 4}} {
		large := shape[0]*shape[1] > 1000
		if testing.Short() && large {
			continue
		}
		cfg := preset(t, "base", func(c *Config) {
			c.ImageSize, c.InChannels = [2]int{shape[0], shape[1]}, shape[2]
			if large {
				// Plain Go is slow.
				c.ModelChannels, c.NormGroups, c.ChannelMult = 16, 8, []int{1, 1, 1}
			}
		})
		generic, err := kernels.Parse("generic")
		if err != nil {
			t.Fatal(err)
		}
		want := newProblem(randomModel(t, generic, cfg), 1, 8)
		reference := want.tensors()
		kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
			got := newProblem(randomModel(t, isa, cfg), 1, 8)
			tensors, name := got.tensors(), fmt.Sprintf("%dx%dx%d ", shape[0], shape[1], shape[2])
			golden.Check(t, name+"velocity", got.v, want.v, golden.Norm(want.v))
			for i, x := range tensors {
				golden.Check(t, name+x.name, x.gradient, reference[i].gradient, 200*scale(reference))
			}
		})
	}
}
