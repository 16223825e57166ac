package keyed_test

import (
	"math/bits"
	"testing"

	"github.com/fmimg/fmimg/internal/keyed"
)

// The first numbers of the generator with seed 1234567, as Vigna's splitmix64.c prints them.
func TestSplitMix64(t *testing.T) {
	state := uint64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := keyed.SplitMix64(state); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
		state += keyed.Increment
	}
}

// One bit of the key changes half of the bits of the result, 32 of 64 with a standard deviation of
// 4. The mean of 64·64 such counts has a standard deviation of 1/16, of which 5 are allowed.
func TestBitsSpread(t *testing.T) {
	sum := 0
	for i := range uint64(64) {
		for bit := range 64 {
			sum += bits.OnesCount64(keyed.SplitMix64(i) ^ keyed.SplitMix64(i^1<<bit))
		}
	}
	if mean := float64(sum) / (64 * 64); mean < 32-5./16 || mean > 32+5./16 {
		t.Errorf("a bit of the key changes %v bits of 64", mean)
	}
}
