package nn

import "github.com/fmimg/fmimg/kernels"

// An AttentionBlock is y = x + proj_out(attention(qkv(norm(x)))) over the pixels of an image.
type AttentionBlock struct {
	x, y     Act
	norm     *GroupNorm
	qkv, out *Conv
	op       kernels.Attention

	normed, joint, heads  kernels.Map // norm(x), qkv and attention's result, without halo
	dNormed, dJoint, dOut kernels.Map
	probs                 []float32
}

// NewAttentionBlock makes a block from x to y; it is the first to set the gradient of x.
func NewAttentionBlock(b *Builder, name string, x, y Act, groups, heads int) *AttentionBlock {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &AttentionBlock{
		x: x, y: y,
		norm:   NewGroupNorm(b, name+".norm", c, groups, false),
		qkv:    NewPointwise(b, name+".qkv", c, 3*c, false),
		out:    NewPointwise(b, name+".proj_out", c, c, true),
		op:     kernels.Attention{ISA: b.ISA, Heads: heads},
		normed: kernels.NewDense(b.N, h, w, c), joint: kernels.NewDense(b.N, h, w, 3*c), heads: kernels.NewDense(b.N, h, w, c),
	}
	l.probs = make([]float32, l.op.ProbsLen(b.N, h*w))
	if b.Train {
		l.dNormed, l.dJoint, l.dOut = kernels.NewDense(b.N, h, w, c), kernels.NewDense(b.N, h, w, 3*c), kernels.NewDense(b.N, h, w, c)
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

// Backward computes the gradients of x and of the parameters from that of y.
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
	l.norm.Backward(r, 0, dx, true, dNormed, x, kernels.Map{}, kernels.Modulation{})
}
