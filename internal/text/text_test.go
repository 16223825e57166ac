package text

import "testing"

// Each function spells as its comment says, at the bounds of its cases too.
func TestText(t *testing.T) {
	for got, want := range map[string]string{
		Count(1, "step", "steps"): "1 step", Count(0, "step", "steps"): "0 steps",
		Bytes(9.99e6): "9990 kB", Bytes(1e7): "10 MB", Bytes(1.55e9): "1.6 GB", Bytes(0): "0 kB",
		Or([]int{1, 2, 4}): "1, 2 or 4", Or([]int{2, 4}): "2 or 4", Or([]int{4}): "4", Or[int](nil): "",
		Or([]string{"a", "b", "c"}): "a, b or c",
		Of(0):                       "", Of(7): " of 7",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"saturday", "sunday", 3},
		{"minst", "mnist", 2}, {"été", "ete", 2}, {"flaw", "lawn", 2}, {"seed", "sedd", 1},
	} {
		if got := Distance(c.a, c.b); got != c.want || Distance(c.b, c.a) != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0s", 0.04: "0s", 4.23: "4.2s", 10.4: "10s", 90: "1m30s", 3601: "1h0m1s",
	} {
		if got := Seconds(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
}
