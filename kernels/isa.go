package kernels

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
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

// Best returns the fastest instruction set that this CPU, its operating system and this build have,
// of those that are proven.
func Best() ISA {
	best := Generic
	for _, isa := range Available() {
		if isa.Unchosen() == "" {
			best = isa
		}
	}
	return best
}

// Unchosen says why the name "auto" does not choose an instruction set though it may be the
// fastest, or it is empty. The name of the instruction set chooses it.
func (isa ISA) Unchosen() string { return tilesOf[isa].unchosen }

// Parse returns the instruction set of the given name; the empty name and "auto" mean [Best].
// The error is an [*UnknownError], or an [*UnavailableError] for one that [Available] lacks.
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
	if name == tilesOf[AMX].name && refusal() != nil {
		return Generic, &UnavailableError{name, "because " + refusal().Error(), have}
	}
	known := slices.IndexFunc(tilesOf[:], func(t tiles) bool { return t.name == name })
	switch {
	case known >= 0 && slices.Contains(Built(), ISA(known)):
		return Generic, &UnavailableError{name, "on this CPU or from its operating system", have}
	case known >= 0:
		return Generic, &UnavailableError{name, "in this build for " + runtime.GOARCH, have}
	}
	return Generic, &UnknownError{Kind: "instruction set", Text: name, Known: have, Reason: choose(have)}
}

// An UnknownError is a name that is not one of an instruction set.
type UnknownError = option.ValueError

// An UnavailableError is an instruction set that there is, but not here.
type UnavailableError struct {
	ISA   string
	Where string   // in a sentence: on this CPU, in this build
	Known []string // the instruction sets that are available
}

// Error returns one line.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("instruction set %q %s", e.ISA, e.Reason())
}

// Reason returns the line without the name.
func (e *UnavailableError) Reason() string {
	return fmt.Sprintf("is not available %s: %s", e.Where, choose(e.Known))
}

func choose(names []string) string { return "choose one of " + strings.Join(names, ", ") }
