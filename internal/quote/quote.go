// Package quote writes commands that a person can paste.
package quote

import (
	"regexp"
	"strings"
)

// safe are the words that every shell takes as they stand.
var safe = regexp.MustCompile(`^[A-Za-z0-9_./:,@%+][A-Za-z0-9_./:,@%+=-]*$`)

// Shell returns a word as one argument of a command line: as it stands where it can, otherwise in
// double quotes, which all shells know, and in single ones where POSIX shells would expand
// something in double quotes.
func Shell(word string) string {
	switch {
	case safe.MatchString(word):
		return word
	case !strings.ContainsAny(word, "\"$`\\!"):
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
