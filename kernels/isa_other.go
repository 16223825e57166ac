//go:build (!amd64 && !arm64) || noasm || purego

package kernels

// Available lists the instruction sets that can run here: plain Go alone in this build.
func Available() []ISA { return []ISA{Generic} }
