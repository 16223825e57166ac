package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// matMulShapes are images, rows of a in each, rows of b and their length: tails of every tile, lengths
// whose sums are cut into parts, a single number.
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
				m.Pack(randoms(rng, 2*s.n*s.k), s.k) // a second Pack must leave nothing of the first
				m.Pack(b, s.k)
				m.Mul(&scratch, c, a)
				// Sums of up to 5000 random products in float32 keep 3e-6, as a convolution's do.
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
	mustPanic(t, "Mul", func() { m.Mul(&s, NewDense(1, 1, 4, 2), NewDense(1, 1, 4, 4)) }, "2 rows of 3", "[1 1 4 4]", "[1 1 4 2]")
	mustPanic(t, "Mul of other rows", func() { m.Mul(&s, NewDense(1, 1, 4, 2), NewDense(1, 1, 5, 3)) }, "[1 1 5 3]", "[1 1 4 2]")
}
