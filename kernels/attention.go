package kernels

import (
	"fmt"
	"math"
)

// Attention is self-attention over the pixels of an image. For each head, P = softmax(q·kᵀ/√d)
// and o = P·v, with d = C/Heads channels. The channels of qkv have guided-diffusion's "legacy"
// order: q, k and v of head 0, then q, k and v of head 1, and so on.
type Attention struct {
	ISA   ISA
	Heads int

	matmul MatMul
}

// queries returns t rounded up to whole tiles: the length that a row of t queries is padded to with
// zeros.
func (a *Attention) queries(t int) int { return roundUp(t, a.ISA.tileCols(t)) }

// ProbsLen returns the length of the probabilities of n images of t pixels, which Forward leaves
// for Backward.
func (a *Attention) ProbsLen(n, t int) int { return n * a.Heads * t * a.queries(t) }

// Forward computes o, [N, H, W, C], from qkv, [N, H, W, 3·C]; both are dense maps. It sets probs,
// [ProbsLen], to Pᵀ of each image and head. Pᵀ has a row for each key, so that the softmaxes of
// all queries are computed side by side.
func (a *Attention) Forward(s *Scratch, o, qkv Map, probs []float32) {
	t, d := a.mustFit(o, qkv, probs)
	a.matmul.ISA = a.ISA
	o.Clear()
	for n := range o.N {
		for head := range a.Heads {
			q, k, v := a.split(tokens(qkv, n), head, d)
			p := a.of(probs, n, head, t)
			a.matmul.TimesTransposed(s, p, k, q)
			a.softmax(s, p, float32(1/math.Sqrt(float64(d))))
			a.matmul.AddTransposedTimes(s, tokens(o, n).Channels(head*d, (head+1)*d), p.Channels(0, t), v)
		}
	}
}

// Backward computes dqkv from do, with Forward's qkv and probs.
func (a *Attention) Backward(s *Scratch, dqkv, do, qkv Map, probs []float32) {
	t, d := a.mustFit(do, qkv, probs)
	a.matmul.ISA = a.ISA
	dqkv.Clear()
	ds := Map{N: 1, H: 1, W: t, C: a.queries(t), Pixel: a.queries(t), Row: t * a.queries(t)}
	for n := range do.N {
		for head := range a.Heads {
			q, k, v := a.split(tokens(qkv, n), head, d)
			dq, dk, dv := a.split(tokens(dqkv, n), head, d)
			dO := tokens(do, n).Channels(head*d, (head+1)*d)
			p := a.of(probs, n, head, t)

			a.matmul.Times(s, dv, p.Channels(0, t), dO)
			buf := s.take(ds.Row + 4*ds.C)
			ds.data = buf[:ds.Row]
			a.matmul.TimesTransposed(s, ds, v, dO)
			a.softmaxGrad(ds, p, buf[ds.Row:], float32(1/math.Sqrt(float64(d))))
			a.matmul.AddTransposedTimes(s, dq, ds.Channels(0, t), k)
			a.matmul.Times(s, dk, ds.Channels(0, t), q)
		}
	}
}

// split returns q, k and v of a head of d channels.
func (a *Attention) split(qkv Map, head, d int) (q, k, v Map) {
	first := 3 * d * head
	return qkv.Channels(first, first+d), qkv.Channels(first+d, first+2*d), qkv.Channels(first+2*d, first+3*d)
}

// of returns Pᵀ of image n and a head, [t keys][queries].
func (a *Attention) of(probs []float32, n, head, t int) Map {
	c := a.queries(t)
	size := t * c
	return Map{N: 1, H: 1, W: t, C: c, Pixel: c, Row: size, data: probs[(n*a.Heads+head)*size:][:size]}
}

// tokens returns an image of a dense map as one line of pixels.
func tokens(m Map, n int) Map {
	m = m.image(n)
	m.W, m.H = m.H*m.W, 1
	m.Row = m.W * m.Pixel
	return m
}

// softmax replaces each column by softmax(scale·column).
func (a *Attention) softmax(s *Scratch, p Map, scale float32) {
	buf := s.take(3 * p.C)
	factor, summand, sums := buf[:p.C], buf[p.C:2*p.C], buf[2*p.C:]
	walk := walkOver(0, &p, nil, nil)
	walk.P0, walk.S0 = walk.X, pointer(sums)
	a.ISA.walk(maxima, walk)
	for i, top := range sums {
		factor[i], summand[i] = scale, -scale*top
	}
	walk = walkOver(0, &p, nil, &p)
	walk.P0, walk.P1, walk.S0 = pointer(factor), pointer(summand), pointer(sums)
	a.ISA.walk(expSums, walk)
	for i, sum := range sums {
		factor[i], summand[i] = 1/sum, 0
	}
	a.ISA.walk(affine, walk)
}

// softmaxGrad replaces dP, column by column, by scale·P∘(dP - Σ P∘dP): the gradient of the
// softmax's argument before scaling. buf has room for four rows.
func (a *Attention) softmaxGrad(dp, p Map, buf []float32, scale float32) {
	factor, summand, sums, unused := buf[:p.C], buf[p.C:2*p.C], buf[2*p.C:3*p.C], buf[3*p.C:4*p.C]
	for i := range factor {
		factor[i], summand[i] = 1, 0
	}
	walk := walkOver(0, &p, &dp, nil)
	walk.P0, walk.P1, walk.S0, walk.S1 = pointer(factor), pointer(summand), pointer(unused), pointer(sums)
	a.ISA.walk(normSums, walk)
	for i, sum := range sums {
		factor[i], summand[i] = scale, -scale*sum
	}
	walk = walkOver(0, &p, &dp, &dp)
	walk.P0, walk.P1 = pointer(factor), pointer(summand)
	a.ISA.walk(softmaxGrad, walk)
}

func (a *Attention) mustFit(o, qkv Map, probs []float32) (t, d int) {
	t, d = o.H*o.W, o.C/a.Heads
	if qkv.C != 3*o.C || o.C%a.Heads != 0 || qkv.N != o.N || qkv.H*qkv.W != t || len(probs) < a.ProbsLen(o.N, t) {
		panic(fmt.Sprintf("kernels: attention of %d heads: shapes %v and %v, room for %d probabilities",
			a.Heads, o.shape(), qkv.shape(), len(probs)))
	}
	if o.halo != 0 || qkv.halo != 0 {
		panic("kernels: attention needs dense maps")
	}
	return t, d
}
