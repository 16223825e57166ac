package pipeline

import (
	"runtime"

	"github.com/fmimg/fmimg/kernels"
)

// A Machine describes the program and what it runs on.
type Machine struct {
	Version string   `json:"fmimg"`
	Go      string   `json:"go"`
	System  string   `json:"system"`  // operating system and architecture
	CPU     string   `json:"cpu"`     // the vendor's name of the model; empty: unknown
	Threads int      `json:"threads"` // the default number of workers
	ISAs    []string `json:"isas"`    // the instruction sets of this machine, the slowest first
	Best    string   `json:"isa"`     // the instruction set that is used by default
}

// ThisMachine describes the running program.
func ThisMachine() Machine {
	m := Machine{
		Version: Version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:     kernels.CPU().Name,
		Threads: runtime.GOMAXPROCS(0), Best: kernels.Best().String(),
	}
	for _, isa := range kernels.Available() {
		m.ISAs = append(m.ISAs, isa.String())
	}
	return m
}

// Using returns a copy of m that uses the named instruction set; the empty name means the best. A
// name that cannot be used here is an [*OptionError].
func (m Machine) Using(isa string) (Machine, error) {
	used, err := ParseISA(isa)
	if err == nil {
		m.Best = used.String()
	}
	return m, err
}
