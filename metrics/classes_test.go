package metrics

import (
	"math"
	"slices"
	"testing"
)

// At the ends p of Wilson's interval, p̂ is 1.96 standard deviations of p away. After n trials
// without a hit the upper end is z²/(n + z²).
func TestWilson(t *testing.T) {
	const z = 1.959963984540054
	for _, c := range [][2]int{{1, 10}, {5, 10}, {95, 100}, {9871, 10000}, {1, 2}} {
		p := float64(c[0]) / float64(c[1])
		low, high := Wilson(c[0], c[1])
		for _, end := range []float64{low, high} {
			mustBeNear(t, "distance in deviations", math.Abs(p-end), z*math.Sqrt(end*(1-end)/float64(c[1])), 1e-12)
		}
		if !(low < p && p < high) {
			t.Errorf("%v: [%g, %g]", c, low, high)
		}
	}
	low, high := Wilson(0, 10)
	mustBeNear(t, "upper end of 0 of 10", high, z*z/(10+z*z), 1e-12)
	otherLow, otherHigh := Wilson(10, 10)
	mustBeNear(t, "lower end of 10 of 10", otherLow, 1-high, 1e-12)
	if low != 0 || otherHigh != 1 {
		t.Errorf("ends %g and %g, want 0 and 1", low, otherHigh)
	}
	mustPanic(t, "no trials", func() { Wilson(0, 0) }, "0 hits", "0 trials")
	mustPanic(t, "too many hits", func() { Wilson(3, 2) }, "3 hits", "2 trials")
}

func TestClassAgreement(t *testing.T) {
	got, err := ClassAgreement([]int{0, 1, 2, 3}, []int{0, 1, 2, 0})
	low, high := Wilson(3, 4)
	if want := (Agreement{0.75, low, high}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	_, err = ClassAgreement(nil, nil)
	mustFail(t, "no images", err, "no rows")
	mustPanic(t, "other lengths", func() { _, _ = ClassAgreement([]int{1}, []int{1, 2}) }, "1 classes", "2 predicted")
}

func TestHistogram(t *testing.T) {
	got, err := Histogram([]int{2, 0, 2, 3, 2}, 5)
	if want := []int{1, 0, 3, 1, 0}; !slices.Equal(got, want) || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, class := range []int{-1, 5} {
		_, err = Histogram([]int{0, class}, 5)
		mustFail(t, "class outside", err, "image 1", "5 classes")
	}
}

func TestTotalVariation(t *testing.T) {
	for _, c := range []struct {
		p, q []int
		want float64
	}{
		{[]int{1, 2, 3}, []int{10, 20, 30}, 0},
		{[]int{5, 0, 0}, []int{0, 1, 7}, 1},
		{[]int{1, 1}, []int{1, 3}, 0.25},
	} {
		for range 2 {
			got, err := TotalVariation(c.p, c.q)
			if err != nil {
				t.Error(err)
			}
			mustBeNear(t, "distance", got, c.want, 1e-15)
			c.p, c.q = c.q, c.p
		}
	}
	_, err := TotalVariation([]int{0, 0}, []int{1, 0})
	mustFail(t, "an empty histogram", err, "no rows")
	mustPanic(t, "other lengths", func() { _, _ = TotalVariation([]int{1}, []int{1, 2}) }, "1", "2")
}
