package ode_test

import (
	"context"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// BenchmarkSolver measures what a solver adds to its field. The batch is 64 images of the size of
// MNIST, and the field costs one pass over them. A network takes about a second for as many
// evaluations.
func BenchmarkSolver(b *testing.B) {
	const n, d = 64, 28 * 28
	x, start := make([]float32, n*d), numtest.Normals(n*d, 1)
	f := ode.FieldFunc(func(v, x, _ []float32, _ []int) {
		for i := range v {
			v[i] = -2 * x[i]
		}
	})
	for _, name := range ode.SolverNames() {
		s, err := ode.NewSolver(name, 20, 1e-4)
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
