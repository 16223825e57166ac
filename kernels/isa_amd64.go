//go:build amd64 && !noasm && !purego

package kernels

import "github.com/klauspost/cpuid/v2"

// Available lists the instruction sets that can run here, the slowest first.
// cpuid reports AVX features only where the operating system saves their registers.
func Available() []ISA {
	all := []ISA{Generic}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		all = append(all, AVX2)
		if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512BW) {
			all = append(all, AVX512)
		}
	}
	return all
}
