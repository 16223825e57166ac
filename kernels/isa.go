package kernels

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// ISA names a set of implementations of this package's operations. Values are ordered within one
// architecture: a later one needs everything that an earlier one needs.
type ISA uint8

// The instruction sets that operations are written for.
const (
	Generic ISA = iota // plain Go, everywhere
	AVX2               // amd64 with AVX2 and FMA: 8 lanes
	AVX512             // amd64 with AVX-512 F, VL, DQ and BW: 16 lanes
	NEON               // arm64: 4 lanes
)

var isaNames = [...]string{"generic", "avx2", "avx512", "neon"}

// String returns the name that --isa and FMIMG_ISA take.
func (isa ISA) String() string {
	if int(isa) < len(isaNames) {
		return isaNames[isa]
	}
	return fmt.Sprintf("ISA(%d)", uint8(isa))
}

// Best returns the fastest instruction set that this CPU, its operating system and this build have.
func Best() ISA {
	all := Available()
	return all[len(all)-1]
}

// Parse returns the instruction set of the given name; the empty name and "auto" mean [Best].
// It is an error to ask for one that [Available] lacks.
func Parse(name string) (ISA, error) {
	if name == "" || name == "auto" {
		return Best(), nil
	}
	var have []string
	for _, isa := range Available() {
		if isa.String() == name {
			return isa, nil
		}
		have = append(have, isa.String())
	}
	known := slices.Index(isaNames[:], name)
	switch {
	case known >= 0 && slices.Contains(Built(), ISA(known)):
		return Generic, fmt.Errorf("instruction set %q is not available on this CPU or from its operating system: choose one of %s", name, strings.Join(have, ", "))
	case known >= 0:
		return Generic, fmt.Errorf("instruction set %q is not available in this build for %s: choose one of %s", name, runtime.GOARCH, strings.Join(have, ", "))
	}
	return Generic, fmt.Errorf("unknown instruction set %q: choose one of %s", name, strings.Join(have, ", "))
}
