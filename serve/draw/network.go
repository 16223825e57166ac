package draw

import (
	"sync"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/pipeline/model"
)

// rows are the inputs and outputs of an evaluation of n states.
type rows struct {
	n int
	v []float32 // [n, H, W, C], which is set
	x []float32 // [n, H, W, C]
	t []float32 // [n]; nil for a pass
	d []float32 // [n], lengths of jumps; else nil
	w []float32 // [n], weights of guidance, or nil
	y []int32   // [n], rows of the label embedding, or nil
}

// A network evaluates batches of rows. Several workers may use it at once.
type network struct {
	size   int // numbers of a state
	create func() *bench

	mu   sync.Mutex
	free []*bench
}

// A bench is what one worker evaluates batches on.
type bench struct {
	net  model.Replica     // of a U-Net
	flow model.PassReplica // of a normalizing flow
	rows                   // of a batch
}

// newNetwork returns what evaluates the network of a checkpoint.
func newNetwork(ck *model.Checkpoint) *network {
	n := &network{size: ck.Shape().Len()}
	switch net := ck.Network.(type) {
	case *model.UNet:
		n.create = func() *bench { return &bench{net: net.NewReplica(batchRows, false)} }
	case *model.NormalizingFlow:
		n.create = func() *bench { return &bench{flow: net.NewReplica(batchRows, false)} }
	}
	return n
}

// evaluate evaluates a batch of this network. After a panic the bench is not used again.
func (n *network) evaluate(b batch) {
	w := n.take()
	w.load(b, n.size)
	switch in := &w.rows; b[0].kind {
	case forward:
		w.net.Forward(in.v, in.x, in.t, in.y)
	case jump:
		w.net.Jump(in.v, in.x, in.t, in.d, in.w, in.y)
	case pass:
		copy(in.v, in.x)
		w.flow.Sample(in.v, in.n)
	}
	w.store(b, n.size)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.free = append(n.free, w)
}

// take returns a bench that no other worker uses.
func (n *network) take() *bench {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := len(n.free) - 1
	if last < 0 {
		return n.create()
	}
	w := n.free[last]
	n.free = n.free[:last]
	return w
}

// load gathers the rows of a batch, whose states have size numbers each.
func (w *bench) load(b batch, size int) {
	in := &w.rows
	in.x, in.t, in.d, in.w, in.y = in.x[:0], in.t[:0], nil, nil, nil
	for _, s := range b {
		in.x = append(in.x, s.x[s.from*size:s.to*size]...)
		in.t = part(in.t, s.t, s)
		in.d = part(in.d, s.d, s)
		in.w = part(in.w, s.w, s)
		in.y = part(in.y, s.y, s)
	}
	in.n, in.v = b.rows(), states.Sized(in.v, len(in.x))
}

// part appends what a share has of a list of its call, which may be nil.
func part[T any](to, list []T, s share) []T {
	if list == nil {
		return to
	}
	return append(to, list[s.from:s.to]...)
}

// store gives the results to the calls of a batch.
func (w *bench) store(b batch, size int) {
	v := w.v
	for _, s := range b {
		v = v[copy(s.v[s.from*size:s.to*size], v):]
	}
}
