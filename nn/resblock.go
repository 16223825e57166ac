package nn

import "github.com/fmimg/fmimg/kernels"

// A ResBlock is guided-diffusion's residual block:
//
//	h = conv1(SiLU(norm1(x)))
//	y = skip(x) + conv2(SiLU(norm2(h)·(1 + scale) + shift))
//
// Scale and shift are a linear function of the embedding. A block without them adds such a function
// to h before norm2.
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

	h kept // input of norm2

	// Inputs of conv1 and conv2, of a group of images. The backward passes of the norms make them
	// again.
	a1, a2 kernels.Map

	dIn, dOut kernels.Map // gradient of a1; gradient of a2 and then of h
}

// A ResBlockShape says what a [ResBlock] computes.
type ResBlockShape struct {
	Groups     int  // groups of the norms
	ScaleShift bool // the embedding scales and shifts; otherwise it is added
	Accumulate bool // something else has set the gradient of x before
}

// NewResBlock makes a block from x to y.
func NewResBlock(b *Builder, name string, s ResBlockShape, x, y Act, e *Embedding) *ResBlock {
	in, out, rows := x.X.C, y.X.C, y.X.C
	h, w := x.X.H, x.X.W
	if s.ScaleShift {
		rows *= 2
	}
	l := &ResBlock{
		x: x, y: y, accumulate: s.Accumulate, modulate: s.ScaleShift, embedding: e,
		norm1:   NewGroupNorm(b, name+".in_layers.0", in, s.Groups, true),
		conv1:   NewConv(b, name+".in_layers.2", convShape(kernels.Same3, x.X, out), false),
		project: NewLinear(b, name+".emb_layers.1", e.out.X.C, rows),
		norm2:   NewGroupNorm(b, name+".out_layers.0", out, s.Groups, true),
		conv2:   NewConv(b, name+".out_layers.3", convShape(kernels.Same3, y.X, out), true),
		e:       b.Rows(rows),
		a1:      b.temp(slotNormed, h, w, in),
		h:       b.kept(slotHidden, h, w, out),
		a2:      b.temp(slotModulated, h, w, out),
	}
	if in != out {
		l.skip = NewConv(b, name+".skip_connection", pointwise(in, out), false)
	}
	if b.Train {
		l.dIn, l.dOut = b.temp(slotInputGrad, h, w, in), b.temp(slotOutputGrad, h, w, out)
	}
	return l
}

// modulation returns what the embedding does to norm2 of the images [from, to).
func (l *ResBlock) modulation(from, to int) kernels.Modulation {
	if !l.modulate {
		return kernels.Modulation{}
	}
	m := kernels.Modulation{Rows: l.embedded(l.e.X, from, to)}
	if l.e.D.C > 0 {
		m.Gradient = l.embedded(l.e.D, from, to)
	}
	return m
}

// embedded returns the rows of the images [from, to) of the projected embedding, or of its
// gradient.
func (l *ResBlock) embedded(rows kernels.Map, from, to int) []float32 {
	return rows.Flat()[from*rows.C : to*rows.C]
}

// Forward computes y from x and the embedding.
func (l *ResBlock) Forward(r *Run) {
	l.project.Forward(r, r.rows(l.e.X), r.rows(l.embedding.out.X), nil)
	f := func(from, to int) { l.forwardGroup(r, from, to) }
	if l.h.train {
		r.groups(l.x.X, f, l.h.Map, l.y.X, l.x.X)
	} else {
		r.groups(l.x.X, f, l.y.X, l.x.X)
	}
}

// forwardGroup is Forward for the images [from, to) of the batch.
func (l *ResBlock) forwardGroup(r *Run, from, to int) {
	x, y := l.x.X.Images(from, to), l.y.X.Images(from, to)
	a1, h, a2 := l.a1.First(to-from), l.h.group(from, to), l.a2.First(to-from)
	l.norm1.Measure(r, from, x)
	step1 := normConvStep{norm: l.norm1, conv: l.conv1, first: from, y: h, a: a1, x: x}
	step1.run(r)
	if !l.modulate {
		r.ISA.AddRows(&r.Scratch, h, l.embedded(l.e.X, from, to))
	}
	l.norm2.Measure(r, from, h)
	step2 := normConvStep{
		norm: l.norm2, conv: l.conv2, first: from, y: y, a: a2, x: h, mod: l.modulation(from, to),
		add: true, residual: x,
	}
	if l.skip != nil {
		step2.skip, step2.skipped, step2.residual = l.skip, x, y
	}
	step2.run(r)
}

// Backward computes the gradients of x, of the embedding and of the parameters from the gradient of
// y.
func (l *ResBlock) Backward(r *Run) {
	r.groups(l.x.X, func(from, to int) { l.backwardGroup(r, from, to) }, l.x.D, l.x.X, l.h.Map, l.y.D)
	l.conv1.EndWeightGrad(r, &r.sums[0])
	l.conv2.EndWeightGrad(r, &r.sums[1])
	if r.Grad == nil {
		return // the embedding does not depend on x
	}
	l.project.WeightGrad(r, r.rows(l.e.D), r.rows(l.embedding.out.X))
	l.project.InputGrad(r, r.rows(l.embedding.out.D), true, r.rows(l.e.D))
}

// backwardGroup computes the gradients of x, of the projected embedding and of the parameters for
// the images [from, to) of the batch.
func (l *ResBlock) backwardGroup(r *Run, from, to int) {
	x, dx, dyKept := l.x.X.Images(from, to), l.x.D.Images(from, to), l.y.D.Images(from, to)
	dy := r.Scratch.Wide(r.ISA, dyKept) // two convolutions or four read it
	a1, a2, dIn, dOut := l.a1.First(to-from), l.a2.First(to-from), l.dIn.First(to-from), l.dOut.First(to-from)
	l.conv2.InputGrad(r, dOut, false, dy)
	l.norm2.Backward(r, from, NormGrad{
		DX: dOut, DY: dOut, X: l.h.Images(from, to), Y: a2, Mod: l.modulation(from, to),
	})
	l.conv2.PartWeightGrad(r, &r.sums[1], dy, a2)
	if !l.modulate && r.Grad != nil {
		r.ISA.SumRows(l.embedded(l.e.D, from, to), dOut)
	}
	l.conv1.InputGrad(r, dIn, false, dOut)
	switch {
	case l.skip != nil:
		l.skip.WeightGrad(r, dy, x)
		l.skip.InputGrad(r, dx, l.accumulate, dy)
	case l.accumulate:
		r.ISA.AddMap(dx, dyKept)
	default:
		dx.Copy(dyKept)
	}
	l.norm1.Backward(r, from, NormGrad{DX: dx, Accumulate: true, DY: dIn, X: x, Y: a1})
	l.conv1.PartWeightGrad(r, &r.sums[0], dOut, a1)
}
