//go:build (!amd64 && !arm64) || noasm || purego

package kernels

// Built lists the instruction sets that this build has code for, the slowest first, whether this CPU can
// run them or not.
func Built() []ISA { return []ISA{Generic} }

// Available lists the instruction sets that can run here: plain Go alone in this build.
func Available() []ISA { return []ISA{Generic} }
