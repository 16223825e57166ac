package bench

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// peakMemory returns the most memory that the process has had resident, in bytes, or 0 when
// unknown. On Linux the maximum of getrusage survives exec: a small program inherits the figure of
// the large one that started it. So the process's own high-water mark comes first.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if kib, ok := highWater(status); ok {
			return kib << 10
		}
	}
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return int64(usage.Maxrss) << 10 //nolint:unconvert // 32 bits wide on some architectures
}

// highWater finds the line "VmHWM:     1234 kB".
func highWater(status []byte) (kib int64, ok bool) {
	for row := range bytes.Lines(status) {
		if rest, found := bytes.CutPrefix(row, []byte("VmHWM:")); found {
			number := bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))
			n, err := strconv.ParseInt(string(number), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
