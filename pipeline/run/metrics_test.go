package run

import (
	"strings"
	"testing"
)

// A crash may leave half a line, or lines after the last checkpoint, at the end of the log. They
// are dropped.
func TestKeepMetrics(t *testing.T) {
	var text []byte
	for step := 1; step <= 5; step++ {
		text = Metric{Step: step, Loss: float64(step), Validation: float64(step / 4)}.appendJSON(text)
	}
	for _, c := range []struct {
		text  []byte
		steps int
		want  int
	}{{text, 5, 5}, {text, 3, 3}, {text[:len(text)-4], 5, 4}, {nil, 5, 0}, {[]byte("junk\n"), 5, 0}} {
		kept, losses, held := keepMetrics(c.text, c.steps)
		if len(held) != max(0, c.want-3) {
			t.Errorf("%d validation losses of %d steps", len(held), c.want)
		}
		if len(losses) != c.want || strings.Count(string(kept), "\n") != c.want {
			t.Errorf("kept %q, %v, want %d lines", kept, losses, c.want)
		}
	}
}
