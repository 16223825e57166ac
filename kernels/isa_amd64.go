//go:build amd64 && !noasm && !purego

package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/fmimg/fmimg/asm"
)

// Available lists the instruction sets that can run here, the slowest first.
func Available() []ISA { return available(&cpuid.CPU) }

// available lists the instruction sets that a CPU can run. cpuid grants AVX only where CPUID has
// OSXSAVE and XCR0 says that the operating system saves XMM and YMM (bits 1 and 2), AVX2 only with
// AVX, and AVX-512 only where XCR0 has the masks and both parts of ZMM (bits 5 to 7) too. On macOS,
// which enables those for a process at their first use, cpuid asks the system instead.
func available(cpu *cpuid.CPUInfo) []ISA {
	all := Built()
	for i, isa := range all {
		if isa != Generic && !has(cpu, asm.Needs(tilesOf[isa].target)) {
			return all[:i]
		}
	}
	return all
}

func has(cpu *cpuid.CPUInfo, features []string) bool {
	for _, f := range features {
		if !cpu.Has(cpuid.ParseFeature(f)) {
			return false
		}
	}
	return true
}
