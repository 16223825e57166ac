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

// String returns the name that --isa and FMIMG_ISA take.
func (isa ISA) String() string {
	if int(isa) < len(tilesOf) {
		return tilesOf[isa].name
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
	choose := "choose one of " + strings.Join(have, ", ")
	known := slices.IndexFunc(tilesOf[:], func(t tiles) bool { return t.name == name })
	switch {
	case known >= 0 && slices.Contains(Built(), ISA(known)):
		return Generic, fmt.Errorf("instruction set %q is not available on this CPU or from its operating system: %s",
			name, choose)
	case known >= 0:
		return Generic, fmt.Errorf("instruction set %q is not available in this build for %s: %s",
			name, runtime.GOARCH, choose)
	}
	return Generic, fmt.Errorf("unknown instruction set %q: %s", name, choose)
}
