//go:build (amd64 || arm64) && !noasm && !purego

package asm

import (
	"fmt"
	"testing"
	"unsafe"
)

// A transformMatrix is a matrix, and what its routine does beside M·X·Mᵀ; see [TransformGo].
type transformMatrix struct {
	name      string
	m         [][]float32
	clip, add bool
	half      bool // whether the destination and the addend are bfloat16
}

// A transformCase is a call of a routine that transforms tiles.
type transformCase struct {
	out, in    int
	vectors, n int
	rows, cols int  // of the result that are wanted
	addend     bool // whether Add is set
	add        bool // whether the routine adds to the destination
	half       bool // whether the destination and the addend are bfloat16
}

// The operands are normal deviates, so that a result never equals the old content by chance. The
// sums, of up to 36 products with factors of up to 64, differ by rounding.
const transformTolerance = 2e-5

func TestTransform(t *testing.T) {
	for _, r := range transformMatrices {
		eachTarget(t, transformRoutines, r.name, func(t *testing.T, v implementation[Transform]) {
			out, in := len(r.m), len(r.m[0])
			for i := range 2 * 3 * 2 * 2 * 2 {
				c := transformCase{
					out: out, in: in, vectors: (i%2 + 1) * v.lanes, n: i/2%3 + 1, add: r.add, half: r.half,
					rows: out, cols: out, addend: r.clip && i/12%2 == 1,
				}
				if r.clip && i/24 == 1 {
					c.rows, c.cols = i%out+1, (i/2)%out+1
				}
				got, want, before := newMemory(uint64(i)), newMemory(uint64(i)), newMemory(uint64(i))
				c.lend(before)
				mustKeep(t, v.run, c.lend(got))
				TransformGo(c.lend(want), r.m, r.clip, r.add, r.half)
				mustAgree(t, fmt.Sprintf("%+v", c), got, want, before, transformTolerance)
			}
		})
	}
}

// lend lends the operands. Rows and columns of the input overlap or leave gaps, at random.
func (c transformCase) lend(m *memory) *Transform {
	args := &Transform{N: c.n, Bytes: c.size() * uintptr(c.vectors), Rows: c.rows, Cols: c.cols}
	step := c.vectors + m.rng.IntN(3)
	col, row := step*c.n+m.rng.IntN(3), 0
	row = col*c.in + m.rng.IntN(3)
	src := m.guards((c.in-1)*(row+col) + (c.n-1)*step + c.vectors)
	for i := range c.in * c.in * c.n {
		m.fillNormals(src[i%c.in*row+i/c.in%c.in*col+i/c.in/c.in*step:][:c.vectors])
	}
	args.Src, args.SrcStep = pointer(src), uintptr(4*step)
	for i := range c.in {
		args.SrcRow[i], args.SrcCol[i] = uintptr(4*i*row), uintptr(4*i*col)
	}
	args.Dst, args.DstRow, args.DstCol, args.DstStep = c.result(m, c.add)
	if c.addend {
		args.Add, args.AddRow, args.AddCol, args.AddStep = c.result(m, true)
	}
	return args
}

// result lends room for the wanted part of the tiles of the result; it is filled if the routine
// adds to it.
func (c transformCase) result(m *memory, filled bool) (p unsafe.Pointer, row, col, step uintptr) {
	s := c.vectors + m.rng.IntN(3)
	k := s*c.n + m.rng.IntN(3)
	l := k*c.cols + m.rng.IntN(3)
	size := (c.rows-1)*l + (c.cols-1)*k + (c.n-1)*s + c.vectors
	var fill func(at int)
	if c.half {
		x := m.halfGuards(size)
		p, fill = unsafe.Pointer(unsafe.SliceData(x)), func(at int) { m.drawHalf(x[at:][:c.vectors], drawInteger) }
	} else {
		x := m.guards(size)
		p, fill = pointer(x), func(at int) { m.fill(x[at:][:c.vectors]) }
	}
	if filled {
		for i := range c.rows * c.cols * c.n {
			fill(i%c.rows*l + i/c.rows%c.cols*k + i/c.rows/c.cols*s)
		}
	}
	return p, c.size() * uintptr(l), c.size() * uintptr(k), c.size() * uintptr(s)
}

// size is the size of an element of the destination.
func (c transformCase) size() uintptr {
	if c.half {
		return 2
	}
	return 4
}
