package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The shapes are images, rows of a in each image, rows of b, and the length of rows. They include
// remainders of every tile, rows so long that their sums are cut into parts, and a single number.
var matMulShapes = []struct{ images, m, n, k int }{
	{1, 1, 1, 1}, {1, 1, 33, 7}, {2, 14, 32, 16}, {3, 13, 47, 5}, {1, 126, 128, 784}, {1, 29, 16, 5000}, {1, 3, 8, 64},
}

func TestMatMul(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, s := range matMulShapes {
			t.Run(fmt.Sprintf("%dx%dx%dx%d", s.images, s.m, s.n, s.k), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, uint64(s.k)))
				a, aOK := testMap(rng, s.images, 1, s.m, s.k, 2, 3, 0)
				c, cOK := testMap(rng, s.images, 1, s.m, s.n, 1, 5, 0)
				b := randoms(rng, s.n*s.k)
				var want []float64
				for i := range s.images * s.m {
					for j := range s.n {
						want = append(want, dot(a.At(i/s.m, 0, i%s.m), b[j*s.k:][:s.k]))
					}
				}
				m, scratch := MatMul{ISA: isa}, Scratch{}
				m.Pack(randoms(rng, 2*s.n*s.k), s.k) // the second Pack must replace this
				m.Pack(b, s.k)
				m.Mul(&scratch, c, a)
				// Sums of up to 5000 random products in float32 stay within 3e-6.
				mustBeClose(t, "product", dense(c), want, convBound)
				mustBeIntact(t, aOK, cOK)
			})
		}
	})
}

func TestMatMulPanics(t *testing.T) {
	m, s := MatMul{ISA: Generic}, Scratch{}
	mustPanic(t, "Pack", func() { m.Pack(make([]float32, 7), 3) }, "7 elements", "rows of 3")
	m.Pack(make([]float32, 6), 3)
	c, wide, tall, flat := NewDense(1, 1, 4, 2), NewDense(1, 1, 4, 4), NewDense(1, 1, 5, 3), NewDense(1, 1, 2, 3)
	mustPanic(t, "Mul", func() { m.Mul(&s, c, wide) }, "2 rows of 3", "[1 1 4 4]", "[1 1 4 2]")
	mustPanic(t, "Times", func() { m.Times(&s, flat, flat, flat) }, "[1 1 2 3]")
	mustPanic(t, "Mul of other rows", func() { m.Mul(&s, c, tall) }, "[1 1 5 3]", "[1 1 4 2]")
}

// matrix makes a view of the middle columns of a random matrix.
func matrix(rng *rand.Rand, rows, cols int) (m Map, intact func() error) {
	return testMap(rng, 1, 1, rows, cols, 16, 16, 0)
}

// Each product agrees with a sum in float64, for sizes around and above the sizes of tiles, and
// leaves the memory around its result alone. An entry sums k products of normal deviates in
// float32. Each of its k additions rounds a partial sum of about √k by 2⁻²⁴ at random, so
// the error is about k·2⁻²⁴. The tolerance is four times that, and a little more for small k.
func TestProducts(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		m, s := &MatMul{ISA: isa}, &Scratch{}
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
				expectProduct(t, "a·b", c, k, tolerance, func(i, j, l int) float64 {
					return at(a, i, l) * at(b, l, j)
				})
				m.TimesTransposed(s, c, a, bT)
				expectProduct(t, "a·bᵀ", c, k, tolerance, func(i, j, l int) float64 {
					return at(a, i, l) * at(bT, j, l)
				})
				c.Clear()
				m.AddTransposedTimes(s, c, aT, b)
				m.AddTransposedTimes(s, c, aT, b)
				expectProduct(t, "2·aᵀ·b", c, k, 2*tolerance, func(i, j, l int) float64 {
					return 2 * at(aT, l, i) * at(b, l, j)
				})
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
