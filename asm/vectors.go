package asm

import (
	"math"
	"unsafe"
)

// Vectors describes element-wise work on up to four flat vectors of N elements, with scalars F.
type Vectors struct {
	X, Y, Z, W unsafe.Pointer
	N          int
	F          [9]float32
}

// AddGo adds Y to X.
func AddGo(args *Vectors) {
	x, y := unsafe.Slice((*float32)(args.X), args.N), unsafe.Slice((*float32)(args.Y), args.N)
	for i, v := range y {
		x[i] += v
	}
}

// LerpGo moves X towards Y by the share F[0].
func LerpGo(args *Vectors) {
	x, y := unsafe.Slice((*float32)(args.X), args.N), unsafe.Slice((*float32)(args.Y), args.N)
	for i, v := range y {
		x[i] += float32(args.F[0] * (v - x[i]))
	}
}

// SumSquaresGo sets X[0] = ΣY². The assembly sets a partial sum for each of its lanes.
func SumSquaresGo(args *Vectors) {
	var sum float32
	for _, v := range unsafe.Slice((*float32)(args.Y), args.N) {
		sum += float32(v * v)
	}
	*(*float32)(args.X) = sum
}

// AdamWGo steps parameters X with first moments Y, second moments Z and gradient W:
//
//	g = F0·W; Y = F2·Y + F3·g; Z = F4·Z + F5·g²; X = F1·X - F8·Y/(F6·√Z + F7)
func AdamWGo(args *Vectors) {
	p, m := unsafe.Slice((*float32)(args.X), args.N), unsafe.Slice((*float32)(args.Y), args.N)
	v, grad := unsafe.Slice((*float32)(args.Z), args.N), unsafe.Slice((*float32)(args.W), args.N)
	f := &args.F
	for i, g := range grad {
		g *= f[0]
		m[i] = float32(f[2]*m[i]) + float32(f[3]*g)
		v[i] = float32(f[4]*v[i]) + float32(f[5]*float32(g*g))
		root := float32(math.Sqrt(float64(v[i])))
		p[i] = float32(f[1]*p[i]) - float32(f[8]*(m[i]/(float32(f[6]*root)+f[7])))
	}
}

// ExpGo sets X = exp(Y), with Y clamped to [-87, 88]. X may be Y.
func ExpGo(args *Vectors) {
	x, y := unsafe.Slice((*float32)(args.X), args.N), unsafe.Slice((*float32)(args.Y), args.N)
	for i, v := range y {
		x[i] = exp(v)
	}
}

// PeakGo does args.N rounds of PeakChains multiplications and additions on one lane.
func PeakGo(args *Vectors) {
	var a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3 float32
	x, y := args.F[0], args.F[1]
	for range args.N {
		a0, a1, a2, a3 = a0*y+x, a1*y+x, a2*y+x, a3*y+x
		b0, b1, b2, b3 = b0*y+x, b1*y+x, b2*y+x, b3*y+x
		c0, c1, c2, c3 = c0*y+x, c1*y+x, c2*y+x, c3*y+x
	}
	args.F[2] = a0 + a1 + a2 + a3 + b0 + b1 + b2 + b3 + c0 + c1 + c2 + c3
}
