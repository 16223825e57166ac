package nn

import "github.com/fmimg/fmimg/kernels"

// An Embedding turns time and class into the row that modulates each residual block:
// e = W₂·SiLU(W₁·sinusoid(scale·t)) + label_emb[y].
type Embedding struct {
	first, second *Conv
	labels        *Param // nil for an unconditional network
	values        *Params
	scale         float64

	wave, hidden, active, sum Act
	out                       Act // SiLU(e): every block begins with that
	y                         []int32
}

// NewEmbedding makes an embedding of rows of 4·channels elements, of time and, where classes is above
// 0, of that many classes.
func NewEmbedding(b *Builder, channels, classes int, scale float64) *Embedding {
	width := 4 * channels
	e := &Embedding{
		first:  NewLinear(b, "time_embed.0", channels, width),
		second: NewLinear(b, "time_embed.2", width, width),
		values: b.Params, scale: scale,
		wave: b.Rows(channels), hidden: b.Rows(width), active: b.Rows(width), sum: b.Rows(width), out: b.Rows(width),
	}
	if classes > 0 {
		e.labels = b.param("label_emb.weight", Plain, func() float32 { return float32(b.Rand.NormFloat64()) }, classes, width)
	}
	return e
}

// Forward computes the rows for times t and classes y; y is nil for an unconditional network.
func (e *Embedding) Forward(r *Run, t []float32, y []int32) {
	for i, v := range t {
		kernels.SinusoidalEmbedding(e.wave.X.At(0, 0, i), float64(v), e.scale)
	}
	e.first.Forward(r, r.rows(e.hidden.X), r.rows(e.wave.X), nil)
	r.ISA.SiLU(r.rows(e.active.X).Flat(), r.rows(e.hidden.X).Flat())
	e.second.Forward(r, r.rows(e.sum.X), r.rows(e.active.X), nil)
	if e.labels != nil {
		e.y = append(e.y[:0], y...)
		for i, class := range e.y {
			r.ISA.Add(e.sum.X.At(0, 0, i), e.row(e.values.Values, class))
		}
	}
	r.ISA.SiLU(r.rows(e.out.X).Flat(), r.rows(e.sum.X).Flat())
}

// row returns the embedding of a class, or its gradient.
func (e *Embedding) row(flat []float32, class int32) []float32 {
	width := e.labels.Shape[1]
	return e.labels.Of(flat)[int(class)*width:][:width]
}

// ClearGrad sets the gradient of the rows to zero, before the blocks add theirs.
func (e *Embedding) ClearGrad(r *Run) { r.rows(e.out.D).Clear() }

// Backward adds the gradients of the parameters, once all blocks have added theirs to the rows'.
func (e *Embedding) Backward(r *Run) {
	d := r.rows(e.out.D)
	r.ISA.SiLUGrad(&r.Scratch, d.Flat(), r.rows(e.sum.X).Flat())
	if e.labels != nil {
		for i, class := range e.y {
			r.ISA.Add(e.row(r.Grad, class), d.At(0, 0, i))
		}
	}
	dActive := r.rows(e.active.D)
	e.second.WeightGrad(r, d, r.rows(e.active.X))
	e.second.InputGrad(r, dActive, false, d)
	r.ISA.SiLUGrad(&r.Scratch, dActive.Flat(), r.rows(e.hidden.X).Flat())
	e.first.WeightGrad(r, dActive, r.rows(e.wave.X))
}
