package text

import (
	"cmp"
	"strings"
)

// CompareNatural orders names as people do: runs of the digits 0-9 compare as numbers, of any
// length, and everything else byte by byte. So x2 comes before x10. Names that differ only in the
// zeros before their numbers come in the order of their length, and then byte by byte. The result
// is below 0, 0 or above 0 as for [strings.Compare], and 0 for equal names alone.
func CompareNatural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			endA, endB := digitsEnd(a, i), digitsEnd(b, j)
			if c := compareNumbers(a[i:endA], b[j:endB]); c != 0 {
				return c
			}
			i, j = endA, endB
			continue
		}
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
		i, j = i+1, j+1
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// isDigit reports whether a byte is one of the digits 0-9.
func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// digitsEnd returns the end of the run of digits in s that begins at from.
func digitsEnd(s string, from int) int {
	for from < len(s) && isDigit(s[from]) {
		from++
	}
	return from
}

// compareNumbers compares two runs of digits as numbers.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
