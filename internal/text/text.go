// Package text spells numbers for people, as parts of a sentence, and compares names as people do.
package text

import (
	"fmt"
	"time"
)

// Count spells a number of things, such as "1 step" and "2 steps".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Bytes spells an amount of memory, such as "512 kB", "12 MB" and "1.5 GB".
func Bytes(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", n/1e9)
	case n >= 1e7:
		return fmt.Sprintf("%.0f MB", n/1e6)
	}
	return fmt.Sprintf("%.0f kB", n/1e3)
}

// Or lists numbers or words as alternatives, such as "1, 2 or 4".
func Or[T int | string](list []T) string {
	text := ""
	for i, one := range list {
		switch {
		case i == 0:
		case i == len(list)-1:
			text += " or "
		default:
			text += ", "
		}
		text += fmt.Sprint(one)
	}
	return text
}

// Of returns what follows the number of a step, such as " of 100". It is empty while the total is
// unknown (0).
func Of(total int) string {
	if total == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", total)
}

// Distance is the Levenshtein distance: the least number of letters to insert, delete or replace
// that turns a into b.
func Distance(a, b string) int {
	to := []rune(b)
	row := make([]int, len(to)+1) // row[j] is the distance of the part of a so far to to[:j]
	for j := range row {
		row[j] = j
	}
	for i, r := range []rune(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range to {
			replaced := diagonal
			if r != s {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(to)]
}

// Seconds words a duration in seconds: "1m30s", and with a tenth below 10 s, "4.2s".
func Seconds(seconds float64) string {
	unit := time.Second
	if seconds < 10 {
		unit = 100 * time.Millisecond
	}
	return time.Duration(seconds * float64(time.Second)).Round(unit).String()
}
