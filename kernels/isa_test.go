package kernels

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, isa := range Available() {
		if got, err := Parse(isa.String()); got != isa || err != nil {
			t.Errorf("Parse(%q) = %v, %v", isa.String(), got, err)
		}
	}
	for _, name := range []string{"", "auto"} {
		if got, err := Parse(name); got != Best() || err != nil {
			t.Errorf("Parse(%q) = %v, %v, want %v", name, got, err, Best())
		}
	}
}

// An error says what is wrong with the name, and lists the names that Parse accepts.
func TestParseErrors(t *testing.T) {
	wrong := map[string]string{
		"sse9": "unknown instruction set \"sse9\"", "AVX2": "unknown", "avx 2": "unknown", "ISA(9)": "unknown",
	}
	for isa := range ISA(len(tilesOf)) {
		if !slices.Contains(Available(), isa) {
			wrong[isa.String()] = "not available"
		}
	}
	for name, what := range wrong {
		_, err := Parse(name)
		if err == nil {
			t.Errorf("Parse(%q): no error", name)
			continue
		}
		for _, part := range []string{what, "choose one of", Generic.String(), Best().String()} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Parse(%q): %q does not say %q", name, err, part)
			}
		}
	}
}

// The error says whether the CPU or the build lacks an instruction set.
func TestParseSaysWhetherCPUOrBuildLacksIt(t *testing.T) {
	for isa := range ISA(len(tilesOf)) {
		if _, err := Parse(isa.String()); err != nil {
			want := "in this build"
			if slices.Contains(Built(), isa) {
				want = "on this CPU"
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Parse(%q): %q does not say %q", isa, err, want)
			}
		}
	}
}

// eachISA leaves out the instruction sets of other builds. This test shows them, once, as skipped.
func TestInstructionSetsOfOtherBuilds(t *testing.T) {
	for isa := range ISA(len(tilesOf)) {
		t.Run(isa.String(), func(t *testing.T) {
			if !slices.Contains(Built(), isa) {
				t.Skipf("not in this build, for %s: make test, make arm64 and make noasm run all", runtime.GOARCH)
			}
		})
	}
}

// Every machine lacks at least one instruction set, so the list of all would be wrong.
func TestAvailable(t *testing.T) {
	all := Available()
	for _, isa := range all {
		if !slices.Contains(Built(), isa) {
			t.Errorf("%v is available, but not built", isa)
		}
	}
	last := Best()
	for _, isa := range all {
		if isa > last && isa.Unchosen() == "" {
			last = isa
		}
	}
	if all[0] != Generic || Best() != last || last.Unchosen() != "" || !slices.IsSorted(all) || len(all) > 5 {
		t.Errorf("Available() = %v, Best() = %v", all, Best())
	}
	if got := ISA(9).String(); got != "ISA(9)" {
		t.Errorf("the name of an unknown instruction set is %q", got)
	}
}
