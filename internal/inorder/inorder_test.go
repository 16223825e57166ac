package inorder

import (
	"math"
	"testing"
)

// Rounding shows the order: 1 is lost beside 1e16, and is not lost after the two large numbers have
// met.
func TestSumKeepsOrder(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{
		{nil, 0},
		{[]float64{1e16, 1, -1e16}, 0},
		{[]float64{1e16, -1e16, 1}, 1},
	} {
		if got := Sum(c.x); got != c.want {
			t.Errorf("sum of %v is %v, want %v", c.x, got, c.want)
		}
	}
}

// The deviation of 1, 2, 3, 4 is √(5/3), and the error of their mean half of it.
func TestMeanAndError(t *testing.T) {
	mean, standardError := MeanAndError([]float64{4, 1, 3, 2})
	if mean != 2.5 || math.Abs(standardError-math.Sqrt(5./3)/2) > 1e-15 {
		t.Errorf("mean %v ± %v", mean, standardError)
	}
	if mean, standardError := MeanAndError([]float64{7}); mean != 7 || standardError != 0 {
		t.Errorf("one number: mean %v ± %v", mean, standardError)
	}
}
