package roomtest

import (
	"slices"
)

// An AffineNet is a network whose results can be computed by hand: v = a·x + b·t, with parameters a
// and b.
type AffineNet struct {
	Params []float32                       // a, b
	Seen   func(x, t []float32, y []int32) // is told of each evaluation; may be nil
	x, t   []float32                       // of the last evaluation
}

// Forward sets v.
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

// Jump sets u = a·x + b·(t+δ), and adds b·w where there are weights.
func (n *AffineNet) Jump(u, x, t, d, w []float32, y []int32) {
	ends := slices.Clone(t)
	for i := range ends {
		ends[i] += d[i]
		if w != nil {
			ends[i] += w[i]
		}
	}
	n.Forward(u, x, ends, y)
}

// Backward adds the gradient of a and b to grad.
func (n *AffineNet) Backward(_, dv, grad []float32) {
	size := len(n.x) / len(n.t)
	for i, d := range dv {
		grad[0] += d * n.x[i]
		grad[1] += d * n.t[i/size]
	}
}

// A CountingNet counts the images that it evaluates, and computes nothing.
type CountingNet struct{ images int }

// Forward counts.
func (c *CountingNet) Forward(_, _, t []float32, _ []int32) { c.images += len(t) }

// Jump counts.
func (c *CountingNet) Jump(_, _, t, _, _ []float32, _ []int32) { c.images += len(t) }

// Backward does nothing.
func (*CountingNet) Backward(_, _, _ []float32) {}
