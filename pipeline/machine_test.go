package pipeline

import (
	"strings"
	"testing"
)

// The note names the emulator where the CPU's name gives it away.
func TestSlowNote(t *testing.T) {
	for _, c := range []struct {
		m    Machine
		want string // part of the note; "" for none
	}{
		{Machine{System: "linux/amd64", CPU: "AMD EPYC", Best: "avx2"}, ""},
		{Machine{System: "linux/arm64", CPU: "Neoverse-N1", Best: "neon"}, ""},
		{Machine{System: "linux/riscv64", Best: "generic"}, ""},
		{Machine{System: "darwin/amd64", CPU: "VirtualApple @ 2.50GHz", Best: "avx2"}, ""},
		{Machine{System: "darwin/amd64", CPU: "VirtualApple @ 2.50GHz", Best: "generic"}, "Rosetta runs a program for Intel"},
		{Machine{System: "linux/amd64", CPU: "QEMU Virtual CPU version 2.5+", Best: "generic"}, "as QEMU runs it"},
		{Machine{System: "windows/amd64", CPU: "Intel Core i5-2500", Best: "generic"}, "no AVX2; under an emulator"},
	} {
		if got := c.m.slowNote(); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%+v: %q, want one with %q", c.m, got, c.want)
		}
	}
}
