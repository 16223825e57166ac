// Package text words numbers in messages that people read.
package text

import (
	"fmt"
	"time"
)

// Count words a number of things: "1 image", "2 images".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Bytes words a size in powers of ten: "1.2 GB", "64 MB", "9999 kB".
func Bytes(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", n/1e9)
	case n >= 1e7:
		return fmt.Sprintf("%.0f MB", n/1e6)
	}
	return fmt.Sprintf("%.0f kB", n/1e3)
}

// Seconds words a duration in seconds: "1m30s", and with a tenth below 10 s, "4.2s".
func Seconds(seconds float64) string {
	unit := time.Second
	if seconds < 10 {
		unit = 100 * time.Millisecond
	}
	return time.Duration(seconds * float64(time.Second)).Round(unit).String()
}
