//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// A tape is a source of random numbers that a fuzzer writes. Each byte of the tape is the highest
// and the lowest byte of a number, because package rand looks at these first. The bytes between,
// and the numbers after the end of the tape, come from a generator.
type tape struct {
	bytes []byte
	rest  rand.PCG
}

// Uint64 returns the next number.
func (s *tape) Uint64() uint64 {
	v := s.rest.Uint64()
	if len(s.bytes) > 0 {
		b := uint64(s.bytes[0])
		v, s.bytes = b<<56|v>>16<<8|b, s.bytes[1:]
	}
	return v
}

// drawNumber draws a number of either sign between 2⁻¹² and 2¹³. Products of four such
// numbers neither overflow nor come near the smallest floats.
func drawNumber(rng *rand.Rand) float32 {
	v := float32(math.Ldexp(1+rng.Float64(), rng.IntN(25)-12))
	if rng.IntN(2) == 0 {
		return -v
	}
	return v
}

// drawSpecial draws a zero, an infinity or NaN one time in eight.
func drawSpecial(rng *rand.Rand) float32 {
	special := [...]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)}
	if rng.IntN(8) > 0 {
		return drawNumber(rng)
	}
	return float32(special[rng.IntN(len(special))])
}

// draws are the kinds of values that a fuzzer chooses from. Transforms take finite values only,
// because they leave out products with the zeros of their matrix.
var (
	finiteDraws = []func(*rand.Rand) float32{drawInteger, drawNumber}
	draws       = append(finiteDraws, drawSpecial)
)

// A trial compares one call of a routine with its Go loop on operands from a tape. sizes is the
// loop with all terms positive, which gives the size of the terms of each result; nil means that
// the result is the size.
type trial[T comparable] struct {
	lend             func(*memory) *T
	run, loop, sizes func(*T)
	terms            int  // the most terms that a result sums up
	signed           bool // whether sizes takes the operands as they are, not their absolute values
}

// try fails the test unless the routine leaves the same memory as its loop, up to rounding. Sums of
// n terms, in any order and fused or not, differ by at most n·2⁻²³ times the sum of the
// absolute values of the terms; 32 more units allow for the other steps of a routine.
func (c trial[T]) try(t *testing.T, what any, value func(*rand.Rand) float32, data []byte) {
	t.Helper()
	lend := func(value func(*rand.Rand) float32) (*memory, *T) {
		m := newMemoryFrom(&tape{bytes: data}, 1<<14)
		m.value = value
		return m, c.lend(m)
	}
	before, _ := lend(value)
	got, args := lend(value)
	mustKeep(t, c.run, args)
	want, args := lend(value)
	c.loop(args)
	sizes := want
	if c.sizes != nil {
		var sizeArgs *T
		sizes, sizeArgs = lend(func(rng *rand.Rand) float32 {
			if c.signed {
				return value(rng)
			}
			return abs(value(rng))
		})
		c.sizes(sizeArgs)
	}
	mustAgreeWithin(t, what, got, want, before, sizes, float64(c.terms+32)*0x1p-23)
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// mustAgreeWithin compares memory like mustAgree, for operands that may be any number. Words may
// differ by tol times their size. NaN must be NaN, an infinity must be the same infinity, and guard
// words that the loop does not change must be the same.
func mustAgreeWithin(t *testing.T, what any, got, want, before, sizes *memory, tol float64) {
	t.Helper()
	for i := range want.words {
		if got.same(want, i) {
			continue
		}
		want.each(i, func(e entry) {
			g, w := float64(math.Float32frombits(e.got)), float64(math.Float32frombits(e.want))
			size := math.Abs(float64(math.Float32frombits(e.size)))
			isGuard := e.want == guardBits || e.unit > 0 && e.want == guardBits>>16<<16
			switch {
			case e.got == e.want:
			case isGuard && e.want == e.before:
				t.Fatalf("%+v: word %d, which belongs to no operand, became %g", what, i, g)
			case math.IsNaN(w) && math.IsNaN(g):
			case math.IsNaN(w) || math.IsInf(w, 0) || !(math.Abs(g-w) <= tol*size+e.unit*math.Abs(w)):
				t.Fatalf("%+v: word %d is %g, the Go loop makes %g; the size of the terms is %g", what, i, g, w, size)
			}
		}, got, want, before, sizes)
	}
}

// having returns the routines that this CPU can run. It skips the fuzz target if there are none.
func having[T any](f *testing.F, all []T, target func(T) target) []T {
	var some []T
	for _, r := range all {
		if target(r).have {
			some = append(some, r)
		}
	}
	if len(some) == 0 {
		f.Skip("this CPU has none of the routines")
	}
	return some
}

// addSeeds gives a fuzzer each routine with each kind of values, and a few counts.
func addSeeds(f *testing.F, routines int) {
	for i := range routines {
		for kind := range draws {
			tape := []byte{byte(i), 0xff, byte(37 * kind), 0, 0x80}
			f.Add(uint8(i), uint8(kind), uint8(i+kind), uint8(i), uint8(3*i+7*kind), tape)
		}
	}
}

func FuzzProduct(f *testing.F) {
	routines := having(f, productRoutines, func(r productRoutine) target { return r.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, n2, n1, k uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		c := productCase{
			half: r.half, cols: r.cols,
			n2: int(n2)%3 + 1, n1: int(n1)%3 + 1, k: int(k)%32 + 1, tiles: int(k)/32%4 + 1,
		}
		if len(data) > 0 {
			c.bias, c.residual = data[0]&1 == 1, residual(data[0]>>1%3)
		}
		loop := func(args *Product) { productLoop(args, c.half, c.cols) }
		trial[Product]{c.lend, r.run, loop, loop, c.n2*c.n1*c.k + 2, false}.try(t, c, draws[int(kind)%len(draws)], data)
	})
}

func FuzzOuter(f *testing.F) {
	routines := having(f, outerRoutines, func(r outerRoutine) target { return r.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, n2, n1, n0 uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		c := outerCase{rows: r.rows, cols: r.cols, n2: int(n2)%3 + 1, n1: int(n1)%3 + 1, n0: int(n0)%24 + 1}
		loop := func(args *Outer) { outerLoop(args, c.rows, c.cols) }
		trial[Outer]{c.lend, r.run, loop, loop, c.n2*c.n1*c.n0 + 1, false}.try(t, c, draws[int(kind)%len(draws)], data)
	})
}

// A walkPair is a walk and its routine for one target.
type walkPair struct {
	walkRoutine
	implementation[Channels]
}

func FuzzChannels(f *testing.F) {
	var all []walkPair
	for _, r := range walkRoutines {
		for _, v := range channelsRoutines[r.name] {
			all = append(all, walkPair{r, v})
		}
	}
	routines := having(f, all, func(p walkPair) target { return p.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, n1, n0, vectors uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		c := walkCase{n1: int(n1)%4 + 1, n0: int(n0)%6 + 1, c: (int(vectors)%8 + 1) * r.lanes}
		if vectors&0x80 != 0 {
			c.over = r.overwrites()
		}
		lend := func(m *memory) *Channels { return c.lend(m, r.walkRoutine) }
		name := r.walkRoutine.name
		trial[Channels]{lend, r.run, r.goLoop, walkSizes(r.walkRoutine), c.n1 * c.n0, strings.HasPrefix(name, "ExpSums")}.
			try(t, name, draws[int(kind)%len(draws)], data)
	})
}

// walkSizes returns the loop over the sizes of a walk's terms.
func walkSizes(r walkRoutine) func(*Channels) {
	switch name, _, _ := strings.Cut(r.name, "BF16"); name {
	case "Moments": // the size of x - P0 is |x| + |P0|
		return func(args *Channels) {
			p := unsafe.Slice((*float32)(args.P0), args.C)
			for i := range p {
				p[i] = -p[i]
			}
			MomentsGo(args)
		}
	case "AffineSiLU": // SiLU(z) is at most |z|, and its slope at most 1.1
		return AffineGo
	case "NormSiLUSums":
		return normSiLUSizes
	case "ExpSums":
		return expSizes
	case "Maxima": // P0 is subtracted and added again
		return func(args *Channels) {
			args.clear(args.S0)
			args.pixels(func(c uintptr, e element) element {
				*at(args.S0, c) = max(*at(args.S0, c), e.x+2**at(args.P0, c))
				return e
			})
		}
	}
	return r.goLoop
}

// normSiLUSizes computes the sizes for NormSiLUSums. The size of d = SiLU(z) is |z|, as for
// AffineSiLU. In dz = y·g(z), |g| is at most 1.1 and its slope at most 0.5. The steps that compute
// g lose a few units of 1 + |z| at most, as do the two steps that compute z.
func normSiLUSizes(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, e element) element {
		xhat := e.x**at(args.P0, c) + *at(args.P1, c)
		e.d = xhat**at(args.P2, c) + *at(args.P3, c)
		e.y *= 1 + e.d
		*at(args.S0, c) += e.y
		*at(args.S1, c) += e.y * xhat
		return e
	})
}

// expSizes computes the sizes for ExpSums: a rounding error e of z = x·P0 + P1 becomes e·exp(z)
// in exp(z).
func expSizes(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, e element) element {
		scaled, summand := e.x**at(args.P0, c), *at(args.P1, c)
		e.d = exp(scaled+summand) * (1 + abs(scaled) + abs(summand))
		*at(args.S0, c) += e.d
		return e
	})
}

// A vectorPair is a routine on flat vectors and its code for one target.
type vectorPair struct {
	vectorRoutine
	implementation[Vectors]
}

func FuzzVectors(f *testing.F) {
	var all []vectorPair
	for _, r := range vectorRoutines {
		if r.name == "Peak" { // which has no operands
			continue
		}
		for _, v := range vectorsRoutines[r.name] {
			all = append(all, vectorPair{r, v})
		}
	}
	routines := having(f, all, func(p vectorPair) target { return p.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, vectors, same, share uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		c := vectorCase{n: int(vectors) % 48 * r.lanes, same: same%2 == 1}
		value := draws[int(kind)%len(draws)]
		if r.vectorRoutine.name == "SumSquares" {
			lend := func(m *memory) *Vectors {
				return &Vectors{X: pointer(m.guards(r.lanes)), Y: pointer(m.integers(c.n)), N: c.n}
			}
			lanes := func(args *Vectors) { sumSquaresOfLanes(args, r.lanes) }
			trial[Vectors]{lend, r.run, lanes, nil, c.n, false}.try(t, c, value, data)
			return
		}
		lend := func(m *memory) *Vectors {
			args := vectorTests[r.vectorRoutine.name].lend(m, c)
			if r.vectorRoutine.name == "Lerp" {
				args.F[0] = float32(share) / 255
			}
			return args
		}
		sizes := vectorSizes(r.vectorRoutine)
		trial[Vectors]{lend, r.run, r.goLoop, sizes, 1, false}.try(t, r.vectorRoutine.name, value, data)
	})
}

// sumSquaresOfLanes leaves the partial sums of a routine with the given number of lanes.
func sumSquaresOfLanes(args *Vectors, lanes int) {
	sums, y := unsafe.Slice((*float32)(args.X), lanes), unsafe.Slice((*float32)(args.Y), args.N)
	clear(sums)
	for i, v := range y {
		sums[i%lanes] += v * v
	}
}

// vectorSizes returns the loop over the sizes of a routine's terms, or nil where a result is one
// term.
func vectorSizes(r vectorRoutine) func(*Vectors) {
	negated := func(loop func(*Vectors)) func(*Vectors) {
		return func(args *Vectors) {
			x := unsafe.Slice((*float32)(args.X), args.N)
			for i := range x {
				x[i] = -x[i]
			}
			loop(args)
		}
	}
	switch r.name {
	case "Exp":
		return nil
	case "AdamW": // the step that is subtracted from X adds to its size
		return negated(AdamWGo)
	case "Lerp":
		return func(args *Vectors) {
			x, y := unsafe.Slice((*float32)(args.X), args.N), unsafe.Slice((*float32)(args.Y), args.N)
			for i := range x {
				x[i] += args.F[0] * (x[i] + y[i])
			}
		}
	}
	return r.goLoop
}

func FuzzTransform(f *testing.F) {
	type pair struct {
		matrix int
		implementation[Transform]
	}
	var all []pair
	for i, m := range transformMatrices {
		for _, v := range transformRoutines[m.name] {
			all = append(all, pair{i, v})
		}
	}
	routines := having(f, all, func(p pair) target { return p.target })
	addSeeds(f, len(routines))
	f.Fuzz(func(t *testing.T, routine, kind, vectors, n, clip uint8, data []byte) {
		r := routines[int(routine)%len(routines)]
		m := transformMatrices[r.matrix]
		out, in := len(m.m), len(m.m[0])
		c := transformCase{
			out: out, in: in, vectors: (int(vectors)%4 + 1) * r.lanes, n: int(n)%3 + 1, add: m.add,
			rows: out, cols: out, addend: m.clip && clip&1 == 1, half: m.half,
		}
		if m.clip {
			c.rows, c.cols = int(clip>>1)%out+1, int(clip>>4)%out+1
		}
		loop := func(args *Transform) { TransformGo(args, m.m, m.clip, m.add, m.half) }
		sizes := func(args *Transform) { TransformGo(args, absolute(m.m), m.clip, m.add, m.half) }
		value := finiteDraws[int(kind)%len(finiteDraws)]
		trial[Transform]{c.lend, r.run, loop, sizes, in * in, false}.try(t, c, value, data)
	})
}

func absolute(m [][]float32) [][]float32 {
	positive := make([][]float32, len(m))
	for i, row := range m {
		for _, v := range row {
			positive[i] = append(positive[i], abs(v))
		}
	}
	return positive
}
