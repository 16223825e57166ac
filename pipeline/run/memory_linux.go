package run

import (
	"os"
	"regexp"
	"strconv"
)

var memAvailable = regexp.MustCompile(`(?m)^MemAvailable: +(\d+) kB$`)

// freeMemory returns about how many bytes can be taken without swapping, 0 when unknown.
func freeMemory() float64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	found := memAvailable.FindSubmatch(text)
	if found == nil {
		return 0
	}
	kib, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return 0
	}
	return kib * 1024
}
