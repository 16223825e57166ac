package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows are drawn as often as the training data has them, each row of images at least once in many,
// and rows without images never.
func TestRowDraw(t *testing.T) {
	const draws = 20000
	for _, c := range []struct {
		labels     Labels
		counts     []int
		unlabelled int
		want       []float64 // shares of the rows
	}{
		{Labels{3, true}, nil, 0, []float64{1. / 3, 1. / 3, 1. / 3, 0}},
		{Labels{3, true}, []int{5, 5, 5}, 0, []float64{1. / 3, 1. / 3, 1. / 3, 0}},
		{Labels{4, true}, []int{0, 1, 0, 3}, 0, []float64{0, 0.25, 0, 0.75, 0}},
		{Labels{1, true}, []int{4}, 60, []float64{1. / 16, 15. / 16}},
		{Labels{2, true}, []int{0, 0}, 7, []float64{0, 0, 1}},
		{Labels{2, false}, []int{1, 3}, 9, []float64{0.25, 0.75}}, // no row means none
		{Labels{2, false}, []int{1 << 30, 1 << 30}, 0, []float64{0.5, 0.5}},
	} {
		m := Meta{ClassCounts: c.counts, Unlabelled: c.unlabelled}
		if err := m.checkCounts(c.labels); err != nil {
			t.Errorf("%v: %v", c.counts, err)
		}
		d := m.RowDraw(c.labels)
		got := make([]float64, c.labels.Rows())
		var rng rand.PCG
		for i := range draws {
			got[d.Row(&rng, 1, i)] += 1. / draws
		}
		for row, share := range c.want {
			// The deviation of a share is at most sqrt(1/4/draws) = 0.0035; the bound is 5 of them.
			if math.Abs(got[row]-share) > 0.018 || share == 0 && got[row] > 0 {
				t.Errorf("counts %v, %d without: row %d has a share of %v, want %v", c.counts, c.unlabelled, row, got[row], share)
			}
		}
		for i, row := range d.Rows {
			if len(d.Shares) > 0 && d.Shares[i] != c.want[row] {
				t.Errorf("counts %v: probability %v of row %d", c.counts, d.Shares[i], row)
			}
		}
	}
}

// Files without counts draw the rows that they always drew.
func TestUniformDrawIsFrozen(t *testing.T) {
	d, rng := Meta{}.RowDraw(Labels{10, true}), rand.PCG{}
	var got []int32
	for i := range 12 {
		got = append(got, d.Row(&rng, 1, i))
	}
	if want := []int32{3, 9, 5, 3, 6, 1, 8, 3, 5, 8, 1, 8}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

func TestWrongCounts(t *testing.T) {
	for _, c := range []struct {
		labels     Labels
		counts     []int
		unlabelled int
	}{
		{Labels{2, true}, []int{1}, 0}, {Labels{}, []int{1}, 0}, {Labels{2, true}, []int{1, -1}, 0},
		{Labels{2, true}, []int{1, 1}, -1}, {Labels{2, true}, []int{0, 0}, 0}, {Labels{2, false}, []int{0, 0}, 5},
		{Labels{1, true}, []int{math.MaxInt32}, 0},
	} {
		if err := (Meta{ClassCounts: c.counts, Unlabelled: c.unlabelled}).checkCounts(c.labels); err == nil {
			t.Errorf("%d classes have counts %v and %d", c.labels.Count, c.counts, c.unlabelled)
		}
	}
}
