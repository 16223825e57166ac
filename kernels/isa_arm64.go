//go:build arm64 && !noasm && !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// Built lists the instruction sets that this build has code for, the slowest first, whether this CPU can
// run them or not.
func Built() []ISA { return []ISA{Generic, NEON} }

// Available lists the instruction sets that can run here, the slowest first.
// Every CPU that Go runs on has NEON, because Go's own runtime uses it; cpuid learns it from Linux and
// macOS, and knows no feature at all on other systems.
func Available() []ISA {
	if cpuid.CPU.Supports(cpuid.ASIMD) || len(cpuid.CPU.FeatureSet()) == 0 {
		return []ISA{Generic, NEON}
	}
	return []ISA{Generic}
}
