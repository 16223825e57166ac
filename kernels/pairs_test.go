package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/asm"
)

// A result that is rounded to bfloat16 errs by up to 2⁻⁸.
const pairBound = 0x1p-8 + convBound

// pairWeights draws weights of which the sum of any four is a number of bfloat16: up-sampling
// convolutions sum up to four.
func pairWeights(rng *rand.Rand, n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(rng.IntN(63)-31) / 16
	}
	return w
}

// pairShapes are shapes of networks and odd ones, with even channels that the forward pass sums
// over and even ones for the input gradient.
var pairShapes = []struct{ n, h, w, ic, oc int }{
	{1, 28, 28, 32, 32},
	{1, 28, 28, 96, 32},
	{1, 28, 28, 64, 64},
	{1, 14, 14, 64, 64},
	{1, 7, 7, 128, 64},
	{1, 7, 7, 64, 64},
	{21, 7, 7, 16, 16},
	{2, 40, 36, 4, 4},
	{1, 9, 33, 40, 18},
	{1, 2, 70, 62, 34},
	{1, 1, 1, 2, 2},
	{3, 1, 1, 32, 16},
	{2, 3, 2, 16, 48},
	{2, 5, 12, 6, 10},
	{2, 8, 8, 16, 16},
	{1, 3, 14, 32, 32},
}

// smallPairs are the shapes that an emulator has time for.
const smallPairs = 10

// pairMap is halfMap without the map in float32.
func pairMap(rng *rand.Rand, n, h, w, c, before, after, halo int) (m Map, intact func() error) {
	m, _, intact = halfMap(rng, n, h, w, c, before, after, halo)
	return m, intact
}

// newPairProblem makes a problem whose operands are numbers of bfloat16. Its results are those of
// the direct convolution in float32.
func newPairProblem(kind ConvKind, seed uint64, n, h, w, ic, oc int) *convProblem {
	p := newFuzzedPairs(kind, seed, n, h, w, ic, oc)
	rng := rand.New(rand.NewPCG(seed, 2))
	p.base = rounded(randoms(rng, max(len(p.x), len(p.dy), len(p.weight))))
	p.otherWeights = randoms(rng, len(p.weight))
	conv := NewConv(Best(), p.shape, Plan{}, true)
	conv.Pack(p.weight, p.bias)
	x, dy := NewMap(n, h, w, ic), NewMap(n, kind.OutSize(h), kind.OutSize(w), oc)
	y, dx := NewDense(n, dy.H, dy.W, oc), NewDense(n, h, w, ic)
	x.Load(p.x)
	dy.Load(p.dy)
	dw, db := make([]float32, len(p.weight)), make([]float32, oc)
	var s Scratch
	conv.Forward(&s, y, x, nil)
	conv.InputGrad(&s, dx, dy, false)
	conv.WeightGrad(&s, dw, db, x, dy)
	p.y, p.dx, p.dw, p.db = wide(y.Flat()), wide(dx.Flat()), wide(dw), wide(db)
	return p
}

// pairISAs lists the instruction sets whose products of pairs a test can run, and plain Go.
func pairISAs() []ISA {
	var all []ISA
	for _, isa := range Available() {
		if isa == Generic || tilesOf[isa].pairs != nil {
			all = append(all, isa)
		}
	}
	return all
}

func TestPairs(t *testing.T) {
	var problems []*convProblem
	for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
		for i, s := range pairShapes {
			if !testing.Short() && (kind == Same3 || s.h < 28) || i >= smallPairs {
				problems = append(problems, newPairProblem(kind, uint64(i), s.n, s.h, s.w, s.ic, s.oc))
			}
		}
	}
	for _, isa := range pairISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			for _, p := range problems {
				s := p.shape
				name := fmt.Sprintf("kind%d/%dx%dx%d,%d-%d", s.Kind, p.n, s.H, s.W, s.IC, s.OC)
				t.Run(name, func(t *testing.T) { p.testPairs(t, isa) })
			}
		})
	}
}

// testPairs runs all passes between guard words, each pass also where it adds to its result.
func (p *convProblem) testPairs(t *testing.T, isa ISA) {
	rng, n, s := rand.New(rand.NewPCG(2, 2)), p.n, p.shape
	conv := NewConv(isa, s, Plan{Pairs, Pairs, Pairs}, true)
	conv.Pack(p.otherWeights, p.bias) // the second Pack must replace all of this
	conv.Pack(p.weight, p.bias)
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	x, xOK := pairMap(rng, n, s.H, s.W, s.IC, 5, 3, 1)
	y, yOK := pairMap(rng, n, oh, ow, s.OC, 2, 7, 1)
	dy, dyOK := pairMap(rng, n, oh, ow, s.OC, 3, 1, 1)
	dx, dxOK := pairMap(rng, n, s.H, s.W, s.IC, 1, 2, 0)
	dw, dwOK := testVector(rng, len(p.weight), 3)
	db, dbOK := testVector(rng, s.OC, 7)
	x.Load(p.x)
	dy.Load(p.dy)
	var scratch Scratch

	conv.Forward(&scratch, y, x, nil)
	mustBeClose(t, "forward", dense(y), p.y, pairBound)
	y.Load(p.base[:len(p.y)])
	conv.Forward(&scratch, y, x, &y) // a residual of y itself: y += conv(x)
	mustBeClose(t, "forward with residual", dense(y), p.based(p.y), pairBound)
	residual, residualOK := pairMap(rng, n, oh, ow, s.OC, 0, 4, 0)
	residual.Load(p.base[:len(p.y)])
	conv.Forward(&scratch, y, x, &residual)
	mustBeClose(t, "forward with another residual", dense(y), p.based(p.y), pairBound)

	conv.InputGrad(&scratch, dx, dy, false)
	mustBeClose(t, "input gradient", dense(dx), p.dx, pairBound)
	dx.Load(p.base[:len(p.dx)])
	conv.InputGrad(&scratch, dx, dy, true)
	mustBeClose(t, "accumulated input gradient", dense(dx), p.based(p.dx), pairBound)

	copy(dw, p.base)
	copy(db, p.base)
	conv.WeightGrad(&scratch, dw, db, x, dy)
	mustBeClose(t, "weight gradient", dw, p.based(p.dw), 2*convBound)
	mustBeClose(t, "bias gradient", db, p.based(p.db), 2*convBound)
	mustBeIntact(t, residualOK, xOK, yOK, dyOK, dxOK, dwOK, dbOK)
	p.testWidePairs(t, conv)
}

// testWidePairs runs the passes on maps in float32, which hold numbers of bfloat16: the results are
// not rounded.
func (p *convProblem) testWidePairs(t *testing.T, conv *Conv) {
	rng, n, s := rand.New(rand.NewPCG(3, 2)), p.n, p.shape
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	x, xOK := testMap(rng, n, s.H, s.W, s.IC, 1, 0, 1)
	y, yOK := testMap(rng, n, oh, ow, s.OC, 0, 2, 0)
	dy, dyOK := testMap(rng, n, oh, ow, s.OC, 0, 1, 1)
	dw, dwOK := testVector(rng, len(p.weight), 3)
	x.Load(p.x)
	dy.Load(p.dy)
	y.Load(p.base[:len(p.y)])
	clear(dw)
	var scratch Scratch
	conv.Forward(&scratch, y, x, &y)
	mustBeClose(t, "forward in float32", dense(y), p.based(p.y), 2*convBound)
	conv.WeightGrad(&scratch, dw, make([]float32, s.OC), x, dy)
	mustBeClose(t, "weight gradient in float32", dw, p.dw, 2*convBound)
	mustBeIntact(t, xOK, yOK, dyOK, dwOK)
}

// The routines make the bytes of their Go loop.
func TestPairsAgreeWithGo(t *testing.T) {
	for _, isa := range Built() {
		if tilesOf[isa].pairs == nil {
			continue
		}
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			for i, s := range pairShapes {
				if i < smallPairs && s.ic > 16 {
					continue
				}
				for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
					p := newFuzzedPairs(kind, uint64(i), s.n, s.h, s.w, s.ic, s.oc)
					what := fmt.Sprintf("kind %d of shape %d", kind, i)
					p.mustAgreeWithGo(t, what, isa)
				}
			}
		})
	}
}

// newFuzzedPairs makes the operands of a problem alone.
func newFuzzedPairs(kind ConvKind, seed uint64, n, h, w, ic, oc int) *convProblem {
	rng, size := rand.New(rand.NewPCG(seed, 4)), kind.Side()*kind.Side()*ic*oc
	return &convProblem{
		shape: ConvShape{kind, h, w, ic, oc}, n: n,
		x: rounded(randoms(rng, n*h*w*ic)), dy: rounded(randoms(rng, n*kind.OutSize(h)*kind.OutSize(w)*oc)),
		weight: pairWeights(rng, size), bias: randoms(rng, oc),
	}
}

// mustAgreeWithGo compares all passes with the Go loop of the instruction set's arithmetic, to the
// bit.
func (p *convProblem) mustAgreeWithGo(t *testing.T, what string, isa ISA) {
	t.Helper()
	got, want := p.solvePairs(t, isa, isa.pairDot()), p.solvePairs(t, Generic, isa.pairDot())
	mustBeSame(t, what+": forward", got.y, want.y)
	mustBeSame(t, what+": input gradient", got.dx, want.dx)
	mustBeSame(t, what+": weight gradient", got.dw, want.dw)
}

// solvePairs runs all passes with the given arithmetic; the weight gradient only where Generic's
// and the instruction set's additions agree.
func (p *convProblem) solvePairs(t *testing.T, isa ISA, dot asm.Dot) convResult {
	t.Helper()
	rng, s := rand.New(rand.NewPCG(5, 5)), p.shape
	conv := NewConv(isa, s, Plan{Pairs, Pairs, Pairs}, true)
	conv.dot = dot
	conv.Pack(p.weight, p.bias)
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	before, after := rng.IntN(5), rng.IntN(5)
	x, xOK := pairMap(rng, p.n, s.H, s.W, s.IC, before, after, 1)
	y, yOK := pairMap(rng, p.n, oh, ow, s.OC, after, before, 1)
	dy, dyOK := pairMap(rng, p.n, oh, ow, s.OC, before, 0, 1)
	dx, dxOK := pairMap(rng, p.n, s.H, s.W, s.IC, 0, after, 0)
	dw, db := make([]float32, len(p.weight)), make([]float32, s.OC)
	x.Load(p.x)
	dy.Load(p.dy)
	var scratch Scratch
	conv.Forward(&scratch, y, x, &y)
	conv.InputGrad(&scratch, dx, dy, true)
	conv.WeightGrad(&scratch, dw, db, x, dy)
	mustBeIntact(t, xOK, yOK, dyOK, dxOK)
	return convResult{dense(y), dense(dx), dw, db}
}

// The arithmetics differ in rounding alone.
func TestPairDotsAgree(t *testing.T) {
	p := newFuzzedPairs(Same3, 1, 2, 6, 9, 32, 20)
	want := p.solvePairs(t, Generic, asm.TileDot)
	for _, dot := range []asm.Dot{asm.VectorDot, asm.OddDot} {
		got := p.solvePairs(t, Generic, dot)
		mustBeClose(t, "forward", got.y, wide(want.y), pairBound)
		mustBeClose(t, "input gradient", got.dx, wide(want.dx), pairBound)
		mustBeClose(t, "weight gradient", got.dw, wide(want.dw), 2*convBound)
	}
}

// Products of pairs of matrices are those of the float32 numbers, rounded to bfloat16.
func TestMatMulPairs(t *testing.T) {
	for _, isa := range pairISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			for i, s := range []struct{ rows, inner, cols int }{
				{1, 1, 1}, {5, 33, 7}, {64, 64, 64}, {17, 2, 40}, {90, 31, 16}, {33, 1500, 3},
			} {
				testMatMulPairs(t, isa, uint64(i), s.rows, s.inner, s.cols)
			}
		})
	}
}

func testMatMulPairs(t *testing.T, isa ISA, seed uint64, rows, inner, cols int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 8))
	matrix := func(rows, cols int) (Map, func() error) {
		m, intact := testMap(rng, 1, 1, rows, cols, 1, 2, 0)
		m.Load(rounded(dense(m)))
		return m, intact
	}
	a, aOK := matrix(rows, inner)
	b, bOK := matrix(inner, cols)
	bT, bTOK := matrix(cols, inner)
	d, dOK := matrix(rows, cols)
	got, gotOK := matrix(rows, cols)
	sum, sumOK := matrix(inner, cols)
	want, wantSum := NewDense(1, 1, rows, cols), NewDense(1, 1, inner, cols)
	wantSum.Load(dense(sum))
	var s Scratch
	pairs, plain := MatMul{ISA: isa, Pairs: true}, MatMul{ISA: Best()}
	for range 2 { // the second product uses the memory of the first
		pairs.Times(&s, got, a, b)
		plain.Times(&s, want, a, b)
		mustBeClose(t, "times", dense(got), wide(want.Flat()), 2*convBound)
		pairs.TimesTransposed(&s, got, a, bT)
		plain.TimesTransposed(&s, want, a, bT)
		mustBeClose(t, "times transposed", dense(got), wide(want.Flat()), 2*convBound)
		pairs.AddTransposedTimes(&s, sum, a, d)
		plain.AddTransposedTimes(&s, wantSum, a, d)
		mustBeClose(t, "transposed times", dense(sum), wide(wantSum.Flat()), 2*convBound)
	}
	half := BF16.NewDense(1, 1, rows, cols)
	pairs.TimesTransposed(&s, half, a, bT)
	mustBeClose(t, "times transposed in bfloat16", dense(half), wide(want.Flat()), pairBound)
	mustBeIntact(t, aOK, bOK, bTOK, dOK, gotOK, sumOK)
}

// Operands that are cut into calls come out as in one call.
func TestCutPairs(t *testing.T) {
	for _, isa := range pairISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			p := newFuzzedPairs(Same3, 3, 2, 6, 9, 48, 32)
			want := p.solvePairs(t, isa, isa.pairDot())
			paired, turned, cycles := maxPaired, maxTurned, maxPairCycles
			defer func() { maxPaired, maxTurned, maxPairCycles = paired, turned, cycles }()
			maxPaired, maxTurned, maxPairCycles = 5*asm.PairCols, 1, 1
			got := p.solvePairs(t, isa, isa.pairDot())
			mustBeSame(t, "forward", got.y, want.y)
			mustBeSame(t, "input gradient", got.dx, want.dx)
			mustBeSame(t, "weight gradient", got.dw, want.dw)
		})
	}
}

// A single pixel has no second line or column, where three phases of Down3's input gradient begin.
func TestPairsOfOnePixel(t *testing.T) {
	conv := NewConv(Generic, ConvShape{Down3, 1, 1, 200, 2}, Plan{Pairs, Pairs, Pairs}, true)
	weight := make([]float32, 9*200*2)
	for i := range weight {
		weight[i] = 1
	}
	conv.Pack(weight, []float32{0, 0})
	dy, dx := BF16.NewMap(1, 1, 1, 2), BF16.NewDense(1, 1, 1, 200)
	dy.Load([]float32{1, 2})
	conv.InputGrad(&Scratch{}, dx, dy, false)
	for i, v := range dense(dx) {
		if v != 3 {
			t.Fatalf("channel %d is %g, want 3", i, v)
		}
	}
}

// FuzzConvPairs compares products of pairs with the direct convolution in float32, and the routines
// with their Go loop.
func FuzzConvPairs(f *testing.F) {
	for i, s := range pairShapes[smallPairs:] {
		f.Add(uint8(i), uint8(s.n), uint8(s.h), uint8(s.w), uint8(s.ic/2), uint8(s.oc/2), uint64(i))
	}
	f.Fuzz(func(t *testing.T, kind, n, h, w, ic, oc uint8, seed uint64) {
		p := newPairProblem(ConvKind(kind%4), seed, int(n)%3+1, int(h)%9+1, int(w)%20+1, 2*(int(ic)%24+1), 2*(int(oc)%24+1))
		for _, isa := range pairISAs() {
			if p.testPairs(t, isa); isa != Generic {
				p.mustAgreeWithGo(t, isa.String(), isa)
			}
		}
	})
}
