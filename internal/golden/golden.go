// Package golden compares tensors with golden numbers, which bench/peer/golden.py computes in
// float64.
package golden

import (
	"math"
	"testing"
)

// The bounds of [Check]: 1e-4 of the tensor's norm, but at least of 1e-3 of the largest gradient's.
const (
	tolerance = 1e-4
	least     = 1e-3
)

// Check fails the test unless ‖got − want‖ ≤ 1e-4·max(‖want‖, 1e-3·largest).
//
// Rounding in float32 adds up over the layers of a network. PyTorch's own float32 stays ten times
// below this bound. largest is the largest norm of a gradient of the network: a gradient that is
// zero in exact arithmetic, such as a bias's before a norm of one channel, is compared with that.
// For tensors that are not gradients it is 0.
func Check(t testing.TB, name string, got, want []float32, largest float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", name, len(got), len(want))
		return
	}
	difference := make([]float32, len(want))
	for i := range want {
		difference[i] = got[i] - want[i]
	}
	if e, bound := Norm(difference), tolerance*max(Norm(want), least*largest); !(e <= bound) {
		t.Errorf("%s: the difference has norm %.3g, want at most %.3g", name, e, bound)
	}
}

// Norm returns ‖x‖, the root of the sum of squares.
func Norm(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// ChannelsLast returns images in PyTorch's order, shape [N, C, H, W], as [N, H, W, C].
func ChannelsLast(x []float32, shape []int) []float32 {
	channels, pixels := shape[1], shape[2]*shape[3]
	out := make([]float32, len(x))
	for i, v := range x {
		image, channel, pixel := i/(channels*pixels), i/pixels%channels, i%pixels
		out[(image*pixels+pixel)*channels+channel] = v
	}
	return out
}
