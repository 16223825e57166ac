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

// An error says what is wrong with the name, and which names would do.
func TestParseErrors(t *testing.T) {
	wrong := map[string]string{"sse9": "unknown instruction set \"sse9\"", "AVX2": "unknown", "avx 2": "unknown", "ISA(9)": "unknown"}
	for isa := Generic; isa <= NEON; isa++ {
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

// An instruction set that the build has but the CPU lacks is the CPU's matter, any other the build's.
func TestParseSaysWhatLacksIt(t *testing.T) {
	for isa := Generic; isa <= NEON; isa++ {
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

// What eachISA leaves out is shown here, once.
func TestInstructionSetsOfOtherBuilds(t *testing.T) {
	for isa := Generic; isa <= NEON; isa++ {
		t.Run(isa.String(), func(t *testing.T) {
			if !slices.Contains(Built(), isa) {
				t.Skipf("this build, for %s, has no code for it: make test, make arm64 and make noasm run all of them", runtime.GOARCH)
			}
		})
	}
}

// Every machine lacks one at least, so a list that names all would be wrong.
func TestAvailable(t *testing.T) {
	all := Available()
	for _, isa := range all {
		if !slices.Contains(Built(), isa) {
			t.Errorf("%v is available, but not built", isa)
		}
	}
	if all[0] != Generic || Best() != all[len(all)-1] || !slices.IsSorted(all) || len(all) > 3 {
		t.Errorf("Available() = %v, Best() = %v", all, Best())
	}
	if got := ISA(9).String(); got != "ISA(9)" {
		t.Errorf("the name of no instruction set is %q", got)
	}
}
