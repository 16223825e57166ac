package dataset

import "testing"

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
