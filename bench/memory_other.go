//go:build (!unix && !windows) || aix

package bench

// peakMemory returns 0: this system does not tell the memory of a process.
func peakMemory() int64 { return 0 }
