package nn

import "github.com/fmimg/fmimg/kernels"

// An AttentionBlock is y = x + proj_out(attention(qkv(norm(x)))) over the pixels of an image.
type AttentionBlock struct {
	x, y     Act
	group    int // images that go through all steps at once
	norm     *GroupNorm
	qkv, out *Conv
	op       kernels.Attention

	// qkv(norm(x)), attention's result and what attention keeps, for backward. In inference the
	// maps hold one group, and attention keeps nothing.
	joint, heads kept
	forBackward  []float32

	// norm(x), which backward computes again, and gradients, of a group. These maps are dense.
	normed, dNormed, dJoint, dHeads kernels.Map
}

// attentionPixels is the most pixels of an image whose attention takes the whole batch at once.
// The weight gradients sum over the pixels of several such images in one piece.
const attentionPixels = 128

// attentionGroup returns how many images of h x w pixels an [AttentionBlock] takes through all its
// steps at once, out of n.
func attentionGroup(n, h, w int) int {
	if h*w <= attentionPixels {
		return n
	}
	return min(groupSize(h, w), n)
}

// NewAttentionBlock makes a block from x to y. The block is the first to set the gradient of x.
func NewAttentionBlock(b *Builder, name string, x, y Act, groups, heads int) *AttentionBlock {
	h, w, c := x.X.H, x.X.W, x.X.C
	l := &AttentionBlock{
		x: x, y: y, group: attentionGroup(b.N, h, w),
		norm: NewGroupNorm(b, name+".norm", c, groups, false),
		qkv:  NewPointwise(b, name+".qkv", c, 3*c, false),
		out:  NewPointwise(b, name+".proj_out", c, c, true),
		op:   kernels.Attention{ISA: b.ISA, Heads: heads},
	}
	working := b.ISA.Working(b.Precision)
	temp := func(p kernels.Precision, slot, channels int) kernels.Map {
		return b.dense(p, slot, l.group, h, w, channels)
	}
	l.normed = temp(working, slotTokens, c)
	if !b.Train {
		l.joint, l.heads = kept{Map: temp(b.Precision, slotJoint, 3*c)}, kept{Map: temp(b.Precision, slotHeads, c)}
		return l
	}
	l.joint = kept{b.Precision.NewDense(b.N, h, w, 3*c), true}
	l.heads = kept{b.Precision.NewDense(b.N, h, w, c), true}
	l.forBackward = make([]float32, l.op.KeptLen(b.N, h*w))
	l.dNormed, l.dJoint, l.dHeads = temp(working, slotTokensGrad, c), temp(working, slotJointGrad, 3*c), temp(working, slotHeadsGrad, c)
	return l
}

// keptOf returns what attention keeps of the images from one on, or nil.
func (l *AttentionBlock) keptOf(from int) []float32 {
	if l.forBackward == nil {
		return nil
	}
	return l.forBackward[l.op.KeptLen(from, l.x.X.H*l.x.X.W):]
}

// Forward computes y from x.
func (l *AttentionBlock) Forward(r *Run) {
	r.groupsOf(l.group, func(from, to int) {
		x, normed := l.x.X.Images(from, to), l.normed.First(to-from)
		joint, heads := l.joint.group(from, to), l.heads.group(from, to)
		l.norm.Forward(r, from, normed, x, kernels.Modulation{})
		l.qkv.Forward(r, joint, normed, nil)
		l.op.Forward(&r.Scratch, heads, joint, l.keptOf(from))
		l.out.Forward(r, l.y.X.Images(from, to), heads, &x)
	})
}

// Backward computes the gradients of x and of the parameters from the gradient of y.
func (l *AttentionBlock) Backward(r *Run) {
	r.groupsOf(l.group, func(from, to int) { l.backwardGroup(r, from, to) })
}

// backwardGroup is Backward for the images [from, to) of the batch.
func (l *AttentionBlock) backwardGroup(r *Run, from, to int) {
	x, dx, dy := l.x.X.Images(from, to), l.x.D.Images(from, to), l.y.D.Images(from, to)
	joint, heads := l.joint.group(from, to), l.heads.group(from, to)
	normed, dNormed := l.normed.First(to-from), l.dNormed.First(to-from)
	dJoint, dHeads := l.dJoint.First(to-from), l.dHeads.First(to-from)
	dx.Copy(dy)
	dy = r.Scratch.Wide(r.ISA, dy)
	l.out.WeightGrad(r, dy, heads)
	l.out.InputGrad(r, dHeads, false, dy)
	l.op.Backward(&r.Scratch, dJoint, dHeads, heads, joint, l.keptOf(from))
	l.norm.Forward(r, from, normed, x, kernels.Modulation{})
	l.qkv.WeightGrad(r, dJoint, normed)
	l.qkv.InputGrad(r, dNormed, false, dJoint)
	l.norm.Backward(r, from, NormGrad{DX: dx, Accumulate: true, DY: dNormed, X: x})
}
