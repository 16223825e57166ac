package metrics

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fmimg/fmimg/kernels"
)

// BenchmarkNearest looks 1,000 queries up in a set of MNIST's size. It reports GFLOP/s of the inner
// products, and their share of the measured peak of one core. Each reference is a multiple of one
// of a few rows: making it costs as much as turning bytes into numbers does.
func BenchmarkNearest(b *testing.B) {
	const queries, references, d, kinds = 1000, 60000, 784, 997
	rng := rand.New(rand.NewPCG(1, 2))
	q, some := normals(rng, queries, d), normals(rng, kinds, d)
	refs := References{N: references, D: d, Rows: func(first int, dst []float32) error {
		for i := range len(dst) / d {
			scale := 1 + float32(first+i)/references
			for j, v := range some.Row((first + i) % kinds) {
				dst[i*d+j] = scale * v
			}
		}
		return nil
	}}
	for _, isa := range kernels.Available() {
		if isa == kernels.Generic {
			continue
		}
		limit := isa.Peak(100 * time.Millisecond)
		b.Run(isa.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := Nearest(q, refs, 1, Compute{ISA: isa}); err != nil {
					b.Fatal(err)
				}
			}
			rate := 2 * queries * references * d * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate/1e9, "GFLOP/s")
			b.ReportMetric(100*rate/limit, "%peak")
		})
	}
}

func BenchmarkMoments(b *testing.B) {
	const n, d = 10000, 128
	f := normals(rand.New(rand.NewPCG(1, 2)), n, d)
	for b.Loop() {
		var m Moments
		if err := m.Add(f, Compute{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrechet(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := gaussianOf(b, normals(rng, 1000, 128)), gaussianOf(b, normals(rng, 1000, 128))
	for b.Loop() {
		if _, err := Frechet(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKID(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := normals(rng, 10000, 128), normals(rng, 10000, 128)
	for b.Loop() {
		if _, err := KID(x, y, KIDOptions{}, Compute{ISA: kernels.Best()}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrecisionRecall(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := normals(rng, 5000, 128), normals(rng, 5000, 128)
	for b.Loop() {
		if _, err := PrecisionRecall(x, y, 0, Compute{ISA: kernels.Best()}); err != nil {
			b.Fatal(err)
		}
	}
}
