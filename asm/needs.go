package asm

import "slices"

// Needs lists the features that a CPU and its operating system must have for the routines whose
// names end in target, such as AVX512. The names are the vendors', as package cpuid knows
// them. Package kernels asks the CPU for these features before it calls a routine, and a test has a
// disassembler show that no routine needs more.
func Needs(target string) []string {
	features, ok := needs[target]
	if !ok {
		panic("asm: no routines for " + target)
	}
	return slices.Clone(features)
}
