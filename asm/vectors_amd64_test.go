//go:build amd64 && !noasm && !purego

package asm

import (
	"math"
	"testing"
	"unsafe"
)

// A vectorCase is a call of a routine on flat vectors.
type vectorCase struct {
	n    int
	same bool // X and Y are one vector
}

// A vectorRoutine is a routine on flat vectors for both targets, and its Go loop.
type vectorRoutine struct {
	name                 string
	avx2, avx512, goLoop func(*Vectors)
	lend                 func(m *memory, c vectorCase) *Vectors
	tol                  float64
}

// One value of exp may differ by 2 units in the last place either way; AdamW rounds nine times.
const (
	expTol   = 4 * 0x1p-23
	adamWTol = 9 * 0x1p-23
)

var vectorRoutines = []vectorRoutine{
	{"Add", AddAVX2, AddAVX512, AddGo, lendTwo, 0},
	{"Lerp", LerpAVX2, LerpAVX512, LerpGo, lendTwo, 0},
	{"AdamW", AdamWAVX2, AdamWAVX512, AdamWGo, lendAdamW, adamWTol},
	{"Exp", ExpAVX2, ExpAVX512, ExpGo, lendExp, expTol},
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

// TestVectors goes through lengths of none to eight vectors, several times with other alignments.
func TestVectors(t *testing.T) {
	for _, r := range vectorRoutines {
		for _, v := range []struct {
			target
			run func(*Vectors)
		}{{avx2, r.avx2}, {avx512, r.avx512}} {
			t.Run(r.name+v.name, func(t *testing.T) {
				v.need(t)
				for i := range 9 * 10 {
					c := vectorCase{n: i % 9 * v.lanes, same: i%2 == 1}
					seed := uint64(i)
					got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
					r.lend(before, c)
					mustKeep(t, v.run, r.lend(got, c))
					r.goLoop(r.lend(want, c))
					mustAgree(t, c, got, want, before, r.tol)
				}
			})
		}
	}
}

// The assembly leaves one sum for each lane; together they are the Go loop's.
func TestSumSquares(t *testing.T) {
	for _, v := range []struct {
		target
		run func(*Vectors)
	}{{avx2, SumSquaresAVX2}, {avx512, SumSquaresAVX512}} {
		t.Run(v.name, func(t *testing.T) {
			v.need(t)
			for i := range 9 * 10 {
				n := i % 9 * v.lanes
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
					t.Fatalf("%d elements: lanes of %g together, the Go loop makes %g", n, sum, want)
				}
				for j := range v.lanes { // all else is untouched
					*at(args.X, uintptr(4*j)) = math.Float32frombits(guardBits)
				}
				mustAgree(t, n, got, before, before, 0)
			}
		})
	}
}

func oneWord(p *float32) []float32 { return unsafe.Slice(p, 1) }

func TestPeakReturns(t *testing.T) {
	for _, v := range []struct {
		target
		run func(*Vectors)
	}{{avx2, PeakAVX2}, {avx512, PeakAVX512}, {target{name: "Go", have: true}, PeakGo}} {
		t.Run(v.name, func(t *testing.T) {
			v.need(t)
			for n := 1; n < 4; n++ {
				v.run(&Vectors{N: n})
			}
		})
	}
}

// Both targets keep exp's promises as the Go loop does.
func TestExpAssembly(t *testing.T) {
	for _, v := range []struct {
		target
		run func(*Vectors)
	}{{avx2, ExpAVX2}, {avx512, ExpAVX512}} {
		t.Run(v.name, func(t *testing.T) {
			v.need(t)
			testExp(t, v.run)
		})
	}
}
