package pipeline

import (
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
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

// The note names those instruction sets of a machine that only their names choose.
func TestUnchosenNote(t *testing.T) {
	var m Machine
	var unchosen []string
	for _, isa := range kernels.Built() {
		m.ISAs = append(m.ISAs, isa.String())
		if isa.Unchosen() != "" {
			unchosen = append(unchosen, isa.String())
		}
	}
	note := m.UnchosenNote(m.ISAs...)
	for _, name := range unchosen {
		if want := name + " is used by name alone: "; !strings.Contains(note, want) || !strings.HasPrefix(m.UnchosenNote(name), want) {
			t.Errorf("no %q in %q", want, note)
		}
		if note := (Machine{}).UnchosenNote(name); note != "" {
			t.Errorf("a machine without it: %q", note)
		}
	}
	for _, isas := range [][]string{nil, {"generic"}, {"nonesuch"}, {kernels.Best().String()}} {
		if note := m.UnchosenNote(isas...); note != "" {
			t.Errorf("%q: %q", isas, note)
		}
	}
}
