package picture

import (
	"math"
	"testing"
)

func TestHeldLine(t *testing.T) {
	const none = math.MaxFloat64
	line := heldLine([]HeldLoss{{20, 3}, {40, 1}, {80, 1}}, 100, 10, 2.5)
	for i, want := range []float64{none, none, 2.5, 2, 1, 1, 1, 1, 1, none, none} {
		if line[i] != want && math.Abs(line[i]-want) > 1e-12 {
			t.Errorf("point %d is %v, want %v: %v", i, line[i], want, line)
		}
	}
}
