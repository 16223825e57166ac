package kernels

import (
	"math/rand/v2"
	"testing"
)

// Once a Scratch has grown, and weights have been packed, no operation allocates.
func TestOperationsDoNotAllocate(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		rng := rand.New(rand.NewPCG(1, 1))
		var s Scratch
		for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
			for _, oc := range []int{32, 2} {
				shape := ConvShape{kind, 6, 6, 16, oc}
				for _, plan := range append(algorithms(shape), Plan{Pairs, Pairs, Pairs}) {
					conv := NewConv(isa, shape, plan, true)
					for _, p := range Precisions() {
						testConvAllocations(t, rng, &s, conv, p)
					}
				}
			}
		}
		for _, p := range Precisions() {
			testNormAllocations(t, isa, &s, p)
			testAttentionAllocations(t, isa, &s, p)
		}
		testMatMulAllocations(t, rng, isa, &s)
		v := make([]float32, 100)
		mustNotAllocate(t, "vectors", func() {
			isa.Add(v, v)
			isa.Lerp(v, v, 0.5)
			isa.SiLU(v, v)
			isa.SiLUGrad(&s, v, v)
			isa.SumSquares(v)
			isa.AdamW(v, v, v, v, AdamWStep{Bias1: 1, Bias2: 1})
		})
	})
}

func testConvAllocations(t *testing.T, rng *rand.Rand, s *Scratch, conv *Conv, p Precision) {
	const n = 2
	kind, out := conv.Kind, conv.Kind.OutSize(conv.H)
	x, y := p.NewMap(n, conv.H, conv.H, conv.IC), p.NewMap(n, out, out, conv.OC)
	weight, bias := randoms(rng, kind.Side()*kind.Side()*conv.IC*conv.OC), randoms(rng, conv.OC)
	mustNotAllocate(t, "Pack", func() { conv.Pack(weight, bias) })
	mustNotAllocate(t, "Forward", func() { conv.Forward(s, y, x, &y) })
	mustNotAllocate(t, "InputGrad", func() { conv.InputGrad(s, x, y, true) })
	mustNotAllocate(t, "WeightGrad", func() { conv.WeightGrad(s, weight, bias, x, y) })
}

func testNormAllocations(t *testing.T, isa ISA, s *Scratch, precision Precision) {
	const n, side, c = 2, 6, 40
	op := GroupNorm{ISA: isa, C: c, Groups: 8, SiLU: true}
	newMap := func() Map { return precision.NewMap(n, side, side, c) }
	x, y, dy := newMap(), newMap(), newMap()
	p, rows := make([]float32, c), make([]float32, 2*n*c)
	mod, stats := Modulation{Rows: rows, Gradient: rows}, make([]float32, op.StatsLen(n))
	mustNotAllocate(t, "GroupNorm", func() {
		op.Forward(s, y, x, p, p, mod, stats)
		op.Backward(s, &NormBackward{
			DX: dy, DY: dy, X: x, Y: y, Gamma: p, Beta: p, Mod: mod, Stats: stats, DGamma: p, DBeta: p,
		})
		isa.AddMap(x, y)
		isa.AddRows(s, x, rows[:n*c])
		isa.SumRows(rows[:n*c], x)
		isa.BiasGrad(s, p, x)
	})
}

func testAttentionAllocations(t *testing.T, isa ISA, s *Scratch, p Precision) {
	for _, side := range []int{5, 17} {
		const n, c = 2, 12
		op := Attention{ISA: isa, Heads: 2}
		qkv, o := p.NewDense(n, side, side, 3*c), p.NewDense(n, side, side, c)
		kept := make([]float32, op.KeptLen(n, side*side))
		mustNotAllocate(t, "Attention", func() {
			op.Forward(s, o, qkv, kept)
			op.Backward(s, qkv, o, o, qkv, kept)
		})
	}
}

func testMatMulAllocations(t *testing.T, rng *rand.Rand, isa ISA, s *Scratch) {
	m, b := MatMul{ISA: isa}, randoms(rng, 20*12)
	a, c := NewDense(1, 1, 9, 12), NewDense(1, 1, 9, 20)
	mustNotAllocate(t, "MatMul", func() {
		m.Pack(b, 12)
		m.Mul(s, c, a)
	})
	pairs, right, sum := MatMul{ISA: isa, Pairs: true}, NewDense(1, 1, 12, 20), NewDense(1, 1, 12, 20)
	mustNotAllocate(t, "MatMul of pairs", func() {
		pairs.Times(s, c, a, right)
		pairs.TimesTransposed(s, a, c, right)
		pairs.AddTransposedTimes(s, sum, a, c)
	})
}

func mustNotAllocate(t *testing.T, what string, f func()) {
	t.Helper()
	f() // grows the scratch memory
	if n := testing.AllocsPerRun(3, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}
