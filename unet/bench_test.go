package unet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/kernels"
)

// directFLOPs is the operations of an evaluation of the base preset at 28x28 with direct
// convolutions.
const directFLOPs = 378e6

// BenchmarkBase measures one worker on the base preset: a forward pass, and a forward and backward
// pass.
func BenchmarkBase(b *testing.B) {
	cfg, err := Preset("base")
	if err != nil {
		b.Fatal(err)
	}
	cfg.NumClasses, cfg.NullClass = 11, true
	for _, isa := range kernels.Available()[1:] {
		for i := range 2 * len(kernels.Precisions()) {
			n, p := []int{4, 8}[i%2], kernels.Precisions()[i/2]
			m, err := New(cfg, isa, rand.New(rand.NewPCG(1, 1)))
			if err != nil {
				b.Fatal(err)
			}
			m.SetPrecision(p)
			x := make([]float32, n*cfg.ImageLen())
			for i := range x {
				x[i] = float32(i%13)/6 - 1
			}
			v, grad := make([]float32, len(x)), make([]float32, m.Params().Len())
			t, y := make([]float32, n), make([]int32, n)
			for i := range t {
				t[i] = float32(i) / float32(n)
			}
			for _, train := range []bool{false, true} {
				r := m.NewReplica(n, train)
				name := fmt.Sprintf("%s/%s/images=%d/forward", isa, p, n)
				if train {
					name += "+backward"
				}
				b.Run(name, func(b *testing.B) {
					work := directFLOPs
					b.ReportAllocs()
					for b.Loop() {
						r.Forward(v, x, t, y)
						if train {
							r.Backward(nil, v, grad)
						}
					}
					if train {
						work *= 3
					}
					perSecond := float64(n) * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(perSecond, "images/s")
					b.ReportMetric(work*perSecond/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// BenchmarkPictures measures one worker on a forward and backward pass of colour pictures of 32x32,
// 64x64 and 128x128, by the base preset.
func BenchmarkPictures(b *testing.B) {
	for _, side := range []int{32, 64, 128} {
		cfg, err := Preset("base")
		if err != nil {
			b.Fatal(err)
		}
		cfg.ImageSize, cfg.InChannels = [2]int{side, side}, 3
		m, err := New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			b.Fatal(err)
		}
		const n = 2
		x := randoms(rand.New(rand.NewPCG(1, 2)), n*cfg.ImageLen())
		v, grad, t := make([]float32, len(x)), make([]float32, m.Params().Len()), make([]float32, n)
		r := m.NewReplica(n, true)
		b.Run(fmt.Sprintf("%dx%d", side, side), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Forward(v, x, t, nil)
				r.Backward(nil, v, grad)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
