package roomtest

import (
	"slices"
)

// An AffineNet is a network that can be worked out by hand: v = a·x + b·t, with the parameters a and b.
type AffineNet struct {
	Params []float32
	x, t   []float32
	Seen   func(x, t []float32, y []int32)
}

func (n *AffineNet) Forward(v, x, t []float32, y []int32) {
	n.x, n.t = x, t
	size := len(x) / len(t)
	for i := range x {
		v[i] = n.Params[0]*x[i] + n.Params[1]*t[i/size]
	}
	if n.Seen != nil {
		n.Seen(x, t, y)
	}
}

// Jump answers u = a·x + b·(t+δ).
func (n *AffineNet) Jump(u, x, t, d []float32, y []int32) {
	ends := slices.Clone(t)
	for i := range ends {
		ends[i] += d[i]
	}
	n.Forward(u, x, ends, y)
}

func (n *AffineNet) Backward(_, dv, grad []float32) {
	size := len(n.x) / len(n.t)
	for i, d := range dv {
		grad[0] += d * n.x[i]
		grad[1] += d * n.t[i/size]
	}
}

// A CountingNet counts the images of its forward passes.
type CountingNet struct{ images int }

func (c *CountingNet) Forward(_, _, t []float32, _ []int32) { c.images += len(t) }

func (c *CountingNet) Jump(_, _, t, _ []float32, _ []int32) { c.images += len(t) }

func (*CountingNet) Backward(_, _, _ []float32) {}
