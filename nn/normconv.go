package nn

import "github.com/fmimg/fmimg/kernels"

// A NormConv is y = conv(SiLU(norm(x))), or with a residual y = x + conv(SiLU(norm(x))).
type NormConv struct {
	x, y     Act
	residual bool
	norm     *GroupNorm
	conv     *Conv

	a, da kernels.Map // the convolution's input and its gradient, of a group of images
}

// A NormConvShape says what a [NormConv] computes.
type NormConvShape struct {
	Kind     kernels.ConvKind // Same3 or Down3
	Groups   int              // groups of the norm
	Residual bool             // x is added to y; x and y have one shape
	Zero     bool             // the convolution starts at zero
}

// NewNormConv makes a layer from x to y. It is the first to set the gradient of x. Its parameters
// are name.0 (norm) and name.2 (convolution).
func NewNormConv(b *Builder, name string, s NormConvShape, x, y Act) *NormConv {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &NormConv{
		x: x, y: y, residual: s.Residual,
		norm: NewGroupNorm(b, name+".0", c, s.Groups, true),
		conv: NewConv(b, name+".2", convShape(s.Kind, x.X, y.X.C), s.Zero),
		a:    b.temp(slotNormed, h, w, c),
	}
	if b.Train {
		l.da = b.temp(slotInputGrad, h, w, c)
	}
	return l
}

// NewHead makes the last layer of a network of images: a [NormConv] whose 3x3 convolution starts at
// zero, without a residual.
func NewHead(b *Builder, name string, x, y Act, groups int) *NormConv {
	return NewNormConv(b, name, NormConvShape{Kind: kernels.Same3, Groups: groups, Zero: true}, x, y)
}

// Forward computes y from x.
func (l *NormConv) Forward(r *Run) {
	r.groups(l.x.X, func(from, to int) { l.forwardGroup(r, from, to) }, l.x.X)
}

// forwardGroup is Forward for the images [from, to) of the batch.
func (l *NormConv) forwardGroup(r *Run, from, to int) {
	a, x := l.a.First(to-from), l.x.X.Images(from, to)
	step := normConvStep{norm: l.norm, conv: l.conv, first: from, y: l.y.X.Images(from, to), a: a, x: x, add: l.residual, residual: x}
	l.norm.Measure(r, from, x)
	step.run(r)
}

// Backward computes the gradients of x and of the parameters from the gradient of y.
func (l *NormConv) Backward(r *Run) {
	r.groups(l.x.X, func(from, to int) { l.backwardGroup(r, from, to) }, l.x.D, l.x.X)
	l.conv.EndWeightGrad(r, &r.sums[0])
}

// backwardGroup is Backward for the images [from, to) of the batch.
func (l *NormConv) backwardGroup(r *Run, from, to int) {
	a, da, dx, dy := l.a.First(to-from), l.da.First(to-from), l.x.D.Images(from, to), l.y.D.Images(from, to)
	if l.residual {
		dx.Copy(dy)
	}
	dy = r.Scratch.Wide(r.ISA, dy)
	l.conv.InputGrad(r, da, false, dy)
	l.norm.Backward(r, from, NormGrad{DX: dx, Accumulate: l.residual, DY: da, X: l.x.X.Images(from, to), Y: a})
	l.conv.PartWeightGrad(r, &r.sums[0], dy, a)
}
