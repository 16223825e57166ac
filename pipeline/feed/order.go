package feed

import (
	"github.com/fmimg/fmimg/dataset"
)

// An Order says which image is at each position of a run. Epochs follow each other without a gap,
// each in its own order. A batch may reach over the ends of epochs.
type Order struct {
	n     int // images of an epoch
	seed  uint64
	first int         // position in the run of the first image of the step
	kept  []keptOrder // epoch e is in kept[e%len(kept)]
}

// A keptOrder is the shuffled order of an epoch.
type keptOrder struct {
	epoch int
	order *dataset.Permutation
}

// NewOrder makes an order of n images, with room for the epochs that one batch can touch.
func NewOrder(n int, seed uint64, batch int) *Order {
	o := &Order{n: n, seed: seed}
	for range (batch-1)/n + 2 {
		o.kept = append(o.kept, keptOrder{epoch: 0, order: dataset.Order(n, seed, 0)})
	}
	return o
}

// Prepare readies the count positions of a step from position first of the run on. It shuffles
// epochs that are new.
func (o *Order) Prepare(first, count int) {
	o.first = first
	for epoch := first / o.n; epoch <= (first+count-1)/o.n; epoch++ {
		if k := &o.kept[epoch%len(o.kept)]; k.epoch != epoch {
			k.epoch = epoch
			k.order.Reset(o.seed, epoch)
		}
	}
}

// Index returns the number of the image at a position of the step's batch. Workers may call it at
// the same time.
func (o *Order) Index(position int) int {
	at := o.first + position
	return o.kept[at/o.n%len(o.kept)].order.At(at % o.n)
}
