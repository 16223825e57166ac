package nn

import "github.com/fmimg/fmimg/kernels"

// A NormConv is y = conv(SiLU(norm(x))), or with a residual y = x + conv(SiLU(norm(x))).
type NormConv struct {
	x, y     Act
	residual bool
	norm     *GroupNorm
	conv     *Conv

	a, da kernels.Map // input of the convolution and its gradient, of a group of images
}

// NewHead makes the last layer of a network of images, from x to y: a 3x3 convolution that starts at zero, without
// a residual. Its parameters are name.0 (norm) and name.2 (convolution).
func NewHead(b *Builder, name string, x, y Act, groups int) *NormConv {
	return newNormConv(b, name, kernels.Same3, x, y, groups, false, true)
}

// NewNormConv makes a layer from x to y by a convolution of kind Same3 or Down3. One with a residual, whose x and y
// have one shape, starts as y = x. It is the first to set the gradient of x. Its parameters are those of [NewHead].
func NewNormConv(b *Builder, name string, kind kernels.ConvKind, x, y Act, groups int, residual bool) *NormConv {
	return newNormConv(b, name, kind, x, y, groups, residual, residual)
}

func newNormConv(b *Builder, name string, kind kernels.ConvKind, x, y Act, groups int, residual, zero bool) *NormConv {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &NormConv{
		x: x, y: y, residual: residual,
		norm: NewGroupNorm(b, name+".0", c, groups, true),
		conv: NewConv(b, name+".2", convShape(kind, x.X, y.X.C), zero),
		a:    b.temp(slotNormed, h, w, c),
	}
	if b.Train {
		l.da = b.temp(slotInputGrad, h, w, c)
	}
	return l
}

// Forward computes y from x.
func (l *NormConv) Forward(r *Run) {
	r.groups(l.x.X, func(from, to int) { l.forward(r, from, to) }, l.x.X)
}

func (l *NormConv) forward(r *Run, from, to int) {
	a, x := l.a.First(to-from), l.x.X.Images(from, to)
	l.norm.Forward(r, from, a, x, kernels.Modulation{})
	var residual *kernels.Map
	if l.residual {
		residual = &x
	}
	l.conv.Forward(r, l.y.X.Images(from, to), a, residual)
}

// Backward computes the gradients of x and of the parameters from that of y.
func (l *NormConv) Backward(r *Run) {
	r.groups(l.x.X, func(from, to int) { l.backward(r, from, to) }, l.x.D, l.x.X)
	l.conv.EndWeightGrad(r, &r.sums[0])
}

func (l *NormConv) backward(r *Run, from, to int) {
	a, da, dx, dy := l.a.First(to-from), l.da.First(to-from), l.x.D.Images(from, to), l.y.D.Images(from, to)
	l.conv.InputGrad(r, da, false, dy)
	if l.residual {
		dx.Copy(dy)
	}
	l.norm.Backward(r, from, dx, l.residual, da, l.x.X.Images(from, to), a, kernels.Modulation{})
	l.conv.PartWeightGrad(r, &r.sums[0], dy, a)
}
