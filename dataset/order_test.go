package dataset_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

func ExampleOrder() {
	const images, batch = 10, 4
	order := dataset.Order(images, 1, 0)
	for k := 0; k+batch <= order.Len(); k += batch {
		fmt.Println(order.At(k), order.At(k+1), order.At(k+2), order.At(k+3))
	}
	// Output:
	// 4 1 7 2
	// 0 5 6 3
}

func indices(p *dataset.Permutation) []int {
	list := make([]int, p.Len())
	for k := range list {
		list[k] = p.At(k)
	}
	return list
}

// TestOrderIsFrozen has orders that a second implementation computed, in Python with integers of
// any size, from the definitions of SplitMix64 and of PCG with the DXSM output. The orders must
// never change: a run that a newer version resumes would train on other batches.
func TestOrderIsFrozen(t *testing.T) {
	for _, c := range []struct {
		n     int
		seed  uint64
		epoch int
		want  []int
	}{
		{10, 0, 0, []int{8, 6, 5, 4, 7, 2, 0, 9, 3, 1}},
		{10, 1, 0, []int{4, 1, 7, 2, 0, 5, 6, 3, 9, 8}},
		{10, 0, 1, []int{3, 1, 5, 6, 9, 0, 4, 2, 8, 7}},
		{10, math.MaxUint64, -1, []int{1, 5, 8, 6, 3, 0, 4, 7, 2, 9}},
		{1, 5, 5, []int{0}},
		{0, 1, 1, []int{}},
	} {
		if got := indices(dataset.Order(c.n, c.seed, c.epoch)); !slices.Equal(got, c.want) {
			t.Errorf("Order(%d, %d, %d) = %v, want %v", c.n, c.seed, c.epoch, got, c.want)
		}
	}
}

func TestOrderOfMNISTIsFrozen(t *testing.T) {
	order := indices(dataset.Order(60_000, 42, 3))
	const wantSum int64 = 54063649824519 // Σ k·order[k]
	sum := int64(0)
	for k, i := range order {
		sum += int64(k) * int64(i)
	}
	first := []int{14638, 22149, 14816, 10586, 36492, 33171, 40038, 23957}
	if !slices.Equal(order[:8], first) || sum != wantSum {
		t.Errorf("begins with %v and sums to %d, want %v and %d", order[:8], sum, first, wantSum)
	}
}

func TestOrderIsAPermutation(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 127, 128, 10_000, 60_000} {
		got := indices(dataset.Order(n, 7, n))
		slices.Sort(got)
		for i, v := range got {
			if i != v {
				t.Fatalf("n = %d: sorted, %d stands at %d", n, v, i)
			}
		}
	}
}

func TestResetEqualsOrder(t *testing.T) {
	p := dataset.Order(1000, 1, 1)
	p.Reset(2, 5)
	if !slices.Equal(indices(p), indices(dataset.Order(1000, 2, 5))) {
		t.Error("the order after Reset depends on the one before")
	}
	if n := testing.AllocsPerRun(10, func() { p.Reset(3, 4) }); n != 0 {
		t.Errorf("Reset allocates %v times", n)
	}
}

// TestOrderIsUniform counts which image stands where. Each of the 25 counts is binomial with mean
// 2000/5 = 400 and deviation sqrt(2000·0.2·0.8) = 18. The seeds are fixed, and the bound is 5
// deviations.
func TestOrderIsUniform(t *testing.T) {
	const n, orders = 5, 2000
	for name, draw := range map[string]func(i int) *dataset.Permutation{
		"seeds":  func(i int) *dataset.Permutation { return dataset.Order(n, uint64(i), 0) },
		"epochs": func(i int) *dataset.Permutation { return dataset.Order(n, 0, i) },
	} {
		var count [n][n]int
		for i := range orders {
			for k, image := range indices(draw(i)) {
				count[k][image]++
			}
		}
		for k := range count {
			for image, c := range count[k] {
				if math.Abs(float64(c)-orders/n) > 90 {
					t.Errorf("%s: image %d stands %d times at position %d", name, image, c, k)
				}
			}
		}
	}
}

// TestEpochsAreUnrelated counts the images at the same place in two epochs, or for two seeds that
// follow each other. The count is Poisson with mean 1 for each pair, so 200±14 for 200 pairs.
func TestEpochsAreUnrelated(t *testing.T) {
	const n, pairs = 1000, 100
	same := 0
	for i := range pairs {
		base := dataset.Order(n, uint64(i), i)
		epoch, seed := dataset.Order(n, uint64(i), i+1), dataset.Order(n, uint64(i)+1, i)
		for k := range n {
			if base.At(k) == epoch.At(k) {
				same++
			}
			if base.At(k) == seed.At(k) {
				same++
			}
		}
	}
	if math.Abs(float64(same-2*pairs)) > 70 { // 5 deviations
		t.Errorf("%d coincidences, want about %d", same, 2*pairs)
	}
}

func TestOrderPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a negative count was accepted")
		}
	}()
	dataset.Order(-1, 0, 0)
}

func BenchmarkReset(b *testing.B) {
	p := dataset.Order(60_000, 0, 0)
	b.ReportAllocs()
	for epoch := 0; b.Loop(); epoch++ {
		p.Reset(0, epoch)
	}
}
