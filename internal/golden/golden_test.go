package golden

import (
	"math"
	"slices"
	"testing"
)

// A recorder notes that a test failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestCheck(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want []float32
		largest   float64
		fails     bool
	}{
		{"equal", []float32{3, 4}, []float32{3, 4}, 0, false},
		{"within 1e-4 of 5", []float32{3.0004, 4}, []float32{3, 4}, 0, false},
		{"beyond 1e-4 of 5", []float32{3.0006, 4}, []float32{3, 4}, 0, true},
		{"a sign", []float32{-3, 4}, []float32{3, 4}, 1e3, true},
		{"zero within 1e-7 of the largest", []float32{5e-7}, []float32{0}, 10, false},
		{"zero beyond 1e-7 of the largest", []float32{2e-6}, []float32{0}, 10, true},
		{"not a number", []float32{nan}, []float32{1}, 1, true},
		{"another length", []float32{1}, []float32{1, 0}, 0, true},
	} {
		r := &recorder{TB: t}
		if Check(r, c.name, c.got, c.want, c.largest); r.failed != c.fails {
			t.Errorf("%s: failed is %t, want %t", c.name, r.failed, c.fails)
		}
	}
}

// Two images of two channels with three pixels: each pixel's channels come together.
func TestChannelsLast(t *testing.T) {
	x := []float32{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}
	want := []float32{0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112}
	if got := ChannelsLast(x, []int{2, 2, 1, 3}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
