package asm

import (
	"math"
	"unsafe"

	"github.com/fmimg/fmimg/internal/bfloat16"
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
	BF16                Formats // the maps that are bfloat16; the others are float32
}

// Formats is a set of the maps of a walk.
type Formats uint8

// The maps of a walk, as members of a set.
const (
	BF16X Formats = 1 << iota
	BF16Y
	BF16D
)

// An element is one channel of one pixel of the maps of a walk; it is 0 where a map is nil.
type element struct{ x, y, d float32 }

// pixels replaces y and d of each channel of each pixel by what f makes of them. It does not write
// a y that f leaves as it is. f takes numbers and not pointers: numbers of bfloat16 would need
// memory that each call allocates.
func (args *Channels) pixels(f func(c uintptr, e element) element) {
	var none float32 // stands for all pixels of a map that is nil
	mx := args.operand(args.X, args.LdX, args.StepX, BF16X).or(&none)
	my := args.operand(args.Y, args.LdY, args.StepY, BF16Y).or(&none)
	md := args.operand(args.D, args.LdD, args.StepD, BF16D).or(&none)
	lines, pixels := args.N1, args.N0
	for c := range uintptr(args.C) {
		x, y, d := mx.size*c, my.size*c, md.size*c
		for range lines {
			for range pixels {
				old := element{load(mx.memory, x, mx.size), load(my.memory, y, my.size), load(md.memory, d, md.size)}
				e := f(4*c, old)
				if math.Float32bits(e.y) != math.Float32bits(old.y) {
					store(my.memory, y, my.size, e.y)
				}
				store(md.memory, d, md.size, e.d)
				x, y, d = x+mx.ld, y+my.ld, d+md.ld
			}
			x, y, d = x+mx.step, y+my.step, d+md.step
		}
	}
}

// An operand is a map of a walk, with its distances and the size of its elements. Positions are
// offsets, because Go forbids a pointer past the end of a map.
type operand struct {
	memory         unsafe.Pointer
	ld, step, size uintptr
}

func (args *Channels) operand(m unsafe.Pointer, ld, step uintptr, format Formats) operand {
	if args.BF16&format != 0 {
		return operand{m, ld, step, 2}
	}
	return operand{m, ld, step, 4}
}

// or returns o, or if it is nil an operand of which each element is x.
func (o operand) or(x *float32) operand {
	if o.memory == nil {
		return operand{memory: unsafe.Pointer(x)}
	}
	return o
}

// load returns an element of the given size. Sizes other than 2 mean float32.
func load(m unsafe.Pointer, distance, size uintptr) float32 {
	if size == 2 {
		return bfloat16.Float32(*(*uint16)(unsafe.Add(m, distance)))
	}
	return *at(m, distance)
}

// store writes an element of the given size.
func store(m unsafe.Pointer, distance, size uintptr, v float32) {
	if size == 2 {
		*(*uint16)(unsafe.Add(m, distance)) = bfloat16.From(v)
		return
	}
	*at(m, distance) = v
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
	args.pixels(func(c uintptr, e element) element {
		diff := e.x - *at(args.P0, c)
		*at(args.S0, c) += diff
		*at(args.S1, c) += float32(diff * diff)
		return e
	})
}

// AffineGo sets d = x·P0 + P1.
func AffineGo(args *Channels) {
	args.pixels(func(c uintptr, e element) element {
		e.d = float32(e.x**at(args.P0, c)) + *at(args.P1, c)
		return e
	})
}

// AffineSiLUGo sets d = z/(1 + exp(-z)), z = x·P0 + P1.
func AffineSiLUGo(args *Channels) {
	args.pixels(func(c uintptr, e element) element {
		z := float32(e.x**at(args.P0, c)) + *at(args.P1, c)
		e.d = z * sigmoid(z)
		return e
	})
}

// NormSumsGo sets S0 = Σy and S1 = Σy·x̂, x̂ = x·P0 + P1.
func NormSumsGo(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, e element) element {
		xhat := float32(e.x**at(args.P0, c)) + *at(args.P1, c)
		*at(args.S0, c) += e.y
		*at(args.S1, c) += float32(e.y * xhat)
		return e
	})
}

// NormSiLUSumsGo sets d = SiLU(z) = z·s, where s = 1/(1 + exp(-z)), z = x̂·P2 + P3 and x̂ =
// x·P0 + P1. It replaces y, the gradient of SiLU(z), by the gradient of z, dz = y·s·(1 +
// z·(1-s)), and sets S0 = Σdz and S1 = Σdz·x̂.
func NormSiLUSumsGo(args *Channels) {
	args.clear(args.S0, args.S1)
	args.pixels(func(c uintptr, e element) element {
		xhat := float32(e.x**at(args.P0, c)) + *at(args.P1, c)
		z := float32(xhat**at(args.P2, c)) + *at(args.P3, c)
		s := sigmoid(z)
		e.d = z * s
		dz := e.y * float32(s*(1+float32(z*(1-s))))
		e.y = dz
		*at(args.S0, c) += dz
		*at(args.S1, c) += float32(dz * xhat)
		return e
	})
}

// NormGradGo sets d = y·P0 + x·P1 + P2.
func NormGradGo(args *Channels) {
	args.pixels(func(c uintptr, e element) element {
		e.d = float32(e.y**at(args.P0, c)) + (float32(e.x**at(args.P1, c)) + *at(args.P2, c))
		return e
	})
}

// NormGradAddGo adds y·P0 + x·P1 + P2 to d.
func NormGradAddGo(args *Channels) {
	args.pixels(func(c uintptr, e element) element {
		e.d += float32(e.y**at(args.P0, c)) + (float32(e.x**at(args.P1, c)) + *at(args.P2, c))
		return e
	})
}

// ColumnSumsGo sets S0 = Σy.
func ColumnSumsGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, e element) element {
		*at(args.S0, c) += e.y
		return e
	})
}

// MaximaGo sets S0 = P0 + max(0, x - P0) over the pixels: the largest x, if P0 is one of them. A
// difference that is NaN does not count.
func MaximaGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, e element) element {
		if diff := e.x - *at(args.P0, c); diff > *at(args.S0, c) {
			*at(args.S0, c) = diff
		}
		return e
	})
	for c := range uintptr(args.C) {
		*at(args.S0, 4*c) += *at(args.P0, 4*c)
	}
}

// ExpSumsGo sets d = exp(x·P0 + P1) and S0 = Σd.
func ExpSumsGo(args *Channels) {
	args.clear(args.S0)
	args.pixels(func(c uintptr, e element) element {
		e.d = exp(float32(e.x**at(args.P0, c)) + *at(args.P1, c))
		*at(args.S0, c) += e.d
		return e
	})
}

// SoftmaxGradGo sets d = x·(y·P0 + P1).
func SoftmaxGradGo(args *Channels) {
	args.pixels(func(c uintptr, e element) element {
		e.d = e.x * (float32(e.y**at(args.P0, c)) + *at(args.P1, c))
		return e
	})
}

// CopyMapGo sets d = x.
func CopyMapGo(args *Channels) {
	args.pixels(func(_ uintptr, e element) element {
		e.d = e.x
		return e
	})
}

// AddMapGo adds y to d.
func AddMapGo(args *Channels) {
	args.pixels(func(_ uintptr, e element) element {
		e.d += e.y
		return e
	})
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
