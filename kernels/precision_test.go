package kernels

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/bfloat16"
	"github.com/fmimg/fmimg/internal/option"
)

// rounded returns the nearest numbers in bfloat16.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = bfloat16.Round(v)
	}
	return y
}

// halfMap makes a map of bfloat16, of the middle channels of a wider map, like testMap: random
// pixels, a halo of zeros, and guards around them. wide is a float32 map of the same numbers.
func halfMap(rng *rand.Rand, n, h, w, c, before, after, halo int) (m, wide Map, intact func() error) {
	wide, _ = testMap(rng, n, h, w, c, 0, 0, halo)
	wide.Load(rounded(dense(wide)))
	whole := BF16.newMap(n, h, w, before+c+after, halo)
	m = whole.Channels(before, before+c)
	for i := range whole.data {
		whole.data[i] = guard
	}
	inside := map[int]bool{}
	for k := range n {
		for y := -halo; y < h+halo; y++ {
			for x := -halo; x < w+halo; x++ {
				clear(m.AtBF16(k, y, x))
				for j := range c {
					inside[m.index(k, y, x)+j] = y >= 0 && x >= 0 && y < h && x < w
				}
			}
		}
	}
	m.Load(dense(wide))
	elements := Map{N: 1, H: 1, W: 1, C: 2 * len(whole.data), Precision: BF16, data: whole.data}.AtBF16(0, 0, 0)
	snapshot := slices.Clone(elements)
	return m, wide, func() error {
		for i, v := range elements {
			if !inside[i] && v != snapshot[i] {
				return fmt.Errorf("element %d outside the pixels of a map of shape %v changed from %#x to %#x",
					i, m.shape(), snapshot[i], v)
			}
		}
		return nil
	}
}

// A convolution of maps in bfloat16 gives the float32 convolution of the same numbers, rounded once
// at the end, to the bit.
func TestConvBF16(t *testing.T) {
	shapes := convShapes[:8]
	if testing.Short() {
		shapes = slices.Concat(convShapes[4:6], convShapes[11:]) // tails of channels; Winograd
	}
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, kind := range []ConvKind{Point, Same3, Down3, Up3} {
			for i, c := range shapes {
				s := ConvShape{kind, c.h, c.w, c.ic, c.oc}
				for _, plan := range algorithms(s) {
					t.Run(fmt.Sprintf("%s/kind%d/%d", plan.Forward, kind, i), func(t *testing.T) {
						testConvBF16(t, isa, s, plan, c.n)
					})
				}
			}
		}
	})
}

func testConvBF16(t *testing.T, isa ISA, s ConvShape, plan Plan, n int) {
	rng := rand.New(rand.NewPCG(uint64(s.H), uint64(s.OC)))
	conv := NewConv(isa, s, plan, true)
	conv.Pack(randoms(rng, s.Kind.Side()*s.Kind.Side()*s.IC*s.OC), randoms(rng, s.OC))
	oh, ow := s.Kind.OutSize(s.H), s.Kind.OutSize(s.W)
	x, wideX, xOK := halfMap(rng, n, s.H, s.W, s.IC, 5, 2, 1)
	y, wideY, yOK := halfMap(rng, n, oh, ow, s.OC, 2, 7, 1)
	r, wideR, rOK := halfMap(rng, n, oh, ow, s.OC, 0, 3, 0)
	dy, wideDY, dyOK := halfMap(rng, n, oh, ow, s.OC, 3, 1, 1)
	dx, wideDX, dxOK := halfMap(rng, n, s.H, s.W, s.IC, 1, 2, 0)
	var scratch Scratch
	for _, residual := range []struct {
		name       string
		half, wide *Map
	}{{"none", nil, nil}, {"another map", &r, &wideR}, {"the result", &y, &wideY}} {
		conv.Forward(&scratch, y, x, residual.half)
		conv.Forward(&scratch, wideY, wideX, residual.wide)
		mustBeSame(t, "forward, residual: "+residual.name, dense(y), rounded(dense(wideY)))
		wideY.Load(rounded(dense(wideY)))
	}
	for _, accumulate := range []bool{true, false} {
		conv.InputGrad(&scratch, dx, dy, accumulate)
		conv.InputGrad(&scratch, wideDX, wideDY, accumulate)
		mustBeSame(t, fmt.Sprintf("input gradient, accumulate %t", accumulate), dense(dx), rounded(dense(wideDX)))
	}
	dw, db := make([]float32, s.Kind.Side()*s.Kind.Side()*s.IC*s.OC), make([]float32, s.OC)
	wideDW, wideDB := slices.Clone(dw), slices.Clone(db)
	conv.WeightGrad(&scratch, dw, db, x, dy)
	conv.WeightGrad(&scratch, wideDW, wideDB, wideX, wideDY)
	mustBeSame(t, "weight gradient", dw, wideDW)
	mustBeSame(t, "bias gradient", db, wideDB)
	mustBeIntact(t, xOK, yOK, rOK, dyOK, dxOK)
}

// A norm reads and writes maps of either precision. It gives the numbers of the norm in float32,
// rounded where a map is bfloat16.
func TestGroupNormBF16(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, silu := range []bool{true, false} {
			for _, working := range Precisions() { // of y and its gradient
				for _, result := range Precisions() { // of dx
					if working == BF16 && result == F32 {
						continue // no layer has it
					}
					for _, accumulate := range []bool{true, false} {
						if accumulate && result == F32 {
							continue
						}
						c := normMix{isa, silu, accumulate, working, result}
						t.Run(fmt.Sprintf("%+v", c), c.test)
					}
				}
			}
		}
	})
}

// A normMix is a norm of a bfloat16 map x.
type normMix struct {
	isa              ISA
	silu, accumulate bool
	working, result  Precision
}

func (c normMix) test(t *testing.T) {
	const n, h, w, channels = 2, 5, 3, 35
	rng := rand.New(rand.NewPCG(3, 3))
	op := GroupNorm{ISA: c.isa, C: channels, Groups: 5, SiLU: c.silu}
	x, wideX, xOK := halfMap(rng, n, h, w, channels, 3, 2, 1)
	gamma, beta := randoms(rng, channels), randoms(rng, channels)
	rows := randoms(rng, 2*channels*n)
	var wide, mixed [3]Map // y, dy and dx
	for i, p := range []Precision{c.working, c.working, c.result} {
		values := rounded(randoms(rng, n*h*w*channels))
		wide[i], mixed[i] = NewMap(n, h, w, channels), p.NewMap(n, h, w, channels)
		mixed[i].Load(values)
		wide[i].Load(values)
	}
	var s Scratch
	run := func(x, y, dy, dx Map) (forward, again []float32, stats, drows, dgamma []float32) {
		stats, drows = make([]float32, op.StatsLen(n)), make([]float32, len(rows))
		dgamma, dbeta := make([]float32, channels), make([]float32, channels)
		mod := Modulation{Rows: rows, Gradient: drows}
		op.Forward(&s, y, x, gamma, beta, mod, stats)
		forward = dense(y)
		y.Clear()
		op.Backward(&s, &NormBackward{
			DX: dx, Accumulate: c.accumulate, DY: dy, X: x, Y: y, Gamma: gamma, Beta: beta,
			Mod: mod, Stats: stats, DGamma: dgamma, DBeta: dbeta,
		})
		return forward, dense(y), stats, drows, slices.Concat(dgamma, dbeta)
	}
	forward, again, stats, drows, dparams := run(x, mixed[0], mixed[1], mixed[2])
	wantForward, wantAgain, wantStats, wantRows, wantParams := run(wideX, wide[0], wide[1], wide[2])
	as := func(p Precision, x []float32) []float32 {
		if p == BF16 {
			return rounded(x)
		}
		return x
	}
	mustBeSame(t, "forward", forward, as(c.working, wantForward))
	mustBeSame(t, "forward's result again", again, as(c.working, wantAgain))
	mustBeSame(t, "statistics", stats, wantStats)
	mustBeSame(t, "gradient of the modulation", drows, wantRows)
	mustBeSame(t, "gradients of the parameters", dparams, wantParams)
	if c.working == F32 {
		mustBeSame(t, "dx", dense(mixed[2]), as(c.result, dense(wide[2])))
	} else { // dy was rounded on the way
		mustBeClose(t, "dx", dense(mixed[2]), doubles(dense(wide[2])), 1e-2)
	}
	mustBeIntact(t, xOK)
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestMapsInBF16(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		rng := rand.New(rand.NewPCG(4, 4))
		const n, h, w, c = 2, 3, 4, 37
		a, wideA, aOK := halfMap(rng, n, h, w, c, 2, 3, 1)
		b, wideB, bOK := halfMap(rng, n, h, w, c, 1, 1, 0)
		var s Scratch

		isa.AddMap(a, b)
		isa.AddMap(wideA, wideB)
		mustBeSame(t, "AddMap", dense(a), rounded(dense(wideA)))
		a.Copy(b)
		mustBeSame(t, "Copy", dense(a), dense(b))
		rows := randoms(rng, n*c)
		isa.AddRows(&s, a, rows)
		isa.AddRows(&s, wideB, rows)
		mustBeSame(t, "AddRows", dense(a), rounded(dense(wideB)))
		sums, wideSums := make([]float32, n*c), make([]float32, n*c)
		wideB.Load(dense(a))
		isa.SumRows(sums, a)
		isa.SumRows(wideSums, wideB)
		mustBeSame(t, "SumRows", sums, wideSums)
		values := randoms(rng, n*h*w*c)
		wideB.Load(values)
		isa.Convert(a, wideB)
		mustBeSame(t, "to bfloat16", dense(a), rounded(values))
		isa.Convert(wideA, a)
		mustBeSame(t, "to float32", dense(wideA), rounded(values))
		a.Clear()
		mustBeSame(t, "Clear", dense(a), make([]float32, n*h*w*c))
		mustBeIntact(t, aOK, bOK)
	})
}

// Scratch maps keep a halo of zeros when they are used again in another shape.
func TestScratchMapsHaveAHalo(t *testing.T) {
	var s Scratch
	rng := rand.New(rand.NewPCG(5, 5))
	for _, side := range []int{5, 7, 4, 1} {
		half, wide, _ := halfMap(rng, 2, side, side+1, 3, 0, 0, 1)
		for _, w := range []Map{s.wide(Generic, wideInput, half), s.narrow(Generic, wideGradient, wide)} {
			mustBeSame(t, fmt.Sprintf("pixels in %v", w.Precision), dense(w), dense(half))
			w.Clear()
			for i, v := range w.raw(0, -1, -1, w.N*w.Image) {
				if v != 0 {
					t.Fatalf("side %d in %v: byte %d of the halo is %#x", side, w.Precision, i, v)
				}
			}
			for i := range w.data { // of the next map in this memory
				w.data[i] = guard
			}
		}
	}
}

func TestMapsOfAnotherPrecision(t *testing.T) {
	half, wide := BF16.NewDense(1, 2, 2, 3), NewDense(1, 2, 2, 3)
	mustPanic(t, "At", func() { half.At(0, 0, 0) }, "bf16", "f32")
	mustPanic(t, "AtBF16", func() { wide.AtBF16(0, 0, 0) }, "bf16", "f32")
	mustPanic(t, "Flat", func() { half.Flat() }, "bf16", "f32")
	mustPanic(t, "Copy", func() { half.Copy(wide) }, "bf16", "f32")
	conv := NewConv(Generic, ConvShape{Point, 2, 2, 3, 3}, Plan{}, false)
	conv.Pack(make([]float32, 9), make([]float32, 3))
	mustPanic(t, "a residual", func() { conv.Forward(&Scratch{}, half, wide, &wide) }, "f32", "bf16")
	mustPanic(t, "a walk without a variant", func() { Generic.AddMap(wide, half) }, "variant")
}

func TestParsePrecision(t *testing.T) {
	for _, p := range Precisions() {
		if got, err := ParsePrecision(p.String(), Generic); got != p || err != nil {
			t.Errorf("ParsePrecision(%q) is %v, %v", p, got, err)
		}
	}
	for _, name := range []string{"", "auto"} {
		if got, err := ParsePrecision(name, AVX2); got != AVX2.Precision() || err != nil {
			t.Errorf("ParsePrecision(%q) is %v, %v", name, got, err)
		}
	}
	_, err := ParsePrecision("fp8", Generic)
	if unknown := (*option.ValueError)(nil); !errors.As(err, &unknown) || unknown.Text != "fp8" {
		t.Errorf("ParsePrecision of an unknown name: %v", err)
	}
	if got := Precision(9).String(); got != "Precision(9)" {
		t.Errorf("an unknown precision is %q", got)
	}
}
