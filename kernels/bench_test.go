package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The convolutions of the base preset, in the order of their share of its work: side, channels in
// and out.
var benchShapes = []struct{ side, ic, oc int }{
	{28, 32, 32}, {28, 96, 32}, {28, 64, 32}, {28, 64, 64}, {14, 64, 64}, {14, 128, 64}, {14, 32, 64},
	{7, 64, 64}, {7, 128, 64}, {28, 1, 32}, {28, 32, 1},
}

// BenchmarkConv reports GFLOP/s (counted as a direct 3x3 convolution) and the share of the measured
// FMA peak of one core.
func BenchmarkConv(b *testing.B) {
	for _, isa := range Available() {
		if isa == Generic {
			continue
		}
		limit := isa.Peak(100 * time.Millisecond)
		for _, s := range benchShapes {
			benchConv(b, isa, limit, Same3, s.side, s.ic, s.oc)
		}
		benchConv(b, isa, limit, Down3, 28, 32, 32)
		benchConv(b, isa, limit, Up3, 14, 64, 64)
		benchConv(b, isa, limit, Point, 28, 96, 32)
		benchConv(b, isa, limit, Point, 7, 64, 192)
	}
}

func benchConv(b *testing.B, isa ISA, limit float64, kind ConvKind, side, ic, oc int) {
	const images = 4
	rng := rand.New(rand.NewPCG(1, 2))
	k := kind.Side()
	conv := NewConv(isa, ConvShape{kind, side, side, ic, oc}, isa.Plan(ConvShape{kind, side, side, ic, oc}), true)
	conv.Pack(randoms(rng, k*k*ic*oc), randoms(rng, oc))
	x, _ := testMap(rng, images, side, side, ic, 0, 0, 1)
	y, _ := testMap(rng, images, kind.OutSize(side), kind.OutSize(side), oc, 0, 0, 1)
	dw, db := make([]float32, k*k*ic*oc), make([]float32, oc)
	var s Scratch
	passes := []struct {
		name string
		run  func()
	}{
		{"forward", func() { conv.Forward(&s, y, x, nil) }},
		{"inputgrad", func() { conv.InputGrad(&s, x, y, false) }},
		{"weightgrad", func() { conv.WeightGrad(&s, dw, db, x, y) }},
	}
	flops := 2 * float64(images*y.H*y.W*k*k*ic*oc)
	for _, pass := range passes {
		b.Run(fmt.Sprintf("%s/kind%d/%dx%d,%d-%d/%s", isa, kind, side, side, ic, oc, pass.name), func(b *testing.B) {
			for b.Loop() {
				pass.run()
			}
			rate := flops * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate/1e9, "GFLOP/s")
			b.ReportMetric(100*rate/limit, "%peak")
		})
	}
}
