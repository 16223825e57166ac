package flow

import (
	"context"
	"testing"
)

// BenchmarkSolver measures what a solver adds to its field: a batch of 64 images of MNIST's size, 20 steps or a
// tolerance, with a field that costs one pass. Compare with a second for such a batch's evaluations by a network.
func BenchmarkSolver(b *testing.B) {
	const n, d = 64, 28 * 28
	x, start := make([]float32, n*d), normals(n*d, 1)
	f := FieldFunc(func(v, x, _ []float32, _ []int) {
		for i := range v {
			v[i] = -2 * x[i]
		}
	})
	for _, name := range SolverNames() {
		s, err := NewSolver(name, 20, 1e-4)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var evaluations int
			for b.Loop() {
				copy(x, start)
				stats, err := s.Solve(context.Background(), f, x, n, 0, 1)
				if err != nil {
					b.Fatal(err)
				}
				evaluations += stats.Evaluations.Total
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(evaluations*d), "ns/number/evaluation")
		})
	}
}

// BenchmarkNoise measures the noise of one image.
func BenchmarkNoise(b *testing.B) {
	x := make([]float32, 28*28)
	b.ReportAllocs()
	for b.Loop() {
		Noise(x, 1, 2)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/number")
}

// BenchmarkPairs measures path, target and loss of a training batch.
func BenchmarkPairs(b *testing.B) {
	const n, d = 128, 28 * 28
	x0, x1, times := normals(n*d, 1), normals(n*d, 2), make([]float32, n)
	xt, u := make([]float32, n*d), make([]float32, n*d)
	b.ReportAllocs()
	for b.Loop() {
		ConditionalPairs(xt, u, x0, x1, times, Linear{})
		MSE(xt, xt, u)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*d), "ns/number")
}
