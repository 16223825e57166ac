package nn

import "github.com/fmimg/fmimg/kernels"

// A Head is the last layer of the network: y = conv(SiLU(norm(x))), starting at zero.
type Head struct {
	x, y Act
	norm *GroupNorm
	conv *Conv

	a, da kernels.Map // input of the convolution and its gradient, of a group of images
}

// NewHead makes a head from x to y, with parameters name.0 (norm) and name.2 (convolution).
func NewHead(b *Builder, name string, x, y Act, groups int) *Head {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &Head{
		x: x, y: y,
		norm: NewGroupNorm(b, name+".0", c, groups, true),
		conv: NewConv(b, name+".2", convShape(kernels.Same3, x.X, y.X.C), true),
		a:    b.temp(slotNormed, h, w, c),
	}
	if b.Train {
		l.da = b.temp(slotInputGrad, h, w, c)
	}
	return l
}

// Forward computes y from x.
func (l *Head) Forward(r *Run) {
	r.groups(l.x.X, func(from, to int) {
		a := l.a.First(to - from)
		l.norm.Forward(r, from, a, l.x.X.Images(from, to), kernels.Modulation{})
		l.conv.Forward(r, l.y.X.Images(from, to), a, nil)
	}, l.x.X)
}

// Backward computes the gradients of x and of the parameters from that of y.
func (l *Head) Backward(r *Run) {
	r.groups(l.x.X, func(from, to int) {
		a, da, dy := l.a.First(to-from), l.da.First(to-from), l.y.D.Images(from, to)
		l.conv.InputGrad(r, da, false, dy)
		l.norm.Backward(r, from, l.x.D.Images(from, to), false, da, l.x.X.Images(from, to), a, kernels.Modulation{})
		l.conv.PartWeightGrad(r, &r.sums[0], dy, a)
	}, l.x.D, l.x.X)
	l.conv.EndWeightGrad(r, &r.sums[0])
}
