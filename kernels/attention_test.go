package kernels

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveAttention computes attention over the pixels of one image by its definition, in float64. qkv
// holds t rows of heads·3·d elements: q, k and v of each head, side by side.
type naiveAttention struct{ t, heads, d int }

// of returns row i of head's q (part 0), k (1) or v (2).
func (a naiveAttention) of(qkv []float64, head, part, i int) []float64 {
	return qkv[(i*a.heads+head)*3*a.d+part*a.d:][:a.d]
}

// probabilities returns softmax(q·kᵀ/√d) of a head, [t][t].
func (a naiveAttention) probabilities(qkv []float64, head int) [][]float64 {
	p := make([][]float64, a.t)
	for i := range p {
		p[i] = make([]float64, a.t)
		var sum float64
		for j := range p[i] {
			p[i][j] = math.Exp(inner(a.of(qkv, head, 0, i), a.of(qkv, head, 1, j)) / math.Sqrt(float64(a.d)))
			sum += p[i][j]
		}
		for j := range p[i] {
			p[i][j] /= sum
		}
	}
	return p
}

func inner(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// addTo adds w·b to a.
func addTo(a []float64, w float64, b []float64) {
	for i, v := range b {
		a[i] += w * v
	}
}

// forward returns o, [t][heads·d].
func (a naiveAttention) forward(qkv []float64) []float64 {
	o := make([]float64, a.t*a.heads*a.d)
	for head := range a.heads {
		for i, row := range a.probabilities(qkv, head) {
			for j, p := range row {
				addTo(o[(i*a.heads+head)*a.d:][:a.d], p, a.of(qkv, head, 2, j))
			}
		}
	}
	return o
}

// backward returns dqkv.
func (a naiveAttention) backward(qkv, do []float64) []float64 {
	d := make([]float64, len(qkv))
	for head := range a.heads {
		for i, row := range a.probabilities(qkv, head) {
			dO := do[(i*a.heads+head)*a.d:][:a.d]
			var mean float64
			for j, p := range row {
				mean += p * inner(dO, a.of(qkv, head, 2, j))
			}
			for j, p := range row {
				dlogit := p * (inner(dO, a.of(qkv, head, 2, j)) - mean) / math.Sqrt(float64(a.d))
				addTo(a.of(d, head, 0, i), dlogit, a.of(qkv, head, 1, j))
				addTo(a.of(d, head, 1, j), dlogit, a.of(qkv, head, 0, i))
				addTo(a.of(d, head, 2, j), p, dO)
			}
		}
	}
	return d
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

var attentionShapes = []struct{ n, h, w, heads, d int }{
	{1, 1, 1, 1, 1},
	{2, 1, 1, 3, 5},
	{1, 2, 2, 1, 7},
	{3, 2, 2, 2, 3},
	{2, 7, 7, 1, 15},
	{1, 7, 7, 3, 11},
	{1, 3, 7, 2, 32},
	{1, 5, 5, 1, 33},
	{1, 16, 16, 1, 8},  // the largest that is one block
	{1, 1, 257, 1, 3},  // a block of one key
	{2, 18, 19, 2, 5},  // blocks that are not whole
	{1, 23, 23, 1, 17}, // a third block of keys
}

// Logits of up to 10 have an error of ten times 6e-8, which exp turns into a relative error of P.
const attentionBound = 5e-6

func TestAttention(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for i, s := range attentionShapes {
			t.Run(fmt.Sprintf("%dx%dx%d,heads=%d,d=%d", s.n, s.h, s.w, s.heads, s.d), func(t *testing.T) {
				testAttention(t, isa, rand.New(rand.NewPCG(uint64(i), 4)), s.n, s.h, s.w, s.heads, s.d)
			})
		}
	})
}

func testAttention(t *testing.T, isa ISA, rng *rand.Rand, n, h, w, heads, d int) {
	ref := naiveAttention{h * w, heads, d}
	op := Attention{ISA: isa, Heads: heads}
	qkv, qkvOK := testMap(rng, n, h, w, 3*heads*d, 3, 2, 0)
	dqkv, dqkvOK := testMap(rng, n, h, w, 3*heads*d, 1, 4, 0)
	o, oOK := testMap(rng, n, h, w, heads*d, 5, 1, 0)
	do, doOK := testMap(rng, n, h, w, heads*d, 0, 3, 0)
	kept, keptOK := testVector(rng, op.KeptLen(n, h*w), 3)
	var s Scratch
	op.Forward(&s, o, qkv, kept)
	op.Backward(&s, dqkv, do, o, qkv, kept)
	for i := range n {
		own, gradient := wide(dense(qkv.image(i))), wide(dense(do.image(i)))
		want := ref.backward(own, gradient)
		mustBeClose(t, "forward", dense(o.image(i)), ref.forward(own), attentionBound)
		mustBeNear(t, "backward", dense(dqkv.image(i)), want, max(norm2(want), norm2(gradient)), attentionBound)
	}
	mustBeIntact(t, qkvOK, dqkvOK, oOK, doOK, keptOK)
}

// Logits far beyond the range of exp give all weight to the largest of each row.
func TestAttentionOfLargeLogits(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		const pixels = 5
		op := Attention{ISA: isa, Heads: 1}
		qkv, o := NewDense(1, 1, pixels, 3), NewDense(1, 1, pixels, 1)
		for i := range pixels {
			// q, k and v: the last key wins.
			copy(qkv.At(0, 0, i), []float32{1e3, float32(i), float32(10 * i)})
		}
		kept := make([]float32, op.KeptLen(1, pixels))
		op.Forward(&Scratch{}, o, qkv, kept)
		for i, v := range dense(o) {
			if v != 10*(pixels-1) {
				t.Errorf("pixel %d is %g, want %d", i, v, 10*(pixels-1))
			}
		}
	})
}

func TestAttentionGradients(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, side := range []int{3, 17} {
			testAttentionGradients(t, isa, side)
		}
	})
}

func testAttentionGradients(t *testing.T, isa ISA, side int) {
	const n, heads, d = 2, 2, 5
	h, w := side-1, side
	rng := rand.New(rand.NewPCG(9, 9))
	op := Attention{ISA: isa, Heads: heads}
	qkv, dqkv := NewDense(n, h, w, 3*heads*d), NewDense(n, h, w, 3*heads*d)
	o, do := NewDense(n, h, w, heads*d), NewDense(n, h, w, heads*d)
	qkv.Load(randoms(rng, n*h*w*3*heads*d))
	projection := randoms(rng, n*h*w*heads*d)
	do.Load(projection)
	kept := make([]float32, op.KeptLen(n, h*w))
	var s Scratch
	f := func() float64 {
		op.Forward(&s, o, qkv, kept)
		return dot(dense(o), projection)
	}
	f()
	op.Backward(&s, dqkv, do, o, qkv, kept)
	mustBeGradients(t, rng, f, mapVariable("qkv", qkv, dense(dqkv)))
}

// The result for an image may not depend on the other images of the batch, to the bit.
func TestAttentionIgnoresBatchMates(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		const n, h, w, heads, d = 3, 3, 5, 2, 9
		rng := rand.New(rand.NewPCG(10, 10))
		qkv, _ := testMap(rng, n, h, w, 3*heads*d, 0, 0, 0)
		do, _ := testMap(rng, n, h, w, heads*d, 0, 0, 0)
		pass := func(qkv, do Map) (o, dqkv Map) {
			o, dqkv = NewDense(qkv.N, h, w, heads*d), NewDense(qkv.N, h, w, 3*heads*d)
			op := Attention{ISA: isa, Heads: heads}
			kept := make([]float32, op.KeptLen(qkv.N, h*w))
			var s Scratch
			op.Forward(&s, o, qkv, kept)
			op.Backward(&s, dqkv, do, o, qkv, kept)
			return o, dqkv
		}
		o, dqkv := pass(qkv, do)
		for i := range n {
			lone, loneGrad := pass(qkv.image(i), do.image(i))
			mustBeSame(t, "o", dense(o.image(i)), dense(lone))
			mustBeSame(t, "dqkv", dense(dqkv.image(i)), dense(loneGrad))
		}
	})
}

func TestAttentionPanicsWithBothShapes(t *testing.T) {
	op := Attention{Heads: 2}
	var s Scratch
	kept := make([]float32, op.KeptLen(1, 4))
	forward := func(o, qkv Map, kept []float32) func() { return func() { op.Forward(&s, o, qkv, kept) } }
	four, twelve := NewDense(1, 2, 2, 4), NewDense(1, 2, 2, 12)
	mustPanic(t, "too few channels", forward(four, NewDense(1, 2, 2, 11), kept), "[1 2 2 4]", "[1 2 2 11]")
	mustPanic(t, "heads that do not divide", forward(NewDense(1, 2, 2, 3), NewDense(1, 2, 2, 9), kept), "2 heads")
	mustPanic(t, "little room", forward(four, twelve, kept[:63]), "63 numbers")
	mustPanic(t, "a halo", forward(NewMap(1, 2, 2, 4), NewMap(1, 2, 2, 12), kept), "dense")
}

// The results for images of one block, by their hash, as they were when the probabilities were
// kept: the generic instruction set gives the same bytes on every machine.
func TestAttentionOfOneBlockKeepsItsBytes(t *testing.T) {
	for _, c := range []struct {
		h, w, heads, d int
		want           uint64
	}{
		{7, 7, 1, 64, 0x74cc550f9a6468ed}, {14, 14, 2, 8, 0xd3cd0cce19a97fd1},
		{16, 16, 1, 16, 0x60f38c9d57b5005e}, {3, 5, 3, 7, 0xb5f5fd859a040df},
	} {
		rng := rand.New(rand.NewPCG(uint64(c.h), uint64(c.d)))
		qkv, do := NewDense(2, c.h, c.w, 3*c.heads*c.d), NewDense(2, c.h, c.w, c.heads*c.d)
		qkv.Load(randoms(rng, len(qkv.Flat())))
		do.Load(randoms(rng, len(do.Flat())))
		o, dqkv := attend(Attention{Heads: c.heads}, qkv, do)
		hash := fnv.New64a()
		for _, v := range slices.Concat(o.Flat(), dqkv.Flat()) {
			_ = binary.Write(hash, binary.LittleEndian, v)
		}
		if got := hash.Sum64(); got != c.want {
			t.Errorf("%dx%d, %d heads of %d: hash %#x, want %#x", c.h, c.w, c.heads, c.d, got, c.want)
		}
	}
}

// attend runs both passes.
func attend(op Attention, qkv, do Map) (o, dqkv Map) {
	o = do.Precision.NewDense(do.N, do.H, do.W, do.C)
	dqkv = qkv.Precision.NewDense(qkv.N, qkv.H, qkv.W, qkv.C)
	kept := make([]float32, op.KeptLen(do.N, do.H*do.W))
	var s Scratch
	op.Forward(&s, o, qkv, kept)
	op.Backward(&s, dqkv, do, o, qkv, kept)
	return o, dqkv
}

// In bfloat16 the maps are rounded, and the sums are not: each of the three maps that backward
// reads has errors of up to 2⁻⁹, as has the result.
func TestAttentionInBF16(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, side := range []int{1, 7, 17} {
			const n, heads, d = 2, 2, 9
			rng := rand.New(rand.NewPCG(11, 11))
			qkv, do := BF16.NewDense(n, side, side, 3*heads*d), BF16.NewDense(n, side, side, heads*d)
			qkv.Load(randoms(rng, n*side*side*3*heads*d))
			do.Load(randoms(rng, n*side*side*heads*d))
			o, dqkv := attend(Attention{ISA: isa, Heads: heads}, qkv, do)
			wideQKV, wideDO := NewDense(n, side, side, 3*heads*d), NewDense(n, side, side, heads*d)
			wideQKV.Load(dense(qkv))
			wideDO.Load(dense(do))
			wantO, wantD := attend(Attention{ISA: isa, Heads: heads}, wideQKV, wideDO)
			mustBeClose(t, "forward", dense(o), wide(dense(wantO)), 1./256)
			mustBeClose(t, "backward", dense(dqkv), wide(dense(wantD)), 2e-2)
		}
	})
}

// What attention keeps, and its working memory, grow with the pixels of an image, not with their
// pairs.
func TestAttentionMemoryIsLinear(t *testing.T) {
	const d = 4
	floats := func(side int) int {
		op, total := Attention{ISA: Best(), Heads: 1}, 0
		qkv, o := NewDense(1, side, side, 3*d), NewDense(1, side, side, d)
		kept := make([]float32, op.KeptLen(1, side*side))
		var s Scratch
		op.Forward(&s, o, qkv, kept)
		op.Backward(&s, qkv, o, o, qkv, kept)
		for _, m := range s.attention.memory {
			total += cap(m)
		}
		return total + len(kept)
	}
	// The blocks of 24·24 and 48·48 pixels are the same, and there are four times as many pixels.
	if small, large := floats(24), floats(48); large > 4*small {
		t.Errorf("%d floats for 576 pixels, %d for 2304", small, large)
	}
}

// Forward computes the same whether it keeps something or not.
func TestAttentionWithoutBackward(t *testing.T) {
	for _, side := range []int{5, 17} {
		const c = 6
		rng := rand.New(rand.NewPCG(12, 12))
		qkv, kept, lost := NewDense(1, side, side, 3*c), NewDense(1, side, side, c), NewDense(1, side, side, c)
		qkv.Load(randoms(rng, side*side*3*c))
		op := Attention{ISA: Best(), Heads: 2}
		op.Forward(&Scratch{}, kept, qkv, make([]float32, op.KeptLen(1, side*side)))
		op.Forward(&Scratch{}, lost, qkv, nil)
		mustBeSame(t, "o", lost.Flat(), kept.Flat())
		backward := func() { op.Backward(&Scratch{}, qkv, kept, kept, qkv, nil) }
		mustPanic(t, "backward of nothing", backward, "kept nothing")
	}
}
