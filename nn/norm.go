package nn

import "github.com/fmimg/fmimg/kernels"

// A GroupNorm is a group norm with its parameters. It may have SiLU behind it.
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
		op:     kernels.GroupNorm{ISA: b.ISA, C: c, Groups: groups, SiLU: silu, Epsilon: b.NormEpsilon},
		values: b.Params,
	}
	g.stats = make([]float32, g.op.StatsLen(b.N))
	return g
}

// Forward computes y from x. Both are maps of the images of the batch from index from on. mod holds
// the scale and shift of an embedding for these images; the zero value has none.
func (g *GroupNorm) Forward(r *Run, from int, y, x kernels.Map, mod kernels.Modulation) {
	v := g.values.Values
	g.op.Forward(&r.Scratch, y, x, g.Gamma.Of(v), g.Beta.Of(v), mod, g.stats[g.op.StatsLen(from):])
}

// Measure computes the statistics of x, the images of the batch from index from on.
func (g *GroupNorm) Measure(r *Run, from int, x kernels.Map) {
	g.op.Measure(&r.Scratch, x, g.stats[g.op.StatsLen(from):])
}

// Apply is [GroupNorm.Forward] after Measure. The maps may be some lines of the images.
func (g *GroupNorm) Apply(r *Run, from int, y, x kernels.Map, mod kernels.Modulation) {
	v := g.values.Values
	g.op.Apply(&r.Scratch, y, x, g.Gamma.Of(v), g.Beta.Of(v), mod, g.stats[g.op.StatsLen(from):])
}

// A NormGrad names the maps of a backward pass through a [GroupNorm].
type NormGrad struct {
	DX         kernels.Map // gradient of x, written to; it may be DY
	Accumulate bool        // DX is added to, not set
	DY         kernels.Map // gradient of y, which is overwritten
	X          kernels.Map
	Y          kernels.Map // set to Forward's result again, by a norm with SiLU alone
	Mod        kernels.Modulation
}

// Backward computes the gradient of x, and adds the gradients of the parameters. The maps hold the
// images of the batch from index from on.
func (g *GroupNorm) Backward(r *Run, from int, m NormGrad) {
	v := g.values.Values
	g.op.Backward(&r.Scratch, &kernels.NormBackward{
		DX: m.DX, Accumulate: m.Accumulate, DY: m.DY, X: m.X, Y: m.Y,
		Gamma: g.Gamma.Of(v), Beta: g.Beta.Of(v), Mod: m.Mod,
		Stats: g.stats[g.op.StatsLen(from):], DGamma: g.Gamma.ofGrad(r.Grad), DBeta: g.Beta.ofGrad(r.Grad),
	})
}
