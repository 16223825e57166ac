package nn

import "github.com/fmimg/fmimg/kernels"

// A GroupNorm is a group norm with its parameters, and with SiLU behind it if so made.
type GroupNorm struct {
	Gamma, Beta *Param
	op          kernels.GroupNorm
	values      *Params
	stats       []float32 // what forward leaves for backward
}

// NewGroupNorm makes a group norm whose parameters are name.weight and name.bias, [C].
func NewGroupNorm(b *Builder, name string, c, groups int, silu bool) *GroupNorm {
	g := &GroupNorm{
		Gamma:  b.param(name+".weight", Plain, constant(1), c),
		Beta:   b.param(name+".bias", Plain, constant(0), c),
		op:     kernels.GroupNorm{ISA: b.ISA, C: c, Groups: groups, SiLU: silu},
		values: b.Params,
	}
	g.stats = make([]float32, g.op.StatsLen(b.N))
	return g
}

// Forward computes y from x, maps of the batch's images from the given one on, with scale and shift from
// an embedding if mod has any for these images.
func (g *GroupNorm) Forward(r *Run, from int, y, x kernels.Map, mod kernels.Modulation) {
	v := g.values.Values
	g.op.Forward(&r.Scratch, y, x, g.Gamma.Of(v), g.Beta.Of(v), mod, g.stats[g.op.StatsLen(from):])
}

// Backward sets dx, or adds to it, and adds the gradients of the parameters, for dy the gradient of y,
// which it overwrites. dx may be dy. A norm with SiLU sets y to Forward's result once more.
func (g *GroupNorm) Backward(r *Run, from int, dx kernels.Map, accumulate bool, dy, x, y kernels.Map, mod kernels.Modulation) {
	v := g.values.Values
	g.op.Backward(&r.Scratch, &kernels.NormBackward{
		DX: dx, Accumulate: accumulate, DY: dy, X: x, Y: y, Gamma: g.Gamma.Of(v), Beta: g.Beta.Of(v), Mod: mod,
		Stats: g.stats[g.op.StatsLen(from):], DGamma: g.Gamma.ofGrad(r.Grad), DBeta: g.Beta.ofGrad(r.Grad),
	})
}
