//go:build amd64 && !noasm && !purego

package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/fmimg/fmimg/asm"
)

// Available lists the instruction sets that can run here, the slowest first.
func Available() []ISA { return available(&cpuid.CPU, asm.Permit) }

// refusal returns why the operating system does not let this process use AMX, though the CPU has
// it, or nil.
func refusal() error {
	if !has(&cpuid.CPU, asm.Needs(tilesOf[AMX].target)) {
		return nil
	}
	return asm.Permit(tilesOf[AMX].target)
}

// available lists the instruction sets that a CPU can run. cpuid grants AVX only where CPUID has
// OSXSAVE and XCR0 says that the operating system saves XMM and YMM (bits 1 and 2), AVX2 only with
// AVX, and AVX-512 only where XCR0 has the masks and both parts of ZMM (bits 5 to 7) too. On macOS,
// which enables those for a process at their first use, cpuid asks the system instead. permit asks
// the system for what cpuid does not tell.
func available(cpu *cpuid.CPUInfo, permit func(target string) error) []ISA {
	all := Built()
	for i, isa := range all {
		if target := tilesOf[isa].target; isa != Generic && (!has(cpu, asm.Needs(target)) || permit(target) != nil) {
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
