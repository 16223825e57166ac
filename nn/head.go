package nn

import "github.com/fmimg/fmimg/kernels"

// A Head is the last layer of the network: y = conv(SiLU(norm(x))), starting at zero.
type Head struct {
	x, y Act
	norm *GroupNorm
	conv *Conv

	a, da kernels.Map // input of the convolution and its gradient
}

// NewHead makes a head from x to y, with parameters name.0 (norm) and name.2 (convolution).
func NewHead(b *Builder, name string, x, y Act, groups int) *Head {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &Head{
		x: x, y: y,
		norm: NewGroupNorm(b, name+".0", c, groups, true),
		conv: NewConv(b, name+".2", convShape(kernels.Same3, x.X, y.X.C), true),
		a:    b.kept(slotNormed, h, w, c),
	}
	if b.Train {
		l.da = b.temp(slotInputGrad, h, w, c)
	}
	return l
}

// Forward computes y from x.
func (l *Head) Forward(r *Run) {
	a := r.images(l.a)
	l.norm.Forward(r, a, r.images(l.x.X), kernels.Modulation{})
	l.conv.Forward(r, r.images(l.y.X), a, nil)
}

// Backward computes the gradients of x and of the parameters from that of y.
func (l *Head) Backward(r *Run) {
	da := r.images(l.da)
	l.conv.Backward(r, &da, false, r.images(l.y.D), r.images(l.a))
	l.norm.Backward(r, r.images(l.x.D), false, da, r.images(l.x.X), kernels.Modulation{})
}
