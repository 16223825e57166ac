package draw

import (
	"context"
	"sync/atomic"

	"github.com/fmimg/fmimg/pipeline/model"
)

// A caller is what a request evaluates with. Several goroutines of the request may use it.
type caller struct {
	evaluator *evaluator
	// ctx ends the request, and fail ends it with an error.
	ctx  context.Context
	fail context.CancelCauseFunc

	evaluated atomic.Int64 // rows
}

// through returns the checkpoint of a loaded model whose drawers and estimators evaluate by this
// caller.
func (c *caller) through(m *loaded) *model.Checkpoint {
	ck := *m.ck
	switch net := ck.Network.(type) {
	case *model.UNet:
		ck.Network = net.Through(func(n int, train bool) model.Replica {
			if train {
				return &aloneReplica{c, net.NewReplica(n, true)}
			}
			return &batched{c, m.net}
		})
	case *model.NormalizingFlow:
		ck.Network = net.Through(func(n int) model.PassReplica {
			return &batchedPass{batched{c, m.net}, func() model.PassReplica { return net.NewReplica(n, false) }}
		})
	}
	return &ck
}

// evaluate waits for an evaluation. An error ends the request: then the results mean nothing.
func (c *caller) evaluate(k key, r rows) {
	k.classes, k.weighted = r.y != nil, r.w != nil
	if err := c.evaluator.evaluate(&call{key: k, rows: r, ctx: c.ctx}); err != nil {
		c.fail(err)
	}
	c.evaluated.Add(int64(r.n))
}

// alone has a worker call a function that evaluates rows, or goes back through those it evaluated.
func (c *caller) alone(evaluated int, do func()) {
	c.evaluated.Add(int64(evaluated))
	if err := c.evaluator.evaluate(&call{key: key{kind: alone}, rows: rows{n: 1}, ctx: c.ctx, do: do}); err != nil {
		c.fail(err)
	}
}

// A batched replica evaluates nothing: it hands its rows to the evaluator.
type batched struct {
	caller *caller
	net    *network
}

// Forward implements [model.Replica].
func (b *batched) Forward(v, x, t []float32, y []int32) {
	b.caller.evaluate(key{net: b.net, kind: forward}, rows{n: len(t), v: v, x: x, t: t, y: y})
}

// Jump implements [model.Replica].
func (b *batched) Jump(u, x, t, d, w []float32, y []int32) {
	b.caller.evaluate(key{net: b.net, kind: jump}, rows{n: len(t), v: u, x: x, t: t, d: d, w: w, y: y})
}

// Backward implements [model.Replica]. There is no gradient: other replicas train.
func (b *batched) Backward(_, _, _ []float32) {
	panic("draw: backward of a replica made for inference")
}

// An aloneReplica has activations of its own, for a backward pass. The evaluator lends it workers.
type aloneReplica struct {
	caller *caller
	net    model.Replica
}

// Forward implements [model.Replica].
func (r *aloneReplica) Forward(v, x, t []float32, y []int32) {
	r.caller.alone(len(t), func() { r.net.Forward(v, x, t, y) })
}

// Jump implements [model.Replica].
func (r *aloneReplica) Jump(u, x, t, d, w []float32, y []int32) {
	r.caller.alone(len(t), func() { r.net.Jump(u, x, t, d, w, y) })
}

// Backward implements [model.Replica].
func (r *aloneReplica) Backward(dx, dv, grad []float32) {
	r.caller.alone(0, func() { r.net.Backward(dx, dv, grad) })
}

// A batchedPass is a [batched] replica of a normalizing flow.
type batchedPass struct {
	batched
	create func() model.PassReplica // for densities
}

// Sample implements [model.PassReplica].
func (b *batchedPass) Sample(x []float32, n int) {
	b.caller.evaluate(key{net: b.net, kind: pass}, rows{n: n, v: x, x: x})
}

// LogProb implements [model.PassReplica].
func (b *batchedPass) LogProb(logp []float64, x []float32) {
	b.caller.alone(len(logp), func() { b.create().LogProb(logp, x) })
}
