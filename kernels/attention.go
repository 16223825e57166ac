package kernels

import (
	"fmt"
	"math"
)

// Attention is self-attention over the pixels of an image, in guided-diffusion's "legacy" order: the
// channels of qkv are those of head 0's q, k and v, then head 1's, and so on.
// For each head P = softmax(q·kᵀ/√d), o = P·v, d = C/Heads channels.
type Attention struct {
	ISA   ISA
	Heads int

	panel panel
}

// ProbsLen returns how many floats Forward leaves for Backward, for n images of t pixels.
func (a *Attention) ProbsLen(n, t int) int { return n * a.Heads * t * t }

// Forward computes o, [N, H, W, C], from qkv, [N, H, W, 3·C]; both are dense maps. probs, of
// ProbsLen elements, receives P of each image and head.
func (a *Attention) Forward(s *Scratch, o, qkv Map, probs []float32) {
	t, d := a.mustFit(o, qkv, probs)
	for n := range o.N {
		for head := range a.Heads {
			q, k, v := a.split(tokens(qkv, n), head, d)
			p := matrix(a.of(probs, n, head, t), t)
			a.times(s, p, q, k, true)
			a.softmax(p.data[:t*t], t, float32(1/math.Sqrt(float64(d))))
			a.times(s, tokens(o, n).Channels(head*d, (head+1)*d), p, v, false)
		}
	}
}

// Backward computes dqkv from do, with qkv and probs of Forward.
func (a *Attention) Backward(s *Scratch, dqkv, do, qkv Map, probs []float32) {
	t, d := a.mustFit(do, qkv, probs)
	scale := float32(1 / math.Sqrt(float64(d)))
	dqkv.Clear()
	for n := range do.N {
		for head := range a.Heads {
			q, k, v := a.split(tokens(qkv, n), head, d)
			dq, dk, dv := a.split(tokens(dqkv, n), head, d)
			dO := tokens(do, n).Channels(head*d, (head+1)*d)
			p := a.of(probs, n, head, t)

			a.transposeTimes(s, dv, matrix(p, t), dO)
			ds := s.take(t*t + slack)
			dS := matrix(ds, t)
			a.times(s, dS, dO, v, true) // dP = dO·vᵀ
			softmaxGrad(ds[:t*t], p, t, scale)
			a.times(s, dq, dS, k, false)
			a.transposeTimes(s, dk, dS, q)
		}
	}
}

// split returns q, k and v of a head.
func (a *Attention) split(qkv Map, head, d int) (q, k, v Map) {
	first := 3 * d * head
	return qkv.Channels(first, first+d), qkv.Channels(first+d, first+2*d), qkv.Channels(first+2*d, first+3*d)
}

// of returns P of an image and head.
func (a *Attention) of(probs []float32, n, head, t int) []float32 {
	i := (n*a.Heads + head) * t * t
	return probs[i : i+t*t]
}

// tokens returns an image of a dense map as one line of pixels.
func tokens(m Map, n int) Map {
	m = m.image(n)
	m.W, m.H = m.H*m.W, 1
	m.Row = m.W * m.Pixel
	return m
}

// matrix returns the map of one line of t pixels of t channels that lies in data.
func matrix(data []float32, t int) Map {
	return Map{N: 1, H: 1, W: t, C: t, Pixel: t, Row: t * t, Image: t * t, data: data}
}

// times computes c = a·b, or a·bᵀ, for matrices whose rows are pixels.
func (a *Attention) times(s *Scratch, c, x, b Map, transposed bool) {
	if transposed {
		a.panel.reshape(a.ISA, x.C, b.W)
		for j := range b.W {
			a.panel.setColumn(j, b.At(0, 0, j))
		}
	} else {
		a.panel.reshape(a.ISA, x.C, b.C)
		for i := range b.W {
			a.panel.setRows(i, b.At(0, 0, i), false)
		}
	}
	g := gather{in: all(x), win: window{1, 1}, b: &a.panel, out: all(c)}
	g.run(a.ISA, s)
}

// setColumn writes column j of the panel.
func (p *panel) setColumn(j int, column []float32) {
	block := p.data[j/p.cols*p.cols*p.k:]
	for i, v := range column {
		block[i*p.cols+j%p.cols] = v
	}
}

// transposeTimes adds aᵀ·b to c.
func (a *Attention) transposeTimes(s *Scratch, c, x, b Map) {
	start := c.index(0, 0, 0)
	g := scatter{a: all(x), b: all(b), m: x.C, n: b.C, dst: c.data[start:], row: c.Pixel, col: 1}
	g.run(a.ISA, s)
}

// softmax replaces each row of t elements by softmax(scale·row).
func (a *Attention) softmax(p []float32, t int, scale float32) {
	for i := 0; i < len(p); i += t {
		row := p[i : i+t]
		top := row[0]
		for _, v := range row {
			top = max(top, v)
		}
		for j, v := range row {
			row[j] = scale * (v - top)
		}
	}
	a.ISA.Exp(p, p)
	for i := 0; i < len(p); i += t {
		row := p[i : i+t]
		var sum float32
		for _, v := range row {
			sum += v
		}
		inverse := 1 / sum
		for j := range row {
			row[j] *= inverse
		}
	}
}

// softmaxGrad replaces dP by the gradient of the softmax's argument before its scale:
// scale·P∘(dP - Σ P∘dP), row by row.
func softmaxGrad(dp, p []float32, t int, scale float32) {
	for i := 0; i < len(p); i += t {
		row, grad := p[i:i+t], dp[i:i+t]
		var dot float32
		for j, v := range row {
			dot += float32(v * grad[j])
		}
		for j, v := range row {
			grad[j] = scale * v * (grad[j] - dot)
		}
	}
}

func (a *Attention) mustFit(o, qkv Map, probs []float32) (t, d int) {
	t, d = o.H*o.W, o.C/a.Heads
	if qkv.C != 3*o.C || o.C%a.Heads != 0 || qkv.N != o.N || qkv.H*qkv.W != t || len(probs) < a.ProbsLen(o.N, t) {
		panic(fmt.Sprintf("kernels: attention of %d heads: shapes %v and %v, room for %d probabilities", a.Heads, o.shape(), qkv.shape(), len(probs)))
	}
	if o.halo != 0 || qkv.halo != 0 {
		panic("kernels: attention needs dense maps")
	}
	return t, d
}
