package feed

import (
	"github.com/fmimg/fmimg/dataset"
)

// An Order says which image stands at each position of a run: epoch after epoch without a gap,
// each in an order of its own. A batch may reach over the end of epochs.
type Order struct {
	n     int // images of an epoch
	seed  uint64
	first int // position of the running step's first image, over the whole run
	kept  []keptOrder
}

type keptOrder struct {
	epoch int
	order *dataset.Permutation
}

// NewOrder makes room for the epochs that one batch can touch.
func NewOrder(n int, seed uint64, batch int) *Order {
	o := &Order{n: n, seed: seed}
	for range (batch-1)/n + 2 {
		o.kept = append(o.kept, keptOrder{0, dataset.Order(n, seed, 0)})
	}
	return o
}

// Prepare readies the count positions of a step from first on, shuffling the epochs that are new.
func (o *Order) Prepare(first, count int) {
	o.first = first
	for epoch := first / o.n; epoch <= (first+count-1)/o.n; epoch++ {
		if k := &o.kept[epoch%len(o.kept)]; k.epoch != epoch {
			k.epoch = epoch
			k.order.Reset(o.seed, epoch)
		}
	}
}

// Index returns the image at a position of the step's batch. Workers may call it at once.
func (o *Order) Index(position int) int {
	at := o.first + position
	return o.kept[at/o.n%len(o.kept)].order.At(at % o.n)
}
