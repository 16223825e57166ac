package unet

import (
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// A step must not make garbage: after the first one neither pass allocates.
func TestPassesDoNotAllocate(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, p := range kernels.Precisions() {
			m := goldenModel(t, "small", isa)
			m.SetPrecision(p)
			r := m.NewReplica(3, true)
			x := make([]float32, 3*m.Config().ImageLen())
			v, grad := make([]float32, len(x)), make([]float32, m.Params().Len())
			times, classes := []float32{0.1, 0.5, 0.9}, []int32{0, 1, 2}
			allocs := testing.AllocsPerRun(3, func() {
				r.Forward(v, x, times, classes)
				r.Backward(x, v, grad)
				m.Repack(0, 1)
			})
			if allocs != 0 {
				t.Errorf("%v: %v allocations in a forward, backward and repacking", p, allocs)
			}
		}
	})
}
