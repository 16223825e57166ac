package nn

import "github.com/fmimg/fmimg/kernels"

// An AttentionBlock is y = x + proj_out(attention(qkv(norm(x)))) over the pixels of an image.
type AttentionBlock struct {
	x, y     Act
	norm     *GroupNorm
	qkv, out *Conv
	op       kernels.Attention

	// norm(x), qkv(norm(x)) and attention's result; none has a halo.
	normed, joint, heads kernels.Map

	dNormed, dJoint, dOut kernels.Map
	probs                 []float32
}

// NewAttentionBlock makes a block from x to y. The block is the first to set the gradient of x.
func NewAttentionBlock(b *Builder, name string, x, y Act, groups, heads int) *AttentionBlock {
	h, w, c := x.X.H, x.X.W, x.X.C
	dense := func(channels int) kernels.Map { return kernels.NewDense(b.N, h, w, channels) }
	l := &AttentionBlock{
		x: x, y: y,
		norm:   NewGroupNorm(b, name+".norm", c, groups, false),
		qkv:    NewPointwise(b, name+".qkv", c, 3*c, false),
		out:    NewPointwise(b, name+".proj_out", c, c, true),
		op:     kernels.Attention{ISA: b.ISA, Heads: heads},
		normed: dense(c), joint: dense(3 * c), heads: dense(c),
	}
	l.probs = make([]float32, l.op.ProbsLen(b.N, h*w))
	if b.Train {
		l.dNormed, l.dJoint, l.dOut = dense(c), dense(3*c), dense(c)
	}
	return l
}

// Forward computes y from x.
func (l *AttentionBlock) Forward(r *Run) {
	x, normed, joint, heads := r.images(l.x.X), r.images(l.normed), r.images(l.joint), r.images(l.heads)
	l.norm.Forward(r, 0, normed, x, kernels.Modulation{})
	l.qkv.Forward(r, joint, normed, nil)
	l.op.Forward(&r.Scratch, heads, joint, l.probs)
	l.out.Forward(r, r.images(l.y.X), heads, &x)
}

// Backward computes the gradients of x and of the parameters from the gradient of y.
func (l *AttentionBlock) Backward(r *Run) {
	x, dx, dy := r.images(l.x.X), r.images(l.x.D), r.images(l.y.D)
	normed, joint, heads := r.images(l.normed), r.images(l.joint), r.images(l.heads)
	dNormed, dJoint, dOut := r.images(l.dNormed), r.images(l.dJoint), r.images(l.dOut)
	l.out.WeightGrad(r, dy, heads)
	l.out.InputGrad(r, dOut, false, dy)
	l.op.Backward(&r.Scratch, dJoint, dOut, joint, l.probs)
	l.qkv.WeightGrad(r, dJoint, normed)
	l.qkv.InputGrad(r, dNormed, false, dJoint)
	dx.Copy(dy)
	l.norm.Backward(r, 0, NormGrad{DX: dx, Accumulate: true, DY: dNormed, X: x})
}
