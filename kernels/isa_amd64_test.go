//go:build amd64 && !noasm && !purego

package kernels

import (
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
	avx2, avx512 := asm.Needs("AVX2"), asm.Needs("AVX512")
	for _, c := range []struct {
		name     string
		features []string
		want     []ISA
	}{
		{"all", avx512, []ISA{Generic, AVX2, AVX512}},
		{"no AVX-512", avx2, []ISA{Generic, AVX2}},
		{"none", nil, []ISA{Generic}},
	} {
		if got := available(cpuOf(t, c.features)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for i, missing := range avx512 {
		want := []ISA{Generic, AVX2}
		if slices.Contains(avx2, missing) {
			want = []ISA{Generic}
		}
		if got := available(cpuOf(t, slices.Delete(slices.Clone(avx512), i, i+1))); !slices.Equal(got, want) {
			t.Errorf("without %s: %v, want %v", missing, got, want)
		}
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
		AVX2:   {"avx", "avx2", "fma"},
		AVX512: {"avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw"},
	} {
		want := !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(flags, name) })
		if got := slices.Contains(Available(), isa); got != want {
			t.Errorf("%v is available: %v; Linux says %v (%s)", isa, got, want, line)
		}
	}
}
