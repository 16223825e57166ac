package text

import "testing"

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"up", "UP", " Up "}, {"é", "É", "e\u0301", "E\u0301"}, {"Straße", "STRAßE"}, {"k", "K", "\u212a"}, {"σ", "ς", "Σ"}, {"", "  "},
	} {
		for _, name := range same {
			if Fold(name) != Fold(same[0]) {
				t.Errorf("%q and %q fold to %q and %q", name, same[0], Fold(name), Fold(same[0]))
			}
		}
	}
	for _, pair := range [][2]string{{"e", "é"}, {"a b", "ab"}, {"1", "01"}, {"a,b", "a, b"}} {
		if Fold(pair[0]) == Fold(pair[1]) {
			t.Errorf("%q and %q fold to the same", pair[0], pair[1])
		}
	}
}
