package flow

import (
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
)

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
	x0, x1, times := numtest.Normals(n*d, 1), numtest.Normals(n*d, 2), make([]float32, n)
	xt, u := make([]float32, n*d), make([]float32, n*d)
	b.ReportAllocs()
	for b.Loop() {
		ConditionalPairs(xt, u, x0, x1, times, Linear{})
		MSE(xt, xt, u)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*d), "ns/number")
}
