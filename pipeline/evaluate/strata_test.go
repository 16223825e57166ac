package evaluate

import (
	"slices"
	"testing"
)

// A part of the images has each class as often as all have, to less than one image, without an
// image twice; the order depends on the seed.
func TestProportional(t *testing.T) {
	var classes []int32
	for class, n := range []int{500, 301, 150, 48, 1} {
		for range n {
			classes = append(classes, int32(class)-1)
		}
	}
	for _, n := range []int{0, 1, 3, 100, 333, 999, 1000, 2000} {
		chosen := proportional(7, n, classes)
		want := min(n, len(classes))
		if len(chosen) != want {
			t.Fatalf("%d of %d: %d images", n, len(classes), len(chosen))
		}
		count := map[int]int{}
		for _, class := range at(classes, chosen) {
			count[class]++
		}
		for class, all := range map[int]int{-1: 500, 0: 301, 1: 150, 2: 48, 3: 1} {
			share := float64(want*all) / float64(len(classes))
			if d := float64(count[class]) - share; d <= -1 || d >= 1 {
				t.Errorf("%d images: %d of class %d, whose share is %v", n, count[class], class, share)
			}
		}
		if slices.Sort(chosen); len(slices.Compact(chosen)) != want {
			t.Errorf("%d images: some twice", n)
		}
	}
	a, b := proportional(1, 50, classes), proportional(2, 50, classes)
	if slices.Equal(a, b) || !slices.Equal(a, proportional(1, 50, classes)) {
		t.Error("the seed does not decide alone")
	}
}
