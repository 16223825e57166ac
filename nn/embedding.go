package nn

import "github.com/fmimg/fmimg/kernels"

// An Embedding turns time, class, the length of a jump and the weight of guidance into the row that
// modulates each residual block:
//
//	e = W₂·SiLU(W₁·sinusoid(scale·t)) + label_emb[y]
//	    + W₄·SiLU(W₃·sinusoid(scale·δ)) + W₆·SiLU(W₅·sinusoid(scale·w))
//
// The weight as an input is that of Meng et al. 2023, "On Distillation of Guided Diffusion Models",
// section 3.1.
type Embedding struct {
	time     *sinusoidal
	labels   *Param      // nil for an unconditional network
	jump     *sinusoidal // nil for a network of velocities
	guidance *sinusoidal // nil for a network that takes no weight of guidance
	values   *Params

	sum Act
	out Act // SiLU(e), with which every block begins
	y   []int32
}

// An EmbeddingShape says what an [Embedding] takes.
type EmbeddingShape struct {
	Channels int     // numbers in a sinusoid; rows have four times as many
	Classes  int     // rows of label_emb; 0 for an unconditional network
	Scale    float64 // factor on t, δ and w
	Shift    float64 // of the frequencies of sinusoids, see kernels.SinusoidalEmbedding
	Jumps    bool    // the network takes δ, whose term is zero at first
	Guidance bool    // the network takes w, whose term is zero at first
}

// NewEmbedding makes an embedding.
func NewEmbedding(b *Builder, s EmbeddingShape) *Embedding {
	width := 4 * s.Channels
	e := &Embedding{
		time:   newSinusoidal(b, "time_embed", s, false),
		values: b.Params, sum: b.Rows(width), out: b.Rows(width),
	}
	if s.Classes > 0 {
		normal := func() float32 { return float32(b.Rand.NormFloat64()) }
		e.labels = b.param("label_emb.weight", Plain, normal, s.Classes, width)
	}
	if s.Jumps {
		e.jump = newSinusoidal(b, "jump_embed", s, true)
	}
	if s.Guidance {
		e.guidance = newSinusoidal(b, "guidance_embed", s, true)
	}
	return e
}

// Forward computes the rows for times t, jumps of length d, weights of guidance w and classes y. A
// network of velocities has a nil d, one that takes no weight a nil w, an unconditional one a nil
// y.
func (e *Embedding) Forward(r *Run, t, d, w []float32, y []int32) {
	sum := r.rows(e.sum.X)
	e.time.forward(r, sum, t)
	if e.labels != nil {
		e.y = append(e.y[:0], y...)
		for i, class := range e.y {
			r.ISA.Add(e.sum.X.At(0, 0, i), e.row(e.values.Values, class))
		}
	}
	e.jump.add(r, sum, r.rows(e.out.X), d) // the last map is free until the end
	e.guidance.add(r, sum, r.rows(e.out.X), w)
	r.ISA.SiLU(r.rows(e.out.X).Flat(), sum.Flat())
}

// row returns the embedding of a class, or the gradient of the embedding, from a flat vector.
func (e *Embedding) row(flat []float32, class int32) []float32 {
	width := e.labels.Shape[1]
	return e.labels.Of(flat)[int(class)*width:][:width]
}

// ClearGrad sets the gradient of the rows to zero. It comes before the blocks' backward passes,
// which add to that gradient.
func (e *Embedding) ClearGrad(r *Run) { r.rows(e.out.D).Clear() }

// Backward adds the gradients of the parameters. It comes after the blocks' backward passes.
func (e *Embedding) Backward(r *Run) {
	d := r.rows(e.out.D)
	r.ISA.SiLUGrad(&r.Scratch, d.Flat(), r.rows(e.sum.X).Flat())
	if e.labels != nil {
		for i, class := range e.y {
			r.ISA.Add(e.row(r.Grad, class), d.At(0, 0, i))
		}
	}
	for _, s := range []*sinusoidal{e.time, e.jump, e.guidance} {
		if s != nil {
			s.backward(r, d)
		}
	}
}

// A sinusoidal embeds a number: W₂·SiLU(W₁·sinusoid(scale·number)).
type sinusoidal struct {
	first, second *Conv
	scale, shift  float64

	wave, hidden, active Act
}

// newSinusoidal makes an embedding whose layers are name.0 and name.2. With zero its rows are zero
// at first.
func newSinusoidal(b *Builder, name string, s EmbeddingShape, zero bool) *sinusoidal {
	width := 4 * s.Channels
	return &sinusoidal{
		first:  NewLinear(b, name+".0", s.Channels, width),
		second: newLinear(b, name+".2", width, width, zero),
		scale:  s.Scale, shift: s.Shift,
		wave: b.Rows(s.Channels), hidden: b.Rows(width), active: b.Rows(width),
	}
}

// forward sets the rows of y.
func (s *sinusoidal) forward(r *Run, y kernels.Map, numbers []float32) {
	for i, v := range numbers {
		kernels.SinusoidalEmbedding(s.wave.X.At(0, 0, i), float64(v), s.scale, s.shift)
	}
	s.first.Forward(r, r.rows(s.hidden.X), r.rows(s.wave.X), nil)
	r.ISA.SiLU(r.rows(s.active.X).Flat(), r.rows(s.hidden.X).Flat())
	s.second.Forward(r, y, r.rows(s.active.X), nil)
}

// add adds the rows to sum, by way of the map rows. It adds nothing where s is nil.
func (s *sinusoidal) add(r *Run, sum, rows kernels.Map, numbers []float32) {
	if s == nil {
		return
	}
	s.forward(r, rows, numbers)
	r.ISA.Add(sum.Flat(), rows.Flat())
}

// backward adds the gradients of the parameters, from the gradient dy of the rows.
func (s *sinusoidal) backward(r *Run, dy kernels.Map) {
	d := r.rows(s.active.D)
	s.second.WeightGrad(r, dy, r.rows(s.active.X))
	s.second.InputGrad(r, d, false, dy)
	r.ISA.SiLUGrad(&r.Scratch, d.Flat(), r.rows(s.hidden.X).Flat())
	s.first.WeightGrad(r, d, r.rows(s.wave.X))
}
