package picture

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"slices"
	"testing"

	"github.com/go-analyze/charts"
)

// A curve of any length is a PNG of the usual size.
func TestLossPlot(t *testing.T) {
	for _, n := range []int{1, 2, 399, 1000} {
		losses := make([]float32, n)
		for i := range losses {
			losses[i] = 0.2 + 1/float32(i+1)
		}
		var file bytes.Buffer
		if err := WriteLossPlot(&file, LossPlot{Title: "a run", Loss: "its loss"}, losses, nil); err != nil {
			t.Fatal(err)
		}
		if m, err := png.Decode(&file); err != nil || m.Bounds().Dx() < 500 {
			t.Errorf("%d steps: %v", n, err)
		}
	}
	if means := stretch([]float32{1, 3, 5, 7, 9}, 8, 4); !slices.Equal(means, []float64{2, 6, 9}) {
		t.Errorf("means %v", means)
	}
	line := plotLine([]float64{5, 2}, 3, 4)
	if null := charts.GetNullValue(); !slices.Equal(line, []float64{null, 4, 2, null}) {
		t.Errorf("line %v", line)
	}
}

// The axis of steps ends at a tick, and each tick is the end of a stretch.
func TestPlotAxis(t *testing.T) {
	for steps, want := range map[int][3]int{
		1: {1, 1, 1}, 7: {7, 7, 7}, 9: {10, 5, 10}, 80: {80, 8, 80}, 81: {100, 5, 100},
		1234: {1400, 7, 399}, 40000: {40000, 8, 400}, 1 << 30: {1_200_000_000, 6, 396},
	} {
		total, ticks, n := plotAxis(steps)
		if got := [3]int{total, ticks, n}; got != want {
			t.Errorf("%d steps: total, ticks, stretches %v, want %v", steps, got, want)
		}
		labels := plotLabels(total, ticks, n)
		for k := range ticks + 1 {
			if want := fmt.Sprint(k * total / ticks); labels[k*n/ticks] != want {
				t.Errorf("%d steps: label %s at tick %s", steps, labels[k*n/ticks], want)
			}
		}
		if total < steps || total%ticks != 0 || n%ticks != 0 || n > plotPoints || n > total {
			t.Errorf("%d steps: total %d, %d ticks, %d stretches", steps, total, ticks, n)
		}
	}
}

// Losses lie on straight lines between the points, which are cut off at 2.5, with gaps at both
// ends.
func TestHeldLine(t *testing.T) {
	const none = math.MaxFloat64
	line := heldLine([]HeldLoss{{20, 3}, {40, 1}, {80, 1}}, 100, 10, 2.5)
	for i, want := range []float64{none, none, 2.5, 2, 1, 1, 1, 1, 1, none, none} {
		if line[i] != want && math.Abs(line[i]-want) > 1e-12 {
			t.Errorf("point %d is %v, want %v: %v", i, line[i], want, line)
		}
	}
}
