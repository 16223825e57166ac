package feed

import (
	"slices"
	"testing"
)

// Every epoch visits each image once, even when a batch reaches over the end of one epoch or of
// several.
func TestEpochOrder(t *testing.T) {
	for _, batch := range []int{1, 3, 7, 20} {
		const n, epochs = 7, 20
		o := NewOrder(n, 5, batch)
		var seen []int
		for first := 0; first < n*epochs; first += batch {
			o.Prepare(first, batch)
			for i := range batch {
				seen = append(seen, o.Index(i))
			}
		}
		for epoch := range epochs {
			images := slices.Clone(seen[epoch*n : (epoch+1)*n])
			if epoch == 3 && slices.Equal(images, seen[:n]) {
				t.Errorf("batch %d: epoch 3 has the order of epoch 0", batch)
			}
			slices.Sort(images)
			if !slices.Equal(images, []int{0, 1, 2, 3, 4, 5, 6}) {
				t.Errorf("batch %d: epoch %d visits %v", batch, epoch, images)
			}
		}
	}
}
