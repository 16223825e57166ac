package asm

// Needs lists the features that a CPU and its operating system must have for the routines whose names
// end in target: AVX2, AVX512 or NEON. The names are vendors' own, as package cpuid knows them. It is the
// one list for both sides: package kernels asks the CPU for them before it calls a routine, and a test
// has a disassembler show that no routine needs more.
func Needs(target string) []string {
	switch target {
	case "AVX2":
		return []string{"AVX", "AVX2", "FMA3"}
	case "AVX512":
		return append(Needs("AVX2"), "AVX512F", "AVX512VL", "AVX512DQ", "AVX512BW")
	case "NEON":
		return []string{"ASIMD"}
	}
	panic("asm: no routines for " + target)
}
