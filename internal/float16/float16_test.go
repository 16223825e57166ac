package float16

import (
	"math"
	"testing"
)

// halfValue computes the value of a finite binary16 number from the definition in IEEE 754, in
// float64.
func halfValue(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(1+fraction/1024, exponent-15)
	if exponent == 0 {
		v = math.Ldexp(fraction/1024, -14)
	}
	if h>>15 == 1 {
		return math.Copysign(v, -1)
	}
	return v
}

func TestFloat32IsExact(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		got := float64(Float32(h))
		if h&halfInf == halfInf {
			if isNaN := h&halfFractionMask != 0; math.IsNaN(got) != isNaN || math.IsInf(got, 0) == isNaN {
				t.Fatalf("Float32(%#04x) = %v", h, got)
			}
			continue
		}
		if want := halfValue(h); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Fatalf("Float32(%#04x) = %v, want %v", h, got, want)
		}
	}
}

func TestFromInvertsFloat32(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		if h&halfInf == halfInf && h&halfFractionMask != 0 {
			continue // NaN has many bit patterns
		}
		if got := From(Float32(h)); got != h {
			t.Fatalf("From(Float32(%#04x)) = %#04x", h, got)
		}
	}
}

// TestFromRoundsToNearestEven narrows the point half-way between each two neighbours, and the
// float32 numbers on either side of that point. The largest half has the neighbour 65536, an
// infinity.
func TestFromRoundsToNearestEven(t *testing.T) {
	for i := range uint16(halfInf) {
		above := halfValue(i + 1)
		middle := float32((halfValue(i) + above) / 2) // 12 bits: exact
		even := i + i&1
		checkNarrow(t, middle, even)
		checkNarrow(t, math.Nextafter32(middle, 0), i)
		checkNarrow(t, math.Nextafter32(middle, 1e9), i+1)
	}
}

func checkNarrow(t *testing.T, x float32, want uint16) {
	t.Helper()
	if got := From(x); got != want {
		t.Fatalf("From(%v) = %#04x, want %#04x", x, got, want)
	}
	if got := From(-x); got != want|halfSign {
		t.Fatalf("From(%v) = %#04x, want %#04x", -x, got, want|halfSign)
	}
}

func TestFromExtremes(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{float32(math.Inf(1)), 0x7c00}, {float32(math.Inf(-1)), 0xfc00}, {math.MaxFloat32, 0x7c00},
		{65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00},
		{math.SmallestNonzeroFloat32, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3c00}, {-2, 0xc000},
	} {
		if got := From(c.x); got != c.want {
			t.Errorf("From(%v) = %#04x, want %#04x", c.x, got, c.want)
		}
		if fits := c.want&halfInf != halfInf; Fits(c.x) != fits {
			t.Errorf("Fits(%v) = %v", c.x, !fits)
		}
	}
	if h := From(float32(math.NaN())); h&halfInf != halfInf || h&halfFractionMask == 0 {
		t.Errorf("From(NaN) = %#04x, which is not a NaN", h)
	}
}
