package pipeline

import (
	"runtime"

	"github.com/fmimg/fmimg/internal/option"
)

// Compute says what a machine computes with. Results depend on the instruction set in their last
// bits, and never on the number of threads.
type Compute struct {
	// Threads is the number of workers; 0: GOMAXPROCS. That counts hyper-threads, not cores.
	Threads int `json:"-"`
	// ISA names the instruction set; empty: the best of this machine. A run records its name.
	ISA string `json:"isa"`
}

// WithDefaults fills in the number of threads.
func (c Compute) WithDefaults() Compute {
	option.SetDefault(&c.Threads, runtime.GOMAXPROCS(0))
	return c
}

// Validate reports the first option that cannot be used. The number of threads is filled in.
func (c Compute) Validate() error {
	return option.First(option.Between("threads", c.Threads, 1, MaxThreads), ValidateISA(c.ISA))
}
