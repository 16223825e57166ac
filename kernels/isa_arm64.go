//go:build arm64 && !noasm && !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// Available lists the instruction sets that can run here, the slowest first. Every CPU that Go runs
// on has NEON, because Go's own runtime uses it. cpuid learns of NEON from Linux and macOS; on
// other systems it knows no feature at all.
func Available() []ISA {
	if cpuid.CPU.Supports(cpuid.ASIMD) || len(cpuid.CPU.FeatureSet()) == 0 {
		return Built()
	}
	return []ISA{Generic}
}
