package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The area is the share of pairs in the right order, counted one by one, and the threshold the best of all.
func TestSeparate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 40; n++ {
		first, second := make([]float64, n), make([]float64, 1+n/2)
		for i := range first {
			first[i] = math.Round(4*rng.NormFloat64() + 2) // whole numbers, so that some are equal
		}
		for i := range second {
			second[i] = math.Round(4 * rng.NormFloat64())
		}
		got, err := Separate(first, second)
		if err != nil {
			t.Fatal(err)
		}
		pairs, best := 0.0, 0.0
		for _, a := range first {
			for _, b := range second {
				switch {
				case a > b:
					pairs++
				case a == b:
					pairs += 0.5
				}
			}
			hits, right := 0.0, 0.0
			for _, b := range first {
				if b >= a {
					hits++
				}
			}
			for _, b := range second {
				if b < a {
					right++
				}
			}
			best = max(best, (hits/float64(len(first))+right/float64(len(second)))/2)
		}
		if want := pairs / float64(len(first)*len(second)); math.Abs(got.AUROC-want) > 1e-12 || math.Abs(got.ToldApart-max(best, 0.5)) > 1e-12 {
			t.Errorf("%d images: %+v, want %g and %g", n, got, want, best)
		}
	}
	for _, c := range []struct {
		first, second []float64
		want          Separation
	}{
		{[]float64{3, 4}, []float64{1, 2}, Separation{1, 1}},
		{[]float64{1, 2}, []float64{3, 4}, Separation{0, 0.5}},
		{[]float64{1, 1}, []float64{1}, Separation{0.5, 0.5}},
		{[]float64{math.Inf(-1)}, []float64{5}, Separation{0, 0.5}},
	} {
		if got, err := Separate(c.first, c.second); err != nil || got != c.want {
			t.Errorf("%v against %v: %+v, %v, want %+v", c.first, c.second, got, err, c.want)
		}
	}
	if _, err := Separate(nil, []float64{1}); err == nil {
		t.Error("no images, no error")
	}
}
