//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"fmt"
	"testing"
	"unsafe"
)

// An outerRoutine is a tile in assembly.
type outerRoutine struct {
	target
	rows, cols int
	run        func(*Outer)
}

// An outerCase is a call of a routine that sums outer products.
type outerCase struct{ rows, cols, n2, n1, n0 int }

func TestOuter(t *testing.T) {
	for _, r := range outerRoutines {
		t.Run(fmt.Sprintf("%dx%d%s", r.rows, r.cols, r.name), func(t *testing.T) {
			r.need(t)
			for i := range 3 * 3 * 9 * 2 { // all counts, twice with different distances
				c := outerCase{rows: r.rows, cols: r.cols, n2: i%3 + 1, n1: i/3%3 + 1, n0: i/9%9 + 1}
				got, want, before := newMemory(uint64(i)), newMemory(uint64(i)), newMemory(uint64(i))
				c.lend(before)
				mustKeep(t, r.run, c.lend(got))
				outerLoop(c.lend(want), c.rows, c.cols)
				mustAgree(t, c, got, want, before, 0)
			}
		})
	}
}

// lend lends the operands, with vectors that overlap or leave gaps, at random.
func (c outerCase) lend(m *memory) *Outer {
	args := &Outer{N2: c.n2, N1: c.n1, N0: c.n0, Set: uintptr(m.rng.IntN(2))}
	args.A, args.LdA, args.StepA1, args.StepA2 = c.vectors(m, c.rows)
	args.B, args.LdB, args.StepB1, args.StepB2 = c.vectors(m, c.cols)
	ld := c.cols + m.rng.IntN(4)
	sums := m.guards((c.rows-1)*ld + c.cols)
	for i := range c.rows {
		if args.Set == 0 {
			m.fill(sums[i*ld:][:c.cols])
		}
	}
	args.C, args.LdC = pointer(sums), uintptr(4*ld)
	return args
}

func (c outerCase) vectors(m *memory, size int) (p unsafe.Pointer, distance, step1, step2 uintptr) {
	s0 := 1 + m.rng.IntN(size+3)
	s1 := 1 + m.rng.IntN(c.n0*s0+3)
	s2 := 1 + m.rng.IntN(c.n1*s1+3)
	x := m.guards((c.n2-1)*s2 + (c.n1-1)*s1 + (c.n0-1)*s0 + size)
	for i := range c.n2 * c.n1 * c.n0 {
		m.fill(x[i%c.n2*s2+i/c.n2%c.n1*s1+i/c.n2/c.n1*s0:][:size])
	}
	return pointer(x), uintptr(4 * s0), uintptr(4 * (s1 - c.n0*s0)), uintptr(4 * (s2 - c.n1*s1))
}

// outerLoop runs the Go loop, whose tiles are narrower, over one group of columns after another.
func outerLoop(args *Outer, rows, cols int) {
	for j := 0; j < cols; j += OuterCols {
		narrow := *args
		narrow.B, narrow.C = unsafe.Add(args.B, 4*j), unsafe.Add(args.C, 4*j)
		OuterGo(&narrow, rows)
	}
}
