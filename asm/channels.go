package asm

import (
	"math"
	"unsafe"
)

// Channels describes a walk over N1 lines of N0 pixels of up to three maps. The C channels of a
// pixel lie side by side; the parameters P0 to P3 and the sums S0 and S1 are vectors of C elements.
type Channels struct {
	X, Y, D             unsafe.Pointer // first pixels; walks write to D, and NormSiLUSums to Y too
	LdX, LdY, LdD       uintptr        // distances between two pixels of a line
	StepX, StepY, StepD uintptr        // from the end of a line to the beginning of the next
	N0, N1              int            // pixels of a line, lines; each at least 1
	C                   int            // channels
	P0, P1, P2, P3      unsafe.Pointer
	S0, S1              unsafe.Pointer
}

// pixels calls f for each channel of each pixel, with nil for maps that are nil. It keeps positions
// as offsets, because Go forbids a pointer past the end of a map.
func (args *Channels) pixels(f func(c uintptr, x, y, d *float32)) {
	for c := range uintptr(args.C) {
		x, y, d := 4*c, 4*c, 4*c
		for range args.N1 {
			for range args.N0 {
				f(4*c, element(args.X, x), element(args.Y, y), element(args.D, d))
				x, y, d = x+args.LdX, y+args.LdY, d+args.LdD
			}
			x, y, d = x+args.StepX, y+args.StepY, d+args.StepD
		}
	}
}

func element(m unsafe.Pointer, distance uintptr) *float32 {
	if m == nil {
		return nil
	}
	return at(m, distance)
}

// clear sets the given sums to zero.
func (args *Channels) clear(sums ...unsafe.Pointer) {
	for _, s := range sums {
		clear(unsafe.Slice((*float32)(s), args.C))
	}
}

// MomentsGo sets S0 = Σ(x - P0) and S1 = Σ(x - P0)².
func MomentsGo(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, x, _, _ *float32) {
		e := *x - *at(args.P0, c)
		*at(args.S0, c) += e
		*at(args.S1, c) += float32(e * e)
	})
}

// AffineGo sets d = x·P0 + P1.
func AffineGo(args *Channels) {
	args.pixels(func(c uintptr, x, _, d *float32) {
		*d = float32(*x**at(args.P0, c)) + *at(args.P1, c)
	})
}

// AffineSiLUGo sets d = z/(1 + exp(-z)), z = x·P0 + P1.
func AffineSiLUGo(args *Channels) {
	args.pixels(func(c uintptr, x, _, d *float32) {
		z := float32(*x**at(args.P0, c)) + *at(args.P1, c)
		*d = z * sigmoid(z)
	})
}

// NormSumsGo sets S0 = Σy and S1 = Σy·x̂, x̂ = x·P0 + P1.
func NormSumsGo(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, x, y, _ *float32) {
		xhat := float32(*x**at(args.P0, c)) + *at(args.P1, c)
		*at(args.S0, c) += *y
		*at(args.S1, c) += float32(*y * xhat)
	})
}

// NormSiLUSumsGo sets d = SiLU(z) = z·s, where s = 1/(1 + exp(-z)), z = x̂·P2 + P3 and x̂ =
// x·P0 + P1. It replaces y, the gradient of SiLU(z), by the gradient of z, dz = y·s·(1 +
// z·(1-s)), and sets S0 = Σdz and S1 = Σdz·x̂.
func NormSiLUSumsGo(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, x, y, d *float32) {
		xhat := float32(*x**at(args.P0, c)) + *at(args.P1, c)
		z := float32(xhat**at(args.P2, c)) + *at(args.P3, c)
		s := sigmoid(z)
		*d = z * s
		dz := *y * float32(s*(1+float32(z*(1-s))))
		*y = dz
		*at(args.S0, c) += dz
		*at(args.S1, c) += float32(dz * xhat)
	})
}

// NormGradGo sets d = y·P0 + x·P1 + P2.
func NormGradGo(args *Channels) {
	args.pixels(func(c uintptr, x, y, d *float32) {
		*d = float32(*y**at(args.P0, c)) + (float32(*x**at(args.P1, c)) + *at(args.P2, c))
	})
}

// NormGradAddGo adds y·P0 + x·P1 + P2 to d.
func NormGradAddGo(args *Channels) {
	args.pixels(func(c uintptr, x, y, d *float32) {
		*d += float32(*y**at(args.P0, c)) + (float32(*x**at(args.P1, c)) + *at(args.P2, c))
	})
}

// ColumnSumsGo sets S0 = Σy.
func ColumnSumsGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, _, y, _ *float32) { *at(args.S0, c) += *y })
}

// MaximaGo sets S0 = P0 + max(0, x - P0) over the pixels: the largest x, if P0 is one of them. A
// difference that is NaN does not count.
func MaximaGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, x, _, _ *float32) {
		if e := *x - *at(args.P0, c); e > *at(args.S0, c) {
			*at(args.S0, c) = e
		}
	})
	for c := range uintptr(args.C) {
		*at(args.S0, 4*c) += *at(args.P0, 4*c)
	}
}

// ExpSumsGo sets d = exp(x·P0 + P1) and S0 = Σd.
func ExpSumsGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, x, _, d *float32) {
		*d = exp(float32(*x**at(args.P0, c)) + *at(args.P1, c))
		*at(args.S0, c) += *d
	})
}

// SoftmaxGradGo sets d = x·(y·P0 + P1).
func SoftmaxGradGo(args *Channels) {
	args.pixels(func(c uintptr, x, y, d *float32) {
		*d = *x * (float32(*y**at(args.P0, c)) + *at(args.P1, c))
	})
}

// AddMapGo adds y to d.
func AddMapGo(args *Channels) {
	args.pixels(func(_ uintptr, _, y, d *float32) { *d += *y })
}

func sigmoid(z float32) float32 { return 1 / (1 + exp(-z)) }

// exp returns e^x, x clamped to [-87, 88], by the steps of the assembly: x = n·ln 2 + r, and a
// polynomial of degree 5 in r, whose coefficients asm/gen explains. The error is at most 2 units in
// the last place.
func exp(x float32) float32 {
	if x != x {
		return x
	}
	x = max(min(x, 88), -87)
	n := float32(math.RoundToEven(float64(x * math.Log2E)))
	r := float32(x-float32(n*0.693359375)) - float32(n*-2.12194440e-4)
	p := float32(0.008262676186859608)
	for _, c := range [...]float32{0.04189862310886383, 0.1666816920042038, 0.49999138712882996, 0.999999463558197} {
		p = float32(p*r) + c
	}
	p = float32(float64(p)*float64(r) + 1) // rounded once, as the fused step of the assembly is
	return math.Float32frombits(math.Float32bits(p) + uint32(int32(n))<<23)
}
