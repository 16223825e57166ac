package pipeline

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/kernels"
)

// A Machine describes the program and what it runs on.
type Machine struct {
	Build
	Go      string   `json:"go"`
	System  string   `json:"system"`  // operating system and architecture
	CPU     string   `json:"cpu"`     // the vendor's name of the model; empty: unknown
	Threads int      `json:"threads"` // the default number of workers
	ISAs    []string `json:"isas"`    // the instruction sets of this machine, the slowest first
	Best    string   `json:"isa"`     // the instruction set that is used by default
	// Precision is that in which networks compute by default on Best.
	Precision string `json:"precision"`
}

// ThisMachine describes the running program.
func ThisMachine() Machine {
	m := Machine{
		Build: ThisBuild(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:     kernels.CPU().Name,
		Threads: runtime.GOMAXPROCS(0), Best: kernels.Best().String(), Precision: kernels.Best().Precision().String(),
	}
	for _, isa := range kernels.Available() {
		m.ISAs = append(m.ISAs, isa.String())
	}
	return m
}

// SlowNote says that plain Go computes where a CPU of this kind usually has faster instructions,
// and what to do about it. It is empty where that is not so.
func (m Machine) SlowNote() string {
	if len(kernels.Built()) == 1 {
		return "" // this build has plain Go alone, which its maker chose
	}
	return m.slowNote()
}

// slowNote is SlowNote of a build with assembly.
func (m Machine) slowNote() string {
	_, architecture, _ := strings.Cut(m.System, "/")
	if m.Best != kernels.Generic.String() || architecture != "amd64" {
		return ""
	}
	const slow = "plain Go computes, several times slower than usual: this CPU shows no AVX2"
	switch {
	case strings.HasPrefix(m.CPU, "VirtualApple"):
		return slow + ", as Rosetta runs a program for Intel: take the program for arm64"
	case strings.Contains(m.CPU, "QEMU"):
		return slow + ", as QEMU runs it: take the program for the CPU that the machine has, or a CPU of QEMU with AVX2"
	}
	return slow + "; under an emulator (Rosetta, QEMU) take the program for arm64"
}

// UnchosenNote says which of the named instruction sets of m are not chosen unless they are named,
// and why. It is empty where there is none.
func (m Machine) UnchosenNote(isas ...string) string {
	var notes []string
	for _, isa := range kernels.Built() {
		name := isa.String()
		if isa.Unchosen() != "" && slices.Contains(m.ISAs, name) && slices.Contains(isas, name) {
			notes = append(notes, fmt.Sprintf("%s is used by name alone: %s", name, isa.Unchosen()))
		}
	}
	return strings.Join(notes, "; ")
}

// Using returns a copy of m that uses the named instruction set; the empty name means the best. A
// name that cannot be used here is an [*OptionError].
func (m Machine) Using(isa string) (Machine, error) {
	used, err := ParseISA(isa)
	if err == nil {
		m.Best, m.Precision = used.String(), used.Precision().String()
	}
	return m, err
}
