package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// naiveSeparation counts pairs one by one, and tries each score as the threshold.
func naiveSeparation(first, second []float64) Separation {
	n, m := float64(len(first)), float64(len(second))
	s := Separation{ToldApart: 0.5}
	for _, threshold := range first {
		hits, right := 0.0, 0.0
		for _, score := range first {
			if score >= threshold {
				hits++
			}
		}
		for _, score := range second {
			switch {
			case score < threshold:
				right++
				s.AUROC += 1 / (n * m)
			case score == threshold:
				s.AUROC += 0.5 / (n * m)
			}
		}
		s.ToldApart = max(s.ToldApart, (hits/n+right/m)/2)
	}
	return s
}

func TestSeparateEqualsDefinition(t *testing.T) {
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
		want := naiveSeparation(first, second)
		mustBeNear(t, "AUROC", got.AUROC, want.AUROC, 1e-12)
		mustBeNear(t, "told apart", got.ToldApart, want.ToldApart, 1e-12)
	}
}

func TestSeparate(t *testing.T) {
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
