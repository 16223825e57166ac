//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

// A productRoutine is a tile in assembly.
type productRoutine struct {
	target
	half, cols int
	run        func(*Product)
}

// A residual says which rows R a product adds.
type residual int

const (
	noResidual residual = iota
	ownResidual
	residualIsResult
)

// A productCase is a call of a product routine.
type productCase struct {
	half, cols int
	n2, n1, k  int
	tiles      int
	bias       bool
	residual   residual
}

func TestProduct(t *testing.T) {
	for _, r := range productRoutines {
		t.Run(fmt.Sprintf("2x%dx%d%s", r.half, r.cols, r.name), func(t *testing.T) {
			r.need(t)
			seed := uint64(0)
			for c := range productCases(r.half, r.cols) {
				seed++
				testProduct(t, seed, c, r.run)
			}
		})
	}
}

// productCases makes all small counts, each with and without bias and with each residual.
func productCases(half, cols int) func(yield func(productCase) bool) {
	return func(yield func(productCase) bool) {
		for i := range 3 * 3 * 9 * 2 * 3 {
			c := productCase{
				half: half, cols: cols, n2: i%3 + 1, n1: i/3%3 + 1, k: i/9%9 + 1,
				bias: i/81%2 == 1, residual: residual(i / 162), tiles: i%4 + 1,
			}
			if !yield(c) {
				return
			}
		}
	}
}

func testProduct(t *testing.T, seed uint64, c productCase, run func(*Product)) {
	t.Helper()
	got, want, before := newMemory(seed), newMemory(seed), newMemory(seed)
	c.lend(before)
	mustKeep(t, run, c.lend(got))
	productLoop(c.lend(want), c.half, c.cols)
	mustAgree(t, c, got, want, before, 0)
}

// lend lends the operands. Rows, windows and tiles of A overlap or leave gaps, at random.
func (c productCase) lend(m *memory) *Product {
	lda, s1 := 1+m.rng.IntN(12), 1+m.rng.IntN(c.k+5)
	s2 := 1 + m.rng.IntN(c.n1*s1+5)
	tile := 1 + m.rng.IntN(c.half*lda+5)
	args := &Product{
		N2: c.n2, N1: c.n1, K: c.k, Tiles: c.tiles, TileA: uintptr(4 * tile),
		LdA: uintptr(4 * lda), Step1: uintptr(4 * (s1 - c.k)), Step2: uintptr(4 * (s2 - c.n1*s1)),
		B: pointer(m.integers(c.n2 * c.n1 * c.k * c.cols)),
	}
	for _, a := range []*unsafe.Pointer{&args.A0, &args.A1} {
		x := m.guards((c.tiles-1)*tile + (c.half-1)*lda + (c.n2-1)*s2 + (c.n1-1)*s1 + c.k)
		*a = pointer(x)
		for i := range c.tiles * c.half * c.n2 * c.n1 {
			rest := i / c.tiles
			first := i%c.tiles*tile + rest%c.half*lda + rest/c.half%c.n2*s2 + rest/c.half/c.n2*s1
			m.fill(x[first:][:c.k])
		}
	}
	if c.bias {
		args.Bias = pointer(m.integers(c.cols))
	}
	args.C0, args.C1, args.LdC, args.TileC = c.rows(m, c.residual == residualIsResult)
	switch c.residual {
	case residualIsResult:
		args.R0, args.R1, args.LdR, args.TileR = args.C0, args.C1, args.LdC, args.TileC
	case ownResidual:
		args.R0, args.R1, args.LdR, args.TileR = c.rows(m, true)
	}
	return args
}

// rows lends the rows of both segments of all tiles, with gaps between them, and fills the rows if
// filled is true. It returns the first row of each segment, and the distances between rows and
// between tiles.
func (c productCase) rows(m *memory, filled bool) (first, second unsafe.Pointer, row, next uintptr) {
	ld := c.cols + m.rng.IntN(4)
	tile := c.half*ld + m.rng.IntN(4)
	var p [2]unsafe.Pointer
	for s := range p {
		x := m.guards((c.tiles-1)*tile + (c.half-1)*ld + c.cols)
		p[s] = pointer(x)
		for i := range c.tiles * c.half {
			if filled {
				m.fill(x[i/c.half*tile+i%c.half*ld:][:c.cols])
			}
		}
	}
	return p[0], p[1], uintptr(4 * ld), uintptr(4 * tile)
}

// productLoop runs the Go loop, whose tiles are narrower, over one group of columns after another.
func productLoop(args *Product, half, cols int) {
	b := unsafe.Slice((*float32)(args.B), args.N2*args.N1*args.K*cols)
	for j := 0; j < cols; j += ProductCols {
		var part []float32
		for row := range slices.Chunk(b, cols) {
			part = append(part, row[j:j+ProductCols]...)
		}
		narrow := *args
		narrow.B = pointer(part)
		for _, p := range []*unsafe.Pointer{&narrow.Bias, &narrow.R0, &narrow.R1, &narrow.C0, &narrow.C1} {
			if *p != nil {
				*p = unsafe.Add(*p, 4*j)
			}
		}
		ProductGo(&narrow, half)
	}
}
