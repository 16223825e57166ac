package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold returns a form of a name that names have in common which people take for the same: those
// that differ by capitals, by spaces around them, or by how their accents are stored. macOS stores
// an accent apart from its letter.
func Fold(name string) string {
	return strings.Map(foldRune, Composed(strings.TrimSpace(name)))
}

// Composed returns a text whose accents are stored together with their letters (Unicode's form
// NFC).
func Composed(s string) string { return norm.NFC.String(s) }

// foldRune returns the smallest of the letters that differ from r by case alone.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return least
}
