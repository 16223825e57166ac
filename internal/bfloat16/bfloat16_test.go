package bfloat16

import (
	"math"
	"testing"
)

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		in   uint32
		want uint16
	}{
		{0x3f800000, 0x3f80}, // 1
		{0x3f807fff, 0x3f80}, // below half
		{0x3f808000, 0x3f80}, // half, to the even one below
		{0x3f808001, 0x3f81}, // above half
		{0x3f818000, 0x3f82}, // half, to the even one above
		{0xbf818000, 0xbf82},
		{0x7f7fffff, 0x7f80}, // beyond the largest
		{0x7f800000, 0x7f80},
		{0xff800000, 0xff80},
		{0x7fc00000, 0x7fc0}, // NaN
		{0xffc00000, 0xffc0},
		{0x80000000, 0x8000},
		{0x00008001, 0x0001}, // subnormal
	} {
		if got := From(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("From(%#08x) = %#04x, want %#04x", c.in, got, c.want)
		}
	}
}

// TestRoundTrip checks that each bfloat16 is its own nearest one.
func TestRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		b := uint16(i)
		if x := Float32(b); x == x && From(x) != b {
			t.Fatalf("From(Float32(%#04x)) = %#04x", b, From(x))
		}
	}
}

// TestNearest compares Round with a search among the neighbours.
func TestNearest(t *testing.T) {
	for i := uint32(0x3f7f0000); i < 0x3f830000; i += 7 {
		x := math.Float32frombits(i)
		low, high := Float32(uint16(i>>16)), Float32(uint16(i>>16+1))
		want := low
		if d := (x - low) - (high - x); d > 0 || d == 0 && i>>16&1 == 1 {
			want = high
		}
		if got := Round(x); got != want {
			t.Fatalf("Round(%v) = %v, want %v", x, got, want)
		}
	}
}
