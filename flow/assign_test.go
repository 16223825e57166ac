package flow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// cheapest tries every permutation.
func cheapest(cost []float64, n, row int, taken []bool) float64 {
	if row == n {
		return 0
	}
	best := math.Inf(1)
	for col := range n {
		if taken[col] {
			continue
		}
		taken[col] = true
		best = min(best, cost[row*n+col]+cheapest(cost, n, row+1, taken))
		taken[col] = false
	}
	return best
}

func total(cost []float64, n int, p []int) float64 {
	sum := 0.0
	for i, j := range p {
		sum += cost[i*n+j]
	}
	return sum
}

// TestAssignIsOptimal: no other permutation of a small problem is cheaper. Some costs are negative,
// and some have many ties.
func TestAssignIsOptimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 3))
	var a Assigner
	for n := range 8 {
		for trial := range 60 {
			cost := make([]float64, n*n)
			for i := range cost {
				if cost[i] = rng.NormFloat64(); trial%2 == 1 {
					cost[i] = float64(rng.IntN(3))
				}
			}
			p := a.Assign(cost, n)
			seen := slices.Sorted(slices.Values(p))
			if len(seen) != n || n > 0 && (seen[0] != 0 || seen[n-1] != n-1 || len(slices.Compact(seen)) != n) {
				t.Fatalf("n = %d: %v is no permutation", n, p)
			}
			got, want := total(cost, n, p), cheapest(cost, n, 0, make([]bool, n))
			if math.Abs(got-want) > 1e-12*float64(n+1) {
				t.Fatalf("n = %d: cost %v of %v, the least is %v\n%v", n, got, p, want, cost)
			}
		}
	}
}

// In one dimension the cheapest pairs of points under |x−y|² are those of equal rank.
func TestAssignSortsLines(t *testing.T) {
	const n = 100
	rng := rand.New(rand.NewPCG(22, 3))
	x, y := make([]float64, n), make([]float64, n)
	cost := make([]float64, n*n)
	for i := range n {
		x[i], y[i] = rng.NormFloat64(), 3*rng.NormFloat64()
	}
	for i := range cost {
		cost[i] = (x[i/n] - y[i%n]) * (x[i/n] - y[i%n])
	}
	p := new(Assigner).Assign(cost, n)
	rank := func(v []float64, i int) int {
		r := 0
		for _, w := range v {
			if w < v[i] {
				r++
			}
		}
		return r
	}
	for i, j := range p {
		if rank(x, i) != rank(y, j) {
			t.Fatalf("point of rank %d is paired with one of rank %d", rank(x, i), rank(y, j))
		}
	}
}

func TestAssignRefusesNaN(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a cost that is no number is no mistake")
		}
	}()
	new(Assigner).Assign([]float64{1, math.NaN(), 2, 3}, 2)
}

func TestAssignAllocatesOnce(t *testing.T) {
	var a Assigner
	rng := rand.New(rand.NewPCG(23, 3))
	cost := make([]float64, 30*30)
	for i := range cost {
		cost[i] = rng.Float64()
	}
	a.Assign(cost, 30)
	if n := testing.AllocsPerRun(10, func() { a.Assign(cost[:400], 20) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAssign(b *testing.B) {
	for _, n := range []int{13, 128, 512} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(24, 3))
			cost := make([]float64, n*n)
			for i := range cost {
				cost[i] = rng.Float64()
			}
			var a Assigner
			for b.Loop() {
				a.Assign(cost, n)
			}
		})
	}
}
