package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// vectors applies a routine to operands of one length: the assembly to whole vectors, and the Go
// loop to the rest.
func (isa ISA) vectors(routine flatRoutine, v asm.Vectors) {
	for left := v.N; left > 0; {
		v.N = min(left, isa.piece())
		n := isa.flat(routine, v)
		if n == 0 {
			flatGo(routine, &v)
			n = v.N
		}
		if left -= n; left > 0 {
			v.X, v.Y, v.Z, v.W = advance(v.X, n), advance(v.Y, n), advance(v.Z, n), advance(v.W, n)
		}
	}
}

// advance moves a pointer by n elements; nil stays nil.
func advance(p unsafe.Pointer, n int) unsafe.Pointer {
	if p == nil {
		return nil
	}
	return unsafe.Add(p, 4*n)
}

func pointer(x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

func mustEqualLen(what string, first []float32, others ...[]float32) {
	for _, o := range others {
		if len(o) != len(first) {
			panic(fmt.Sprintf("kernels: %s: lengths %d and %d differ", what, len(first), len(o)))
		}
	}
}

// Add adds src to dst, of the same length.
func (isa ISA) Add(dst, src []float32) {
	mustEqualLen("add", dst, src)
	isa.vectors(add, asm.Vectors{X: pointer(dst), Y: pointer(src), N: len(dst)})
}

// Lerp moves dst towards src by the share w: dst += w·(src - dst).
func (isa ISA) Lerp(dst, src []float32, w float32) {
	mustEqualLen("lerp", dst, src)
	isa.vectors(lerp, asm.Vectors{X: pointer(dst), Y: pointer(src), N: len(dst), F: [9]float32{w}})
}

// Exp sets dst = exp(src), with src clamped to [-87, 88]. The error is at most 2 units in the last
// place. dst may be src.
func (isa ISA) Exp(dst, src []float32) {
	mustEqualLen("exp", dst, src)
	isa.vectors(exp, asm.Vectors{X: pointer(dst), Y: pointer(src), N: len(dst)})
}

// SumSquares returns Σx². It sums squaresChunk elements at a time in float32, one sum for each
// lane, and adds these sums up in float64: the relative error stays below 1e-5.
func (isa ISA) SumSquares(x []float32) float64 {
	var total float64
	var sums [maxLanes]float32
	for len(x) > 0 {
		part := x[:min(len(x), squaresChunk)]
		x = x[len(part):]
		for len(part) > 0 {
			clear(sums[:])
			v := asm.Vectors{X: pointer(sums[:]), Y: pointer(part), N: len(part)}
			n := isa.flat(sumSquares, v)
			if n == 0 {
				flatGo(sumSquares, &v)
				n = len(part)
			}
			for _, s := range sums {
				total += float64(s)
			}
			part = part[n:]
		}
	}
	return total
}

// AdamWStep holds the settings of one step of AdamW (Loshchilov and Hutter, 2019, algorithm 2).
type AdamWStep struct {
	LR, Beta1, Beta2, Eps float32
	Decay                 float32 // weight decay λ; parameters shrink by LR·λ
	Bias1, Bias2          float32 // 1 - β₁ᵗ and 1 - β₂ᵗ for step t = 1, 2, …
	GradScale             float32 // factor on the gradient, for clipping
}

// AdamW steps the parameters p, with moments m and v and gradient g. All four have the same length.
func (isa ISA) AdamW(p, m, v, g []float32, h AdamWStep) {
	mustEqualLen("AdamW", p, m, v, g)
	root := float32(1 / math.Sqrt(float64(h.Bias2)))
	isa.vectors(adamW, asm.Vectors{
		X: pointer(p), Y: pointer(m), Z: pointer(v), W: pointer(g), N: len(p),
		F: [9]float32{
			h.GradScale, 1 - h.LR*h.Decay, h.Beta1, 1 - h.Beta1, h.Beta2, 1 - h.Beta2,
			root, h.Eps, h.LR / h.Bias1,
		},
	})
}
