package run

import (
	"bytes"
	"testing"
)

// FuzzMetrics reads logs that may be damaged. What it keeps of a log is kept as a whole the next
// time.
func FuzzMetrics(f *testing.F) {
	f.Add(string(Metric{Step: 1, Loss: 2}.appendJSON(nil)))
	f.Add("junk\n{}\n")
	f.Fuzz(func(t *testing.T, metrics string) {
		kept, losses, held := keepMetrics([]byte(metrics), 5)
		again, same, heldAgain := keepMetrics(kept, 5)
		if !bytes.Equal(kept, again) || len(same) != len(losses) || len(heldAgain) != len(held) {
			t.Errorf("kept %q, and then %q", kept, again)
		}
	})
}
