package nn

import "github.com/fmimg/fmimg/kernels"

// A NormPool turns a map into one row for each image: y = mean over the pixels of SiLU(norm(x)).
type NormPool struct {
	x, y Act // y is rows
	norm *GroupNorm

	a, da kernels.Map // SiLU(norm(x)) and its gradient, of a group of images
	dMean []float32   // [N][C], the gradient of a pixel
}

// NewNormPool makes a layer from x to y, whose rows have as many elements as x has channels. It is
// the first to set the gradient of x. The norm's parameters are name.weight and name.bias.
func NewNormPool(b *Builder, name string, x, y Act, groups int) *NormPool {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &NormPool{x: x, y: y, norm: NewGroupNorm(b, name, c, groups, true), a: b.temp(slotNormed, h, w, c)}
	if b.Train {
		l.da, l.dMean = b.temp(slotInputGrad, h, w, c), make([]float32, b.N*c)
	}
	return l
}

// Forward computes y from x.
func (l *NormPool) Forward(r *Run) {
	y, c := r.rows(l.y.X).Flat(), l.x.X.C
	r.groups(l.x.X, func(from, to int) {
		a := l.a.First(to - from)
		l.norm.Forward(r, from, a, l.x.X.Images(from, to), kernels.Modulation{})
		r.ISA.SumRows(y[from*c:to*c], a)
	}, l.x.X)
	scale(y, y, l.share())
}

// Backward computes the gradients of x and of the norm's parameters from the gradient of y.
func (l *NormPool) Backward(r *Run) {
	dy, c := r.rows(l.y.D).Flat(), l.x.X.C
	dMean := l.dMean[:len(dy)]
	scale(dMean, dy, l.share())
	r.groups(l.x.X, func(from, to int) {
		a, da := l.a.First(to-from), l.da.First(to-from)
		da.Clear()
		r.ISA.AddRows(&r.Scratch, da, dMean[from*c:to*c])
		l.norm.Backward(r, from, NormGrad{DX: l.x.D.Images(from, to), DY: da, X: l.x.X.Images(from, to), Y: a})
	}, l.x.D, l.x.X)
}

// share is the weight of a pixel in the mean.
func (l *NormPool) share() float32 { return 1 / float32(l.x.X.H*l.x.X.W) }

// scale sets dst = s·src. dst may be src.
func scale(dst, src []float32, s float32) {
	for i, v := range src {
		dst[i] = s * v
	}
}

// A Readout is the linear layer at the end of a network, from rows to rows.
type Readout struct {
	x, y   Act
	linear *Conv
}

// NewReadout makes a linear layer from the rows x to the rows y. It is the first to set the
// gradient of x. Its parameters are those of [NewLinear].
func NewReadout(b *Builder, name string, x, y Act) *Readout {
	return &Readout{x: x, y: y, linear: NewLinear(b, name, x.X.C, y.X.C)}
}

// Forward computes y from x.
func (l *Readout) Forward(r *Run) { l.linear.Forward(r, r.rows(l.y.X), r.rows(l.x.X), nil) }

// Backward computes the gradients of x and of the parameters from the gradient of y.
func (l *Readout) Backward(r *Run) {
	l.linear.WeightGrad(r, r.rows(l.y.D), r.rows(l.x.X))
	l.linear.InputGrad(r, r.rows(l.x.D), false, r.rows(l.y.D))
}
