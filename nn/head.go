package nn

import "github.com/fmimg/fmimg/kernels"

// A Head is the last layer of the network: y = conv(SiLU(norm(x))), starting at zero.
type Head struct {
	x, y Act
	norm *GroupNorm
	conv *Conv

	a  kept        // input of the convolution
	da kernels.Map // its gradient, of a group of images
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
		l.da = b.groupTemp(slotInputGrad, h, w, c)
	}
	return l
}

// Forward computes y from x.
func (l *Head) Forward(r *Run) {
	r.groups(l.x.X, func(from, to int) {
		a := l.a.group(from, to)
		l.norm.Forward(r, from, a, l.x.X.Images(from, to), kernels.Modulation{})
		l.conv.Forward(r, l.y.X.Images(from, to), a, nil)
	})
}

// Backward computes the gradients of x and of the parameters from that of y.
func (l *Head) Backward(r *Run) {
	r.groups(l.x.X, func(from, to int) {
		da := l.da.First(to - from)
		l.conv.InputGrad(r, da, false, l.y.D.Images(from, to))
		l.norm.Backward(r, from, l.x.D.Images(from, to), false, da, l.x.X.Images(from, to), kernels.Modulation{})
	})
	l.conv.WeightGrad(r, r.images(l.y.D), r.images(l.a.Map))
}
