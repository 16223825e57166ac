package text

import "testing"

// Each function spells as its comment says, at the bounds of its cases too.
func TestText(t *testing.T) {
	for got, want := range map[string]string{
		Count(1, "step", "steps"): "1 step", Count(0, "step", "steps"): "0 steps",
		Bytes(9.99e6): "9990 kB", Bytes(1e7): "10 MB", Bytes(1.55e9): "1.6 GB", Bytes(0): "0 kB",
		Or([]int{1, 2, 4}): "1, 2 or 4", Or([]int{2, 4}): "2 or 4", Or([]int{4}): "4", Or(nil): "",
		Of(0): "", Of(7): " of 7",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
