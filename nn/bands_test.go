package nn

import (
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// Bands cover all lines once. What a convolution reads, the line behind its band too, is made
// before.
func TestBands(t *testing.T) {
	for _, c := range []struct{ h, w, lines int }{
		{1, 1, 4}, {28, 28, 28}, {32, 32, 32}, {36, 36, 20}, {64, 64, 16}, {128, 128, 8}, {5, 4096, 4},
		{130, 128, 8}, {2, 2000, 4},
	} {
		lines := bandLines(c.h, c.w)
		if lines != c.lines {
			t.Errorf("%dx%d: bands of %d lines, want %d", c.h, c.w, lines, c.lines)
		}
		from, ready := 0, 0
		eachBand(c.h, lines, func(b band) {
			if b.from != from || b.ready != ready || b.to <= b.from || b.next != min(b.to+1, c.h) {
				t.Errorf("%dx%d: band %+v after %d lines, of which %d were ready", c.h, c.w, b, from, ready)
			}
			from, ready = b.to, b.next
		})
		if from != c.h || ready != c.h {
			t.Errorf("%dx%d: the bands end at line %d", c.h, c.w, from)
		}
	}
}

// A layer computes in bands what it computes of whole images, to the bit.
func TestBandsKeepTheBytes(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, p := range kernels.Precisions() {
			for _, channels := range []int{8, 16, 32} { // for several algorithms of convolution
				testBands(t, isa, p, channels)
			}
		}
	})
}

func testBands(t *testing.T, isa kernels.ISA, p kernels.Precision, channels int) {
	const h, w = 51, 45 // bands of 20 lines, and a last one that cuts tiles
	g := newRig(isa, 5)
	g.Precision = p
	x, y := g.Act(h, w, channels), g.Act(h, w, channels)
	l := NewNormConv(g.Builder, "l", NormConvShape{Kind: kernels.Same3, Groups: 2, Residual: true}, x, y)
	g.Weights.Pack(g.Params.Values, 0, 1)
	g.fill(x.X)
	l.Forward(&g.run)

	whole, a := p.NewMap(batch, h, w, channels), isa.Working(p).NewMap(batch, h, w, channels)
	in := x.X.First(batch)
	l.norm.Forward(&g.run, 0, a, in, kernels.Modulation{})
	l.conv.Forward(&g.run, whole, a, &in)
	if !slices.Equal(dense(y.X.First(batch)), dense(whole)) {
		t.Errorf("%v, %d channels: bands change the result", p, channels)
	}
}
