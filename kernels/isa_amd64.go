//go:build amd64 && !noasm && !purego

package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/fmimg/fmimg/asm"
)

// Built lists the instruction sets that this build has code for, the slowest first, whether this CPU can
// run them or not.
func Built() []ISA { return []ISA{Generic, AVX2, AVX512} }

// Available lists the instruction sets that can run here, the slowest first.
func Available() []ISA { return available(&cpuid.CPU) }

// available lists those of a CPU. cpuid grants AVX only where CPUID has OSXSAVE and XCR0 says that the
// operating system saves XMM and YMM (bits 1 and 2), AVX2 only with AVX, and AVX-512 only where XCR0 has
// the masks and both parts of ZMM (bits 5 to 7) too; on macOS, which enables those for a process when it
// first uses them, it asks the system instead.
func available(cpu *cpuid.CPUInfo) []ISA {
	all := []ISA{Generic}
	if has(cpu, asm.Needs("AVX2")) {
		all = append(all, AVX2)
		if has(cpu, asm.Needs("AVX512")) {
			all = append(all, AVX512)
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
