package nn

import "github.com/fmimg/fmimg/kernels"

// A ResBlock is guided-diffusion's residual block:
//
//	h = conv1(SiLU(norm1(x)))
//	y = skip(x) + conv2(SiLU(norm2(h)·(1 + scale) + shift))
//
// where scale and shift are a linear function of the embedding; or, without scale and shift, that
// function is added to h before norm2.
type ResBlock struct {
	x, y         Act
	accumulate   bool
	modulate     bool
	norm1, norm2 *GroupNorm
	conv1, conv2 *Conv
	skip         *Conv // nil where x and y have the same number of channels
	project      *Conv
	embedding    *Embedding
	e            Act // [N][2·C] scale and shift, or [N][C]

	a1, h, a2 kernels.Map // inputs of conv1, norm2, conv2
	dIn, dOut kernels.Map // gradients of a1; of a2 and then of h
}

// NewResBlock makes a block from x to y. accumulate says that something else has set the gradient of x
// before.
func NewResBlock(b *Builder, name string, x, y Act, e *Embedding, groups int, scaleShift, accumulate bool) *ResBlock {
	in, out, rows := x.X.C, y.X.C, y.X.C
	h, w := x.X.H, x.X.W
	if scaleShift {
		rows *= 2
	}
	l := &ResBlock{
		x: x, y: y, accumulate: accumulate, modulate: scaleShift, embedding: e,
		norm1:   NewGroupNorm(b, name+".in_layers.0", in, groups, true),
		conv1:   NewConv(b, name+".in_layers.2", convShape(kernels.Same3, x.X, out), false),
		project: NewLinear(b, name+".emb_layers.1", e.out.X.C, rows),
		norm2:   NewGroupNorm(b, name+".out_layers.0", out, groups, true),
		conv2:   NewConv(b, name+".out_layers.3", convShape(kernels.Same3, y.X, out), true),
		e:       b.rows(rows),
		a1:      b.kept(slotNormed, h, w, in), h: b.kept(slotHidden, h, w, out), a2: b.kept(slotModulated, h, w, out),
	}
	if in != out {
		l.skip = NewConv(b, name+".skip_connection", pointwise(in, out), false)
	}
	if b.Train {
		l.dIn, l.dOut = b.temp(slotInputGrad, h, w, in), b.temp(slotOutputGrad, h, w, out)
	}
	return l
}

// modulation returns what the embedding does to norm2.
func (l *ResBlock) modulation(r *Run) kernels.Modulation {
	if !l.modulate {
		return kernels.Modulation{}
	}
	m := kernels.Modulation{Rows: r.rows(l.e.X).Flat()}
	if l.e.D.C > 0 {
		m.Gradient = r.rows(l.e.D).Flat()
	}
	return m
}

// Forward computes y from x and the embedding.
func (l *ResBlock) Forward(r *Run) {
	x, y, a1, h, a2 := r.images(l.x.X), r.images(l.y.X), r.images(l.a1), r.images(l.h), r.images(l.a2)
	l.norm1.Forward(r, a1, x, kernels.Modulation{})
	l.conv1.Forward(r, h, a1, nil)
	l.project.Forward(r, r.rows(l.e.X), r.rows(l.embedding.out.X), nil)
	if !l.modulate {
		r.ISA.AddRows(&r.Scratch, h, r.rows(l.e.X).Flat())
	}
	l.norm2.Forward(r, a2, h, l.modulation(r))
	residual := &x
	if l.skip != nil {
		l.skip.Forward(r, y, x, nil)
		residual = &y
	}
	l.conv2.Forward(r, y, a2, residual)
}

// Backward computes the gradients of x, of the embedding and of the parameters from that of y.
func (l *ResBlock) Backward(r *Run) {
	x, dx, dy := r.images(l.x.X), r.images(l.x.D), r.images(l.y.D)
	a1, h, a2, dIn, dOut := r.images(l.a1), r.images(l.h), r.images(l.a2), r.images(l.dIn), r.images(l.dOut)
	l.conv2.Backward(r, &dOut, false, dy, a2)
	l.norm2.Backward(r, dOut, false, dOut, h, l.modulation(r))
	if !l.modulate {
		r.ISA.SumRows(r.rows(l.e.D).Flat(), dOut)
	}
	dEmbedding := r.rows(l.embedding.out.D)
	l.project.Backward(r, &dEmbedding, true, r.rows(l.e.D), r.rows(l.embedding.out.X))
	l.conv1.Backward(r, &dIn, false, dOut, a1)

	switch {
	case l.skip != nil:
		l.skip.Backward(r, &dx, l.accumulate, dy, x)
	case l.accumulate:
		r.ISA.AddMap(dx, dy)
	default:
		dx.Copy(dy)
	}
	l.norm1.Backward(r, dx, true, dIn, x, kernels.Modulation{})
}
