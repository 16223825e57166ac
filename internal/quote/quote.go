// Package quote writes commands that a person can paste.
package quote

import (
	"regexp"
	"strings"
)

// safe matches the words that every shell takes as they are.
var safe = regexp.MustCompile(`^[A-Za-z0-9_./:,@%+][A-Za-z0-9_./:,@%+=-]*$`)

// Shell returns a word as one argument of a command line. A safe word stays as it is. Other words
// get double quotes, which all shells know. A word in which a POSIX shell would expand something
// inside double quotes gets single quotes.
func Shell(word string) string {
	switch {
	case safe.MatchString(word):
		return word
	case !strings.ContainsAny(word, "\"$`\\!"):
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
