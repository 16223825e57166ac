package dataset

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"saturday", "sunday", 3},
		{"minst", "mnist", 2}, {"été", "ete", 2}, {"flaw", "lawn", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	sets := []string{"mnist", "fashion-mnist", "emoji"}
	for _, c := range []struct{ name, want string }{
		{"fashion_mnist", "fashion-mnist"}, {"fashion", "fashion-mnist"}, {"emojis", "emoji"},
		{"Mnist", "mnist"}, {"cifar", ""},
	} {
		if got := nearest(c.name, sets); got != c.want {
			t.Errorf("nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}
