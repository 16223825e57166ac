//go:build unix && !linux && !aix

package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// peakMemory returns the most memory that the process has had resident, in bytes, or 0 when
// unknown.
func peakMemory() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss) // bytes there, KiB elsewhere
	}
	return int64(usage.Maxrss) << 10
}
