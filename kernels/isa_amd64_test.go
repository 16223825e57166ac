//go:build amd64 && !noasm && !purego

package kernels

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"github.com/fmimg/fmimg/asm"
)

// cpuOf returns a CPU that has only the given features.
func cpuOf(t *testing.T, features []string) *cpuid.CPUInfo {
	t.Helper()
	var cpu cpuid.CPUInfo
	for _, name := range features {
		f := cpuid.ParseFeature(name)
		if f == cpuid.UNKNOWN {
			t.Fatalf("package cpuid knows no feature %q", name)
		}
		cpu.Enable(f)
	}
	return &cpu
}

// A CPU that lacks one of the features that routines need gets none of these routines. If the
// operating system does not save the registers, cpuid shows none of the features.
func TestAvailableNeedsEachFeature(t *testing.T) {
	permit := func(string) error { return nil }
	amx := asm.Needs("AMX")
	for _, c := range []struct {
		name     string
		features []string
		want     []ISA
	}{
		{"all", amx, []ISA{Generic, AVX2, AVX512, AVX512BF16, AMX}},
		{"no AMX", asm.Needs("AVX512BF16"), []ISA{Generic, AVX2, AVX512, AVX512BF16}},
		{"no BF16", asm.Needs("AVX512"), []ISA{Generic, AVX2, AVX512}},
		{"no AVX-512", asm.Needs("AVX2"), []ISA{Generic, AVX2}},
		{"none", nil, []ISA{Generic}},
	} {
		if got := available(cpuOf(t, c.features), permit); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for i, missing := range amx {
		want := []ISA{Generic}
		for _, isa := range []ISA{AVX2, AVX512, AVX512BF16} {
			if !slices.Contains(asm.Needs(tilesOf[isa].target), missing) {
				want = append(want, isa)
			}
		}
		if got := available(cpuOf(t, slices.Delete(slices.Clone(amx), i, i+1)), permit); !slices.Equal(got, want) {
			t.Errorf("without %s: %v, want %v", missing, got, want)
		}
	}
}

// Where the kernel refuses a CPU's tiles, the instruction sets before AMX are left.
func TestAvailableNeedsPermission(t *testing.T) {
	refuse := func(target string) error {
		if target == "AMX" {
			return errors.New("refused")
		}
		return nil
	}
	got := available(cpuOf(t, asm.Needs("AMX")), refuse)
	if want := []ISA{Generic, AVX2, AVX512, AVX512BF16}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Linux clears a feature in /proc/cpuinfo if it does not save the feature's registers, so it must
// agree with the features that cpuid finds in CPUID and XCR0.
func TestAvailableAgreesWithLinux(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("no /proc/cpuinfo")
	}
	_, line, _ := strings.Cut(string(text), "\nflags")
	line, _, _ = strings.Cut(line, "\n")
	flags := strings.Fields(line)
	for isa, names := range map[ISA][]string{
		AVX2:       {"avx", "avx2", "fma"},
		AVX512:     {"avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw"},
		AVX512BF16: {"avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw", "avx512_bf16"},
	} {
		want := !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(flags, name) })
		if got := slices.Contains(Available(), isa); got != want {
			t.Errorf("%v is available: %v; Linux says %v (%s)", isa, got, want, line)
		}
	}
}
