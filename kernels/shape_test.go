package kernels

import "testing"

func TestConvShapeFLOPs(t *testing.T) {
	for _, c := range []struct {
		shape ConvShape
		want  float64 // 2 · pixels out · side² · IC · OC
	}{
		{ConvShape{Point, 5, 3, 4, 7}, 2 * 15 * 1 * 28},
		{ConvShape{Same3, 5, 3, 4, 7}, 2 * 15 * 9 * 28},
		{ConvShape{Down3, 5, 4, 4, 7}, 2 * 6 * 9 * 28},
		{ConvShape{Up3, 5, 3, 4, 7}, 2 * 60 * 9 * 28},
	} {
		if got := c.shape.FLOPs(); got != c.want {
			t.Errorf("%v %+v: got %v, want %v", c.shape.Kind, c.shape, got, c.want)
		}
	}
}

// The description differs from CPU to CPU; this test checks only what holds for all.
func TestCPU(t *testing.T) {
	c := CPU()
	if c.Threads < 1 {
		t.Errorf("%d threads", c.Threads)
	}
	for _, size := range []int{c.Line, c.L1D, c.L2, c.L3} {
		if size < 0 {
			t.Errorf("a cache of %d bytes in %+v", size, c)
		}
	}
	t.Logf("%+v", c)
}
