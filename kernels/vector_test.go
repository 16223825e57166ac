package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A flatCase is an operation on flat vectors of one length. want computes element i of the first
// operand after the operation, in float64, from the operands before it.
type flatCase struct {
	name     string
	operands int
	run      func(isa ISA, x [][]float32)
	want     func(x [][]float32, i int) float64
	bound    float64 // of each element's error, relative to 1 + its size
}

var flatCases = []flatCase{
	{"Add", 2,
		func(isa ISA, x [][]float32) { isa.Add(x[0], x[1]) },
		func(x [][]float32, i int) float64 { return float64(x[0][i] + x[1][i]) }, 0},
	{"Lerp", 2,
		func(isa ISA, x [][]float32) { isa.Lerp(x[0], x[1], 0.3) },
		func(x [][]float32, i int) float64 {
			return float64(x[0][i]) + float64(float32(0.3))*(float64(x[1][i])-float64(x[0][i]))
		}, 2e-7},
	{"Exp", 2,
		func(isa ISA, x [][]float32) { isa.Exp(x[0], x[1]) },
		func(x [][]float32, i int) float64 { return math.Exp(float64(x[1][i])) }, 2.4e-7},
	{"ExpInPlace", 1,
		func(isa ISA, x [][]float32) { isa.Exp(x[0], x[0]) },
		func(x [][]float32, i int) float64 { return math.Exp(float64(x[0][i])) }, 2.4e-7},
	{"SiLU", 2,
		func(isa ISA, x [][]float32) { isa.SiLU(x[0], x[1]) },
		func(x [][]float32, i int) float64 { return float64(x[1][i]) / (1 + math.Exp(-float64(x[1][i]))) }, 1e-6},
	{"SiLUGrad", 2,
		func(isa ISA, x [][]float32) { isa.SiLUGrad(&Scratch{}, x[0], x[1]) },
		func(x [][]float32, i int) float64 {
			z := float64(x[1][i])
			s := 1 / (1 + math.Exp(-z))
			return float64(x[0][i]) * s * (1 + z*(1-s))
		}, 2e-6},
}

// longest is the most elements that one call takes, on any instruction set.
func longest() int { return maxRegisters * maxLanes }

// The lengths are 0 to 70 with every alignment, and one that needs three calls.
func TestFlatVectors(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, c := range flatCases {
			t.Run(c.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, 1))
				for n := range 71 {
					c.test(t, isa, rng, n, n%16)
				}
				for offset := range 16 {
					c.test(t, isa, rng, 37, offset)
				}
				c.test(t, isa, rng, 2*longest()+37, 1)
			})
		}
	})
}

func (c *flatCase) test(t *testing.T, isa ISA, rng *rand.Rand, n, offset int) {
	t.Helper()
	var x, before [][]float32
	var checks []func() error
	for k := range c.operands {
		operand, intact := testVector(rng, n, (offset+5*k)%16)
		x, before, checks = append(x, operand), append(before, slices.Clone(operand)), append(checks, intact)
	}
	c.run(isa, x)
	for i, got := range x[0] {
		want := c.want(before, i)
		if e := math.Abs(float64(got) - want); !(e <= c.bound*(1+math.Abs(want))) {
			t.Fatalf("length %d, offset %d: element %d is %g, want %g", n, offset, i, got, want)
		}
	}
	for k := 1; k < c.operands; k++ {
		mustBeSame(t, "an operand that is read only", x[k], before[k])
	}
	mustBeIntact(t, checks...)
}

func TestSumSquares(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		rng := rand.New(rand.NewPCG(2, 2))
		lengths := []int{4095, 4096, 4097, 2*longest() + 37}
		for n := range 71 {
			lengths = append(lengths, n)
		}
		for i, n := range lengths {
			x, intact := testVector(rng, n, i%16)
			want := norm2(x) * norm2(x)
			if got := isa.SumSquares(x); !(math.Abs(got-want) <= 1e-5*want) {
				t.Fatalf("length %d: %g, want %g", n, got, want)
			}
			mustBeIntact(t, intact)
		}
	})
}

// textbookAdamW is algorithm 2 of Loshchilov and Hutter (2019) in float64. The learning rate stands
// for the product of α and the schedule.
type textbookAdamW struct{ p, m, v []float64 }

func (a *textbookAdamW) step(g []float32, step int, h AdamWStep) {
	b1, b2, lr := float64(h.Beta1), float64(h.Beta2), float64(h.LR)
	for i := range g {
		grad := float64(g[i]) * float64(h.GradScale)
		a.m[i] = b1*a.m[i] + (1-b1)*grad
		a.v[i] = b2*a.v[i] + (1-b2)*grad*grad
		mhat, vhat := a.m[i]/(1-math.Pow(b1, float64(step))), a.v[i]/(1-math.Pow(b2, float64(step)))
		a.p[i] -= lr * (mhat/(math.Sqrt(vhat)+float64(h.Eps)) + float64(h.Decay)*a.p[i])
	}
}

// Each of five steps rounds a dozen times, by 6e-8 of a parameter or of a step. The factors that
// correct the bias have six digits where β is near 1.
const adamWBound = 5e-6

func TestAdamW(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for n := range 71 {
			testAdamW(t, isa, n, n%16)
		}
		testAdamW(t, isa, longest()+21, 3)
	})
}

func testAdamW(t *testing.T, isa ISA, n, offset int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	p, pOK := testVector(rng, n, offset)
	m, mOK := testVector(rng, n, (offset+3)%16)
	v, vOK := testVector(rng, n, (offset+6)%16)
	clear(m)
	clear(v)
	ref := textbookAdamW{wide(p), wide(m), wide(v)}
	for step := 1; step <= 5; step++ {
		h := AdamWStep{LR: 0.02, Beta1: 0.9, Beta2: 0.99, Eps: 1e-3, Decay: 0.1, GradScale: 1 / float32(step)}
		h.Bias1 = float32(1 - math.Pow(float64(h.Beta1), float64(step)))
		h.Bias2 = float32(1 - math.Pow(float64(h.Beta2), float64(step)))
		g, gOK := testVector(rng, n, (offset+9)%16)
		before := slices.Clone(g)
		isa.AdamW(p, m, v, g, h)
		ref.step(g, step, h)
		mustBeSame(t, "gradient", g, before)
		mustBeClose(t, "parameters", p, ref.p, adamWBound)
		mustBeClose(t, "first moments", m, ref.m, adamWBound)
		mustBeClose(t, "second moments", v, ref.v, adamWBound)
		mustBeIntact(t, pOK, mOK, vOK, gOK)
	}
}

// With a zero gradient, only the decay moves a parameter. A division by zero would show as NaN.
func TestAdamWOfZeroGradient(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		p, zeros := []float32{1, -2, 3}, func() []float32 { return make([]float32, 3) }
		isa.AdamW(p, zeros(), zeros(), zeros(), AdamWStep{
			LR: 0.5, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.5, Bias1: 0.1, Bias2: 0.01, GradScale: 1,
		})
		mustBeSame(t, "parameters", p, []float32{0.75, -1.5, 2.25})
	})
}

func TestVectorsPanicWithBothLengths(t *testing.T) {
	two, three := make([]float32, 2), make([]float32, 3)
	mustPanic(t, "Add", func() { Generic.Add(two, three) }, "2", "3")
	mustPanic(t, "Lerp", func() { Generic.Lerp(two, three, 1) }, "2", "3")
	mustPanic(t, "Exp", func() { Generic.Exp(two, three) }, "2", "3")
	mustPanic(t, "SiLU", func() { Generic.SiLU(two, three) }, "2", "3")
	mustPanic(t, "AdamW", func() { Generic.AdamW(two, two, two, three, AdamWStep{}) }, "2", "3")
}

func TestSiLUGradients(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		const n = 53
		rng := rand.New(rand.NewPCG(4, 4))
		x, projection, y := randoms(rng, n), randoms(rng, n), make([]float32, n)
		dx := slices.Clone(projection)
		isa.SiLUGrad(&Scratch{}, dx, x)
		mustBeGradients(t, rng, func() float64 {
			isa.SiLU(y, x)
			return dot(y, projection)
		}, flatVariable("x", x, dx))
	})
}
