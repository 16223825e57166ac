package pipeline

import (
	"runtime"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// Compute says what a machine computes with. Results never depend on the number of threads.
type Compute struct {
	// Threads is the number of workers; 0: GOMAXPROCS. That counts hyper-threads, not cores.
	Threads int `json:"-"`
	Arithmetic
}

// Arithmetic says how numbers are computed. Results depend on the instruction set in their last
// bits, and on the precision in more of them.
type Arithmetic struct {
	// ISA names the instruction set; empty: the best of this machine, but for those that only their
	// names choose ([kernels.ISA.Unchosen]). A run records its name.
	ISA string `json:"isa"`
	// Precision names the format of a network's activations and their gradients; empty: the
	// fastest on the instruction set, as auto. A run records its name.
	Precision string `json:"precision"`
}

// WithDefaults fills in the number of threads.
func (c Compute) WithDefaults() Compute {
	option.SetDefault(&c.Threads, runtime.GOMAXPROCS(0))
	return c
}

// Validate reports the first option that cannot be used. The number of threads is filled in.
func (c Compute) Validate() error {
	return option.First(option.Between("threads", c.Threads, 1, MaxThreads), c.Arithmetic.Validate())
}

// Validate reports the first option that cannot be used here, as an [*OptionError].
func (a *Arithmetic) Validate() error {
	_, _, err := a.Parse()
	return err
}

// Parse returns what the names stand for. Its errors are those of Validate.
func (a *Arithmetic) Parse() (kernels.ISA, kernels.Precision, error) {
	isa, err := ParseISA(a.ISA)
	if err != nil {
		return isa, kernels.F32, err
	}
	precision, err := kernels.ParsePrecision(a.Precision, isa)
	return isa, precision, option.Of("precision", err)
}

// Settle is Parse, and then puts the names of what it found in the place of empty ones and auto.
func (a *Arithmetic) Settle() (kernels.ISA, kernels.Precision, error) {
	isa, precision, err := a.Parse()
	if err == nil {
		a.ISA, a.Precision = isa.String(), precision.String()
	}
	return isa, precision, err
}

// InF32 returns the arithmetic of what computes in float32 alone. It is an [*OptionError] where
// another precision was asked for. what begins the sentence that says so.
func (a *Arithmetic) InF32(what string) (Arithmetic, error) {
	if err := a.Validate(); err != nil {
		return *a, err
	}
	if a.namesPrecision() && a.Precision != kernels.F32.String() {
		return *a, option.Errorf("precision", a.Precision, "%s in %v alone: leave it out", what, kernels.F32)
	}
	return Arithmetic{a.ISA, kernels.F32.String()}, nil
}

// Override takes over what another arithmetic names. A precision of auto names none.
func (a *Arithmetic) Override(other Arithmetic) {
	option.Override(&a.ISA, other.ISA)
	if other.namesPrecision() {
		a.Precision = other.Precision
	}
}

// namesPrecision reports whether a precision is named, and not left to the instruction set.
func (a *Arithmetic) namesPrecision() bool { return a.Precision != "" && a.Precision != AutoPrecision }

// AutoPrecision leaves the precision to the instruction set, or to the run that is resumed.
const AutoPrecision = "auto"
