package dataset

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A labelSource has labels, and images of one pixel.
type labelSource []int32

func (labelSource) Name() string         { return "labels" }
func (s labelSource) Len() int           { return len(s) }
func (labelSource) Shape() (h, w, c int) { return 1, 1, 1 }
func (labelSource) Classes() []string    { return []string{"a", "b", "c", "d", "e"} }
func (s labelSource) Image(i int, dst []float32) int {
	dst[0] = 0
	return int(s[i])
}

// indexOf returns the numbers of a part's images in the source of n images that was split.
func indexOf(s Source, n int) []int32 {
	if p, ok := s.(*part); ok {
		return p.index
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	if s == nil {
		return nil
	}
	return all
}

// Of any labels, every class that has images keeps one to train on, an image is held only where
// SplitAny holds it, and both are the same where that leaves every class an image.
func TestSplitKeepsTheLastOfAClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := labelSource(rapid.SliceOfN(rapid.Int32Range(-1, 4), 1, 30).Draw(t, "labels"))
		share, seed := rapid.Float64Range(0, 1).Draw(t, "share"), rapid.Uint64().Draw(t, "seed")
		train, held := Split(labels, share, seed)
		before, heldBefore := SplitAny(labels, share, seed)
		kept := Labels(train)
		for _, label := range labels {
			if label >= 0 && !slices.Contains(kept, label) {
				t.Fatalf("class %d of %v has no image to train on: %v", label, labels, kept)
			}
		}
		n := len(labels)
		trainIndex, heldIndex := indexOf(train, n), indexOf(held, n)
		all := slices.Concat(trainIndex, heldIndex)
		slices.Sort(all)
		if !slices.IsSorted(trainIndex) || !slices.Equal(all, indexOf(labels, n)) {
			t.Fatalf("%v and %v are not the whole, in order", trainIndex, heldIndex)
		}
		back := 0
		for _, i := range indexOf(heldBefore, n) {
			if !slices.Contains(heldIndex, i) {
				back++
				if label := labels[i]; label < 0 || slices.Contains(Labels(before), label) {
					t.Fatalf("image %d need not stay in training", i)
				}
			}
		}
		if len(heldIndex)+back != len(indexOf(heldBefore, n)) {
			t.Fatalf("held %v, and %v before", heldIndex, indexOf(heldBefore, n))
		}
	})
}

// Labels are the same whether they are read from memory or with the images, and through parts of
// parts.
func TestLabels(t *testing.T) {
	s := &labelled{h: 1, w: 1, c: 1, slab: make([]byte, 6), labels: []int32{0, 1, -1, 1, 0, 2}, classes: []string{"a", "b", "c"}}
	inner := &part{Source: s, index: []int32{5, 3, 2, 0}}
	for _, c := range []struct {
		of   Source
		want []int32
	}{
		{s, s.labels},
		{labelSource{3, -1}, []int32{3, -1}},
		{inner, []int32{2, 1, -1, 0}},
		{&part{Source: inner, index: []int32{2, 0}}, []int32{-1, 2}},
		{&labelled{h: 1, w: 1, c: 1, slab: make([]byte, 2)}, []int32{-1, -1}},
	} {
		if got := Labels(c.of); !slices.Equal(got, c.want) {
			t.Errorf("labels %v, want %v", got, c.want)
		}
	}
	if Labels(s)[0] = 9; s.labels[0] != 0 {
		t.Error("the labels of a source can be changed")
	}
}
