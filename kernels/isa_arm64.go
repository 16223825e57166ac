//go:build arm64 && !noasm && !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// Available lists the instruction sets that can run here, the slowest first. Every CPU that Go runs
// on has NEON, because Go's own runtime uses it. cpuid learns of NEON from Linux and macOS; on
// other systems it knows no feature at all.
func Available() []ISA {
	switch known := len(cpuid.CPU.FeatureSet()) > 0; {
	case cpuid.CPU.Supports(cpuid.ASIMD, cpuid.BF16):
		return []ISA{Generic, NEON, NEONBF16}
	case cpuid.CPU.Supports(cpuid.ASIMD) || !known:
		return []ISA{Generic, NEON}
	}
	return []ISA{Generic}
}

// refusal is for amd64.
func refusal() error { return nil }
