package kernels

import (
	"fmt"
	"math"
)

// Attention is self-attention over the pixels of an image. For each head, P = softmax(q·kᵀ/√d)
// and o = P·v, with d = C/Heads channels. The channels of qkv have guided-diffusion's "legacy"
// order: q, k and v of head 0, then q, k and v of head 1, and so on.
//
// P is computed in blocks of queries and keys: memory grows with the pixels of an image, not with
// their pairs. Forward meets the blocks of a row of P with a running softmax (Milakov and
// Gimelshein, 2018; Dao et al., 2022, algorithm 1), and backward computes the blocks again (ibid.,
// algorithm 4). A small image is one block, which is kept for backward: that is faster.
type Attention struct {
	ISA   ISA
	Heads int
}

// KeptLen returns the length of what Forward leaves for Backward of n images of t pixels.
func (a *Attention) KeptLen(n, t int) int { return n * a.Heads * a.keptLen(t) }

// keptLen is [Attention.KeptLen] of one head.
func (a *Attention) keptLen(t int) int {
	if t <= attentionWhole {
		return t * planeStride(roundUp(t, a.ISA.tileCols(t)))
	}
	return 2 * t
}

// Forward computes o, [N, H, W, C], from qkv, [N, H, W, 3·C]; both are dense maps. It
// sets kept, [KeptLen], for Backward; nil keeps nothing. Of an image of one block it
// keeps Pᵀ, and of larger images, for each query, the largest q·kᵀ and the sum of
// exp((q·kᵀ - largest)/√d).
func (a *Attention) Forward(s *Scratch, o, qkv Map, kept []float32) {
	t, d := a.mustFit(o, qkv, kept)
	w := &s.attention
	w.begin(a.ISA, t, d)
	for n := range o.N {
		for head := range a.Heads {
			w.read(tokens(qkv, n), head)
			w.keep(a.of(kept, n, head, t))
			w.forward(s, tokens(o, n).Channels(head*d, (head+1)*d))
		}
	}
}

// Backward computes dqkv from do, the gradient of o, with Forward's o, qkv and kept.
func (a *Attention) Backward(s *Scratch, dqkv, do, o, qkv Map, kept []float32) {
	if kept == nil {
		panic("kernels: attention kept nothing for backward")
	}
	t, d := a.mustFit(o, qkv, kept)
	mustMatch("attention", do, o)
	mustMatch("attention", dqkv, qkv)
	a.mustBeDense(do, dqkv)
	w := &s.attention
	w.begin(a.ISA, t, d)
	for n := range do.N {
		for head := range a.Heads {
			w.read(tokens(qkv, n), head)
			w.keep(a.of(kept, n, head, t))
			own := func(m Map) Map { return tokens(m, n).Channels(head*d, (head+1)*d) }
			w.backward(s, tokens(dqkv, n), own(do), own(o), head)
		}
	}
}

// of returns what is kept of a head of image n, or nil.
func (a *Attention) of(kept []float32, n, head, t int) []float32 {
	if kept == nil {
		return nil
	}
	size := a.keptLen(t)
	return kept[(n*a.Heads+head)*size:][:size]
}

// An attentionWork is attention of one head of an image: rows are pixels.
type attentionWork struct {
	isa           ISA
	t, d          int
	queries, keys int // sides of a block
	scale         float32
	whole         bool // whether a block holds all pairs
	q, k, v       Map
	kept          []float32 // P of the block, if it is whole
	top, sum      []float32 // of each query, otherwise

	// The right factors of the products with a block of queries: by columns for q·kᵀ and do·vᵀ, and
	// by rows for Pᵀ·do and dSᵀ·q.
	qColumns, doColumns, qRows, doRows panel

	// Vectors over the queries of a block.
	high, carry, sums, factor, summand, unused []float32

	memory [attentionRooms][]float32
}

// The uses of an attentionWork's memory.
const (
	roomVectors = iota
	roomQ
	roomK
	roomV
	roomO
	roomDO
	roomDQ
	roomDK
	roomDV
	roomP
	roomDP
	attentionRooms
)

// begin prepares for heads of d channels of images of t pixels.
func (w *attentionWork) begin(isa ISA, t, d int) {
	w.isa, w.t, w.d, w.scale = isa, t, d, float32(1/math.Sqrt(float64(d)))
	w.queries, w.keys, w.whole = attentionQueries, attentionKeys, t <= attentionWhole
	if w.whole {
		w.queries, w.keys = t, t
	}
	cols := w.columns(w.queries)
	buf := w.room(roomVectors, 6*cols)
	for i, v := range [...]*[]float32{&w.high, &w.carry, &w.sums, &w.factor, &w.summand, &w.unused} {
		*v = buf[i*cols : (i+1)*cols]
	}
}

// columns returns n queries rounded up to whole tiles: the length that a row of a block is padded
// to with zeros.
func (w *attentionWork) columns(n int) int { return roundUp(n, w.isa.tileCols(n)) }

// room returns n floats of unknown content for a use.
func (w *attentionWork) room(use, n int) []float32 {
	if cap(w.memory[use]) < n+slack {
		w.memory[use] = aligned(n + slack)
	}
	return w.memory[use][:n]
}

// rows returns the room of a use as rows of c elements. Their distance is an odd number of cache
// lines, so that the same columns of many rows fall into different sets of the cache.
func (w *attentionWork) rows(use, n, c int) Map {
	ld := planeStride(c)
	return Map{N: 1, H: 1, W: n, C: c, Pixel: ld, Row: n * ld, Image: n * ld, data: w.room(use, n*ld)}
}

// keep takes over the memory of what is kept, or nil.
func (w *attentionWork) keep(kept []float32) {
	if w.kept = kept; !w.whole && kept != nil {
		w.top, w.sum = kept[:w.t], kept[w.t:]
	}
}

// block returns the memory of Pᵀ of a block of n queries and m keys, [keys][queries]. Pᵀ has a row
// for each key, so that the softmaxes of all queries are computed side by side.
func (w *attentionWork) block(n, m int) Map {
	p := w.rows(roomP, m, w.columns(n))
	if w.whole && w.kept != nil {
		p.data = w.kept
	}
	return p
}

// read takes over q, k and v of a head.
func (w *attentionWork) read(qkv Map, head int) {
	q, k, v := w.split(qkv, head)
	w.q, w.k, w.v = w.operand(roomQ, q), w.operand(roomK, k), w.operand(roomV, v)
}

// split returns q, k and v of a head.
func (w *attentionWork) split(qkv Map, head int) (q, k, v Map) {
	first := 3 * w.d * head
	return qkv.Channels(first, first+w.d), qkv.Channels(first+w.d, first+2*w.d), qkv.Channels(first+2*w.d, first+3*w.d)
}

// inPlace reports whether the products read or write a map itself. Its rows lie an even number of
// cache lines apart in most networks, which costs more than a copy where there are many.
func (w *attentionWork) inPlace(m Map) bool { return w.whole && m.Precision == F32 }

// operand returns the rows of m for the products: m itself, or a copy.
func (w *attentionWork) operand(use int, m Map) Map {
	if w.inPlace(m) {
		return m
	}
	rows := w.rows(use, m.W, m.C)
	w.isa.Convert(rows, m)
	return rows
}

// result returns rows for results that [attentionWork.finish] will write to m.
func (w *attentionWork) result(use int, m Map) Map {
	if w.inPlace(m) {
		return m
	}
	return w.rows(use, m.W, m.C)
}

// finish writes the rows of a result to m.
func (w *attentionWork) finish(m, rows Map) {
	if !w.inPlace(m) {
		w.isa.Convert(m, rows)
	}
}

// eachBlock calls f for the first row and the number of rows of each block of so many rows.
func eachBlock(t, rows int, f func(first, n int)) {
	for first := 0; first < t; first += rows {
		f(first, min(rows, t-first))
	}
}

// forward computes o of a head, and its statistics.
func (w *attentionWork) forward(s *Scratch, o Map) {
	eachBlock(w.t, w.queries, func(i, n int) {
		w.packColumns(&w.qColumns, w.q.pixels(i, n))
		out := o.pixels(i, n)
		sum := w.result(roomO, out)
		sum.Clear()
		eachBlock(w.t, w.keys, func(j, m int) {
			p := w.block(n, m)
			w.multiply(s, p, w.k.pixels(j, m), &w.qColumns, false)
			w.softmax(p, sum, j == 0)
			w.addOuter(s, sum, p.Channels(0, n), w.v.pixels(j, m))
		})
		w.finish(out, sum)
		if !w.whole && w.kept != nil {
			copy(w.top[i:i+n], w.high)
			copy(w.sum[i:i+n], w.sums)
		}
	})
}

// backward computes the gradients of q, k and v of a head.
func (w *attentionWork) backward(s *Scratch, dqkv, do, o Map, head int) {
	dq, dk, dv := w.split(dqkv, head)
	rowsDO := w.operand(roomDO, do)
	sumDK, sumDV := w.result(roomDK, dk), w.result(roomDV, dv)
	eachBlock(w.t, w.queries, func(i, n int) {
		q, dO := w.q.pixels(i, n), rowsDO.pixels(i, n)
		if !w.whole {
			w.packColumns(&w.qColumns, q)
		}
		w.packColumns(&w.doColumns, dO)
		w.packRows(&w.qRows, q)
		w.packRows(&w.doRows, dO)
		w.averages(dO, o.pixels(i, n))
		out := dq.pixels(i, n)
		sumDQ := w.result(roomDQ, out)
		sumDQ.Clear()
		eachBlock(w.t, w.keys, func(j, m int) {
			k, v, p, dp := w.k.pixels(j, m), w.v.pixels(j, m), w.block(n, m), w.rows(roomDP, m, w.columns(n))
			if !w.whole {
				w.multiply(s, p, k, &w.qColumns, false)
				w.probabilities(p, i)
			}
			w.multiply(s, dp, v, &w.doColumns, false)
			w.softmaxGrad(dp, p)
			w.multiply(s, sumDV.pixels(j, m), p.Channels(0, n), &w.doRows, i > 0)
			w.addOuter(s, sumDQ, dp.Channels(0, n), k)
			w.multiply(s, sumDK.pixels(j, m), dp.Channels(0, n), &w.qRows, i > 0)
		})
		w.finish(out, sumDQ)
	})
	w.finish(dk, sumDK)
	w.finish(dv, sumDV)
}

// softmax replaces S of a block by P, given the statistics of the queries over the blocks before,
// and includes the block in the statistics. It multiplies the rows of o, the sum P·v of the blocks
// before, by what the block leaves of their P.
func (w *attentionWork) softmax(p, o Map, first bool) {
	high, carry, sums := w.high[:p.C], w.carry[:p.C], w.sums[:p.C]
	copy(carry, high)
	walk := walkOver(0, &p, nil, nil)
	walk.P0, walk.S0 = walk.X, pointer(high)
	w.isa.walk(maxima, walk)
	if !first {
		for i, before := range carry {
			high[i] = max(high[i], before)
			carry[i] = w.scale * (before - high[i])
		}
		w.isa.Exp(carry, carry)
		for i, before := range sums {
			carry[i] *= before
		}
	}
	w.exponentials(p, high, sums)
	if !first {
		for i, before := range carry {
			sums[i] += before
			carry[i] = before / sums[i]
		}
		for i := range o.W {
			scaleRow(o.At(0, 0, i), carry[i])
		}
	}
	w.divide(p, sums)
}

func scaleRow(row []float32, factor float32) {
	for i := range row {
		row[i] *= factor
	}
}

// probabilities replaces S of a block, whose queries begin at query i, by P.
func (w *attentionWork) probabilities(p Map, i int) {
	high, sums := w.high[:p.C], w.sums[:p.C]
	n := copy(high, w.top[i:min(i+p.C, w.t)])
	clear(high[n:])
	w.exponentials(p, high, w.unused[:p.C])
	copy(sums, w.sum[i:i+n])
	for c := n; c < p.C; c++ {
		sums[c] = 1
	}
	w.divide(p, sums)
}

// exponentials replaces each column of S by exp((S - high)·scale), and sets sums to the sum of
// each column.
func (w *attentionWork) exponentials(p Map, high, sums []float32) {
	factor, summand := w.factor[:p.C], w.summand[:p.C]
	for i, top := range high {
		factor[i], summand[i] = w.scale, -w.scale*top
	}
	walk := walkOver(0, &p, nil, &p)
	walk.P0, walk.P1, walk.S0 = pointer(factor), pointer(summand), pointer(sums)
	w.isa.walk(expSums, walk)
}

// divide divides each column of p.
func (w *attentionWork) divide(p Map, sums []float32) {
	factor, summand := w.factor[:p.C], w.summand[:p.C]
	for i, sum := range sums {
		factor[i], summand[i] = 1/sum, 0
	}
	walk := walkOver(0, &p, nil, &p)
	walk.P0, walk.P1 = pointer(factor), pointer(summand)
	w.isa.walk(affine, walk)
}

// averages sets carry to Σ P∘dP of each query, where a block does not hold all of its keys. It is
// the inner product of do and o.
func (w *attentionWork) averages(do, o Map) {
	if w.whole {
		return
	}
	rows := w.operand(roomO, o)
	clear(w.carry)
	for i := range o.W {
		w.carry[i] = innerProduct(do.At(0, 0, i), rows.At(0, 0, i))
	}
}

// innerProduct returns Σ a·b. Four sums side by side hide the latency of an addition.
func innerProduct(a, b []float32) float32 {
	var s [4]float32
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s[0] += float32(a[0] * b[0])
		s[1] += float32(a[1] * b[1])
		s[2] += float32(a[2] * b[2])
		s[3] += float32(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s[0] += float32(v * b[i])
	}
	return s[0] + s[1] + (s[2] + s[3])
}

// softmaxGrad replaces dP, column by column, by scale·P∘(dP - Σ P∘dP): the gradient of the
// softmax's argument before scaling.
func (w *attentionWork) softmaxGrad(dp, p Map) {
	factor, summand, averages := w.factor[:p.C], w.summand[:p.C], w.carry[:p.C]
	if w.whole {
		for i := range factor {
			factor[i], summand[i] = 1, 0
		}
		walk := walkOver(0, &p, &dp, nil)
		walk.P0, walk.P1 = pointer(factor), pointer(summand)
		walk.S0, walk.S1 = pointer(w.unused), pointer(averages)
		w.isa.walk(normSums, walk)
	}
	for i, average := range averages {
		factor[i], summand[i] = w.scale, -w.scale*average
	}
	walk := walkOver(0, &p, &dp, &dp)
	walk.P0, walk.P1 = pointer(factor), pointer(summand)
	w.isa.walk(softmaxGrad, walk)
}

// packColumns packs the transpose of m, rows padded with zeros to whole tiles.
func (w *attentionWork) packColumns(p *panel, m Map) {
	p.reshape(w.isa, m.C, w.columns(m.W))
	for i := range m.W {
		p.setColumn(i, m.At(0, 0, i))
	}
	for i := m.W; i < p.n; i++ {
		p.clearColumn(i)
	}
}

// packRows packs m.
func (w *attentionWork) packRows(p *panel, m Map) {
	p.reshape(w.isa, m.W, m.C)
	for i := range m.W {
		p.setRows(i, m.At(0, 0, i), false)
	}
}

// multiply computes c = a·b, or adds it to c.
func (w *attentionWork) multiply(s *Scratch, c, a Map, b *panel, add bool) {
	g := gather{in: all(a), win: window{1, 1}, b: b, out: all(c), add: add, residual: all(c)}
	g.run(w.isa, s)
}

// addOuter adds aᵀ·b to c.
func (w *attentionWork) addOuter(s *Scratch, c, a, b Map) {
	g := scatter{a: all(a), b: all(b), m: a.C, n: b.C, dst: c.data[c.base:], row: c.Pixel, col: 1}
	g.run(w.isa, s)
}

// tokens returns an image of a dense map as one line of pixels.
func tokens(m Map, n int) Map {
	m = m.image(n)
	m.W, m.H = m.H*m.W, 1
	m.Row = m.W * m.Pixel
	return m
}

// pixels returns the view of n pixels of a line, from the given one on.
func (m Map) pixels(from, n int) Map {
	m.base, m.W = m.base+from*m.Pixel, n
	return m
}

func (a *Attention) mustFit(o, qkv Map, kept []float32) (t, d int) {
	t, d = o.H*o.W, o.C/a.Heads
	if qkv.C != 3*o.C || o.C%a.Heads != 0 || qkv.N != o.N || qkv.H*qkv.W != t ||
		kept != nil && len(kept) < a.KeptLen(o.N, t) {
		panic(fmt.Sprintf("kernels: attention of %d heads: shapes %v and %v, room for %d numbers",
			a.Heads, o.shape(), qkv.shape(), len(kept)))
	}
	a.mustBeDense(o, qkv)
	return t, d
}

func (a *Attention) mustBeDense(maps ...Map) {
	for _, m := range maps {
		if m.halo != 0 {
			panic("kernels: attention needs dense maps")
		}
	}
}
