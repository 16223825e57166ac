//go:build !linux

package run

// freeMemory returns about how many bytes can be taken without swapping, 0 when unknown.
func freeMemory() float64 { return 0 }
