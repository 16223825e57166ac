package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func mustSliced(t *testing.T, x, y Features, o SlicedOptions, on Compute) float64 {
	t.Helper()
	d, err := SlicedWasserstein(x, y, o, on)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Sets by hand: the same rows in another order, a shift, and sets of two sizes.
func TestSlicedWassersteinByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y Features
		want float64
	}{
		{"another order", rows([]float32{3}, []float32{1}), rows([]float32{1}, []float32{3}), 0},
		{"a shift of 2", rows([]float32{0}, []float32{5}), rows([]float32{7}, []float32{2}), 4},
		// Quantiles of {0, 6} change at 1/2, those of {0, 3, 6} at 1/3 and 2/3.
		{"two and three rows", rows([]float32{0}, []float32{6}), rows([]float32{0}, []float32{3}, []float32{6}), 3},
		{"one row", rows([]float32{1}), rows([]float32{0}, []float32{2}), 1},
		// Each row is there twice: the same distribution.
		{"rows twice", rows([]float32{0}, []float32{1}), rows([]float32{0}, []float32{1}, []float32{1}, []float32{0}), 0},
	} {
		mustBeNear(t, c.name, mustSliced(t, c.x, c.y, SlicedOptions{}, Compute{}), c.want, 1e-12)
		mustBeNear(t, c.name+", changed round", mustSliced(t, c.y, c.x, SlicedOptions{}, Compute{}), c.want, 1e-12)
	}
}

// A shift by δ has the distance ‖δ‖²/D on average over directions. The mean of (θ·δ)² over n
// directions has a relative error of about √(2/n).
func TestSlicedWassersteinOfAShift(t *testing.T) {
	const d, n = 6, 2000
	x := normals(rand.New(rand.NewPCG(1, 2)), 40, d)
	y := Features{N: x.N, D: d, Data: make([]float32, len(x.Data))}
	for i, v := range x.Data {
		y.Data[i] = v + 3
	}
	got := mustSliced(t, x, y, SlicedOptions{Directions: n, Seed: 4}, Compute{})
	mustBeNear(t, "distance", got, 9, 5*9*math.Sqrt(2.0/n))
}

// The distance does not depend on how many goroutines compute. It depends on the directions, which
// the seed draws.
func TestSlicedWassersteinIsDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := normals(rng, 90, 7), normals(rng, 70, 7)
	want := mustSliced(t, x, y, SlicedOptions{Seed: 5}, Compute{})
	if got := mustSliced(t, x, y, SlicedOptions{Seed: 5}, Compute{Parallel: together}); got != want {
		t.Errorf("in parallel %v, one after the other %v", got, want)
	}
	if got := mustSliced(t, x, y, SlicedOptions{Seed: 6}, Compute{}); got == want {
		t.Error("another seed has the same directions")
	}
}

func TestSlicedWassersteinMistakes(t *testing.T) {
	x := normals(rand.New(rand.NewPCG(5, 6)), 4, 3)
	bad := rows([]float32{1, float32(math.NaN()), 0})
	_, err := SlicedWasserstein(x, bad, SlicedOptions{}, Compute{})
	mustFail(t, "NaN", err, "finite")
	_, err = SlicedWasserstein(Features{D: 3}, x, SlicedOptions{}, Compute{})
	mustFail(t, "no rows", err, "no rows")
	_, err = SlicedWasserstein(x, x, SlicedOptions{Directions: -1}, Compute{})
	mustFail(t, "directions", err, "-1")
	mustPanic(t, "shapes", func() {
		_, _ = SlicedWasserstein(x, rows([]float32{1}), SlicedOptions{}, Compute{})
	}, "3", "1")
}
