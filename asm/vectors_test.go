//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"math"
	"testing"
	"unsafe"
)

// A vectorCase is a call of a routine on flat vectors.
type vectorCase struct {
	n    int
	same bool // whether X and Y are the same vector
}

// A vectorRoutine is a routine on flat vectors and its Go loop.
type vectorRoutine struct {
	name   string
	goLoop func(*Vectors)
}

// A vectorTest says how to make the operands of a routine, and how far its result may differ.
type vectorTest struct {
	lend func(m *memory, c vectorCase) *Vectors
	tol  float64
}

// One value of exp may differ by 2 units in the last place either way; AdamW rounds nine times.
const (
	expTol   = 4 * 0x1p-23
	adamWTol = 9 * 0x1p-23
)

// vectorTests has a test for each routine. SumSquares and Peak have tests of their own.
var vectorTests = map[string]vectorTest{
	"Add":        {lendTwo, 0},
	"Lerp":       {lendTwo, 0},
	"AdamW":      {lendAdamW, adamWTol},
	"Exp":        {lendExp, expTol},
	"SumSquares": {},
	"Peak":       {},
}

func lendTwo(m *memory, c vectorCase) *Vectors {
	return &Vectors{X: pointer(m.integers(c.n)), Y: pointer(m.integers(c.n)), N: c.n, F: [9]float32{0.25}}
}

func lendAdamW(m *memory, c vectorCase) *Vectors {
	args := &Vectors{X: pointer(m.normals(c.n)), Y: pointer(m.normals(c.n)), W: pointer(m.normals(c.n)), N: c.n}
	z := m.normals(c.n)
	for i, v := range z {
		z[i] = v * v
	}
	args.Z = pointer(z)
	args.F = [9]float32{0.7, 0.99, 0.9, 0.1, 0.99, 0.01, 3, 1e-3, 0.02}
	return args
}

func lendExp(m *memory, c vectorCase) *Vectors {
	args := &Vectors{X: pointer(m.guards(c.n)), Y: pointer(m.normals(c.n)), N: c.n}
	if c.same {
		args.X = args.Y
	}
	return args
}

// The lengths are none to ten vectors, each several times with other alignments.
func TestVectors(t *testing.T) {
	for _, r := range vectorRoutines {
		test, ok := vectorTests[r.name]
		if !ok {
			t.Errorf("%s has no test", r.name)
		}
		if test.lend == nil {
			continue
		}
		eachTarget(t, vectorsRoutines, r.name, func(t *testing.T, v implementation[Vectors]) {
			for i := range 11 * 10 {
				c := vectorCase{n: i % 11 * v.lanes, same: i%2 == 1}
				seed := uint64(i)
				got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
				test.lend(before, c)
				mustKeep(t, v.run, test.lend(got, c))
				r.goLoop(test.lend(want, c))
				mustAgree(t, c, got, want, before, test.tol)
			}
		})
	}
}

// The assembly leaves a partial sum for each lane; the partial sums add up to the sum of the Go
// loop.
func TestSumSquares(t *testing.T) {
	eachTarget(t, vectorsRoutines, "SumSquares", func(t *testing.T, v implementation[Vectors]) {
		for i := range 11 * 10 {
			n := i % 11 * v.lanes
			lend := func(m *memory) *Vectors {
				return &Vectors{X: pointer(m.guards(v.lanes)), Y: pointer(m.integers(n)), N: n}
			}
			got, before := newMemory(uint64(i)), newMemory(uint64(i))
			lend(before)
			args := lend(got)
			mustKeep(t, v.run, args)

			var want, sum float32
			SumSquaresGo(&Vectors{X: pointer(oneWord(&want)), Y: args.Y, N: n})
			for _, s := range unsafe.Slice((*float32)(args.X), v.lanes) {
				sum += s
			}
			if sum != want {
				t.Fatalf("%d elements: the lanes add up to %g, the Go loop makes %g", n, sum, want)
			}
			for j := range v.lanes { // everything else must be untouched
				*at(args.X, uintptr(4*j)) = math.Float32frombits(guardBits)
			}
			mustAgree(t, n, got, before, before, 0)
		}
	})
}

func oneWord(p *float32) []float32 { return unsafe.Slice(p, 1) }

func TestPeakReturns(t *testing.T) {
	rounds := func(run func(*Vectors)) {
		for n := 1; n < 5; n++ {
			run(&Vectors{N: n})
		}
	}
	t.Run("Go", func(*testing.T) { rounds(PeakGo) })
	eachTarget(t, vectorsRoutines, "Peak", func(_ *testing.T, v implementation[Vectors]) { rounds(v.run) })
}

// Fetching changes nothing, neither the pieces nor the memory behind the last piece.
func TestFetchChangesNothing(t *testing.T) {
	eachTarget(t, fetchRoutines, "Fetch", func(t *testing.T, v implementation[Fetch]) {
		for bytes := uintptr(4); bytes < 300; bytes += 28 {
			data := make([]float32, 1000)
			for i := range data {
				data[i] = float32(i)
			}
			args := Fetch{P: unsafe.Pointer(&data[1]), Ld: 520, N: 7, Bytes: bytes}
			before := args
			v.run(&args)
			for i, x := range data {
				if x != float32(i) {
					t.Fatalf("pieces of %d bytes: element %d became %g", bytes, i, x)
				}
			}
			if args != before {
				t.Fatalf("arguments became %+v", args)
			}
		}
	})
}

// The assembly of exp is as precise as its Go loop.
func TestExpAssembly(t *testing.T) {
	eachTarget(t, vectorsRoutines, "Exp", func(t *testing.T, v implementation[Vectors]) { testExp(t, v.run) })
}
