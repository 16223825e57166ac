package nn

import "github.com/fmimg/fmimg/kernels"

// A Conv is a convolution, or a linear layer, with its parameters.
type Conv struct {
	Weight, Bias *Param
	op           *kernels.Conv
}

// NewConv makes a convolution whose parameters are name.weight, [OC, IC, K, K], and name.bias,
// [OC]. With zero both start at zero.
func NewConv(b *Builder, name string, shape kernels.ConvShape, zero bool) *Conv {
	side := shape.Kind.Side()
	return makeConv(b, name, shape, b.plan(shape), zero, shape.OC, shape.IC, side, side)
}

// NewPointwise makes a 1x1 convolution whose name.weight is [OC, IC, 1], as attention has it:
// PyTorch's convolution over one dimension.
func NewPointwise(b *Builder, name string, ic, oc int, zero bool) *Conv {
	shape := pointwise(ic, oc)
	return makeConv(b, name, shape, b.plan(shape), zero, oc, ic, 1)
}

// NewLinear makes a linear layer whose name.weight is [OUT, IN]. Its maps hold the row of an image
// as a pixel.
func NewLinear(b *Builder, name string, in, out int) *Conv { return newLinear(b, name, in, out, false) }

func newLinear(b *Builder, name string, in, out int, zero bool) *Conv {
	shape := pointwise(in, out)
	return makeConv(b, name, shape, b.ISA.Plan(shape), zero, out, in)
}

func pointwise(ic, oc int) kernels.ConvShape {
	return kernels.ConvShape{Kind: kernels.Point, IC: ic, OC: oc}
}

// plan returns the algorithms for a convolution of maps in the builder's precision.
func (b *Builder) plan(shape kernels.ConvShape) kernels.Plan {
	return b.ISA.PlanFor(b.Precision, shape)
}

// makeConv makes a convolution whose weight has the given dimensions.
func makeConv(b *Builder, name string, shape kernels.ConvShape, plan kernels.Plan, zero bool, dims ...int) *Conv {
	first := constant(0)
	if !zero {
		first = b.uniform(shape.Kind.Side() * shape.Kind.Side() * shape.IC)
	}
	c := &Conv{
		Weight: b.param(name+".weight", HWIO, first, dims...),
		Bias:   b.param(name+".bias", Plain, first, shape.OC),
		op:     b.Weights.byName[name],
	}
	if c.op == nil {
		c.op = kernels.NewConv(b.ISA, shape, plan, true)
		if b.Weights.byName == nil {
			b.Weights.byName = map[string]*kernels.Conv{}
		}
		b.Weights.byName[name] = c.op
		b.Weights.list = append(b.Weights.list, packed{c.op, c.Weight, c.Bias})
	}
	return c
}

// Forward computes y = conv(x) + residual. residual may be nil.
func (c *Conv) Forward(r *Run, y, x kernels.Map, residual *kernels.Map) {
	c.op.Forward(&r.Scratch, y, x, residual)
}

// InputGrad sets dx, or adds to it, from the gradient dy of y.
func (c *Conv) InputGrad(r *Run, dx kernels.Map, accumulate bool, dy kernels.Map) {
	c.op.InputGrad(&r.Scratch, dx, dy, accumulate)
}

// WeightGrad adds the gradients of the parameters, from the gradient dy of y. It does nothing in a
// run without Grad; neither do PartWeightGrad and EndWeightGrad.
func (c *Conv) WeightGrad(r *Run, dy, x kernels.Map) {
	if r.Grad == nil {
		return
	}
	c.op.WeightGrad(&r.Scratch, c.Weight.Of(r.Grad), c.Bias.Of(r.Grad), x, dy)
}

// PartWeightGrad does WeightGrad's work for some images of a batch. EndWeightGrad must follow the
// last call.
func (c *Conv) PartWeightGrad(r *Run, sum *kernels.WeightSum, dy, x kernels.Map) {
	if r.Grad == nil {
		return
	}
	c.op.PartWeightGrad(&r.Scratch, sum, c.Weight.Of(r.Grad), c.Bias.Of(r.Grad), x, dy)
}

// EndWeightGrad adds to the gradient of the weight what PartWeightGrad left in the sum.
func (c *Conv) EndWeightGrad(r *Run, sum *kernels.WeightSum) {
	if r.Grad == nil {
		return
	}
	c.op.EndWeightGrad(sum, c.Weight.Of(r.Grad))
}

// A Resample is a convolution that stands alone: between two levels, or at the beginning of a
// network.
type Resample struct {
	conv       *Conv
	x, y       Act
	accumulate bool
}

// NewResample makes a convolution from x to y. Between levels its kind is Down3 or Up3; the stem of
// a network is Same3. With accumulate, something else has set the gradient of x before.
func NewResample(b *Builder, name string, kind kernels.ConvKind, x, y Act, accumulate bool) *Resample {
	return &Resample{conv: NewConv(b, name, convShape(kind, x.X, y.X.C), false), x: x, y: y, accumulate: accumulate}
}

// Forward computes y from x.
func (l *Resample) Forward(r *Run) {
	r.groups(l.larger(), func(from, to int) {
		l.conv.Forward(r, l.y.X.Images(from, to), l.x.X.Images(from, to), nil)
	}, l.y.X, l.x.X)
}

// larger returns x or y, whichever has more pixels.
func (l *Resample) larger() kernels.Map {
	if l.y.X.H > l.x.X.H {
		return l.y.X
	}
	return l.x.X
}

// Backward computes the gradients of x and of the parameters.
func (l *Resample) Backward(r *Run) { l.BackwardTo(r, true) }

// BackwardTo computes the gradient of the parameters. It computes the gradient of x only if wanted.
func (l *Resample) BackwardTo(r *Run, wanted bool) {
	r.groups(l.larger(), func(from, to int) {
		dy := r.Scratch.Wide(r.ISA, l.y.D.Images(from, to))
		l.conv.PartWeightGrad(r, &r.sums[0], dy, l.x.X.Images(from, to))
		if wanted {
			l.conv.InputGrad(r, l.x.D.Images(from, to), l.accumulate, dy)
		}
	}, l.x.D, l.x.X, l.y.D)
	l.conv.EndWeightGrad(r, &r.sums[0])
}

// convShape returns the shape of a convolution that reads x.
func convShape(kind kernels.ConvKind, x kernels.Map, oc int) kernels.ConvShape {
	return kernels.ConvShape{Kind: kind, H: x.H, W: x.W, IC: x.C, OC: oc}
}
