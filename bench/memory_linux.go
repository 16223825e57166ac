package bench

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// peakMemory returns the most memory that the process has had resident, in bytes; 0 when unknown. The
// maximum of getrusage would do but that on Linux it survives exec: started by a large program, a
// small one inherits its figure. So the process's own high-water mark comes first.
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
			n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
