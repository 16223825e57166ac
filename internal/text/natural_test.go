package text

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each list stands in the order that a person would give it.
func TestCompareNatural(t *testing.T) {
	for _, list := range [][]string{
		{"", "0", "1", "2", "9", "10", "11", "100", "a"},
		{"x", "x-2", "x-10", "x1", "x02", "x3"},
		{"1", "01", "001", "2", "02"},
		{"1a", "01b", "1c"},
		{"img9.png", "img10.png", "img10a.png", "imgs"},
		{"2020-9", "2020-10", "2021-1"},
		{"7", "99999999999999999998", "99999999999999999999", "100000000000000000000"},
		{"-1", "-2", "0"}, // "-1" is a name with a dash
		{" 1", "1", "A", "B", "a", "é"},
		{"a1b2", "a1b10", "a2b1"},
		{"0", "00", "0a"},
		{"v1.9.3", "v1.10.0"},
		{"1\xff", "1\xff2", "2\xff"},
	} {
		for i, a := range list {
			for j, b := range list {
				if got, want := CompareNatural(a, b), min(max(i-j, -1), 1); got != want {
					t.Errorf("CompareNatural(%q, %q) = %d, want %d", a, b, got, want)
				}
			}
		}
	}
}

// Names of few letters collide often: the order of any three is antisymmetric, transitive, and ties
// equal names alone. Names without digits have the order of their bytes.
func TestCompareNaturalIsAnOrder(t *testing.T) {
	name := rapid.StringOfN(rapid.SampledFrom([]rune("0019-/ aBé")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := name.Draw(t, "a"), name.Draw(t, "b"), name.Draw(t, "c")
		if CompareNatural(a, b) != -CompareNatural(b, a) {
			t.Fatalf("%q and %q: not antisymmetric", a, b)
		}
		if (CompareNatural(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q: only equal names tie", a, b)
		}
		sorted := []string{a, b, c}
		slices.SortFunc(sorted, CompareNatural)
		if CompareNatural(sorted[0], sorted[2]) > 0 {
			t.Fatalf("%q: not transitive", sorted)
		}
		a, b = strings.Map(letter, a), strings.Map(letter, b)
		if CompareNatural(a, b) != strings.Compare(a, b) {
			t.Fatalf("%q and %q without digits: not the order of bytes", a, b)
		}
	})
}

// letter replaces a digit by a letter.
func letter(r rune) rune {
	if r >= '0' && r <= '9' {
		return r - '0' + 'a'
	}
	return r
}
