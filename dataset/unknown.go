package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fmimg/fmimg/internal/text"
)

// An UnknownError says that no data set, file or folder has a name.
type UnknownError struct {
	Name    string
	Known   []string // the names of all data sets
	Nearest string   // the name that was probably meant, or ""
}

// Error returns one line.
func (e *UnknownError) Error() string {
	guess := ""
	if e.Nearest != "" {
		guess = fmt.Sprintf("did you mean %s? ", e.Nearest)
	}
	return fmt.Sprintf("no data set and no file is called %q: %sknown are: %s",
		e.Name, guess, strings.Join(e.Known, ", "))
}

func unknown(name string) error {
	known := names()
	return &UnknownError{Name: name, Known: known, Nearest: nearest(name, known)}
}

// nearest returns the candidate with the fewest edits to name, without regard to letter case. When
// even that needs more edits than half of the letters of the longer name, it returns "": the guess
// would only puzzle.
func nearest(name string, candidates []string) string {
	best, least := "", 0
	for _, candidate := range candidates {
		d := text.Distance(strings.ToLower(name), strings.ToLower(candidate))
		longer := max(utf8.RuneCountInString(name), utf8.RuneCountInString(candidate))
		if 2*d <= longer && (best == "" || d < least) {
			best, least = candidate, d
		}
	}
	return best
}
