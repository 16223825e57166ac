package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// matrix makes a view of the middle columns of a random matrix.
func matrix(rng *rand.Rand, rows, cols int) (m Map, intact func() error) {
	return testMap(rng, 1, 1, rows, cols, 16, 16, 0)
}

// Each of the three products agrees with a sum in float64, for sizes around the tiles' and above, and leaves what lies
// round its result alone. An entry sums k products of normal numbers in float32: k additions of partial sums of about √k
// round by 2^-24 of those each, at random, so about k·2^-24 in all; four times that, and a few for the first, are allowed.
func TestMatmul(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		m, s := &Matmul{ISA: isa}, &Scratch{}
		rng := rand.New(rand.NewPCG(9, 1))
		for _, size := range [][3]int{{1, 1, 1}, {5, 3, 7}, {14, 32, 32}, {33, 17, 65}, {64, 576, 64}, {130, 49, 96}} {
			rows, k, cols := size[0], size[1], size[2]
			t.Run(fmt.Sprintf("%dx%dx%d", rows, k, cols), func(t *testing.T) {
				tolerance := float64(k+8) * 0x1p-22
				a, okA := matrix(rng, rows, k)
				aT, okAT := matrix(rng, k, rows)
				b, okB := matrix(rng, k, cols)
				bT, okBT := matrix(rng, cols, k)
				c, okC := matrix(rng, rows, cols)

				m.Times(s, c, a, b)
				expectProduct(t, "a·b", c, k, tolerance, func(i, j, l int) float64 { return at(a, i, l) * at(b, l, j) })
				m.TimesTransposed(s, c, a, bT)
				expectProduct(t, "a·bᵀ", c, k, tolerance, func(i, j, l int) float64 { return at(a, i, l) * at(bT, j, l) })
				c.Clear()
				m.AddTransposedTimes(s, c, aT, b)
				m.AddTransposedTimes(s, c, aT, b)
				expectProduct(t, "2·aᵀ·b", c, k, 2*tolerance, func(i, j, l int) float64 { return 2 * at(aT, l, i) * at(b, l, j) })
				mustBeIntact(t, okA, okAT, okB, okBT, okC)
			})
		}
	})
}

func at(m Map, row, col int) float64 { return float64(m.At(0, 0, row)[col]) }

// expectProduct compares every entry of c with the sum of k terms.
func expectProduct(t *testing.T, what string, c Map, k int, tolerance float64, term func(i, j, l int) float64) {
	t.Helper()
	for i := range c.W {
		for j := range c.C {
			want := 0.0
			for l := range k {
				want += term(i, j, l)
			}
			if got := at(c, i, j); !(math.Abs(got-want) <= tolerance) {
				t.Fatalf("%s: entry %d, %d is %g, want %g", what, i, j, got, want)
			}
		}
	}
}

func TestMatmulRefusesShapes(t *testing.T) {
	m := &Matmul{ISA: Generic}
	defer func() {
		if recover() == nil {
			t.Error("2x3 times 2x3 did not panic")
		}
	}()
	m.Times(&Scratch{}, NewDense(1, 1, 2, 3), NewDense(1, 1, 2, 3), NewDense(1, 1, 2, 3))
}
