package pipeline

import (
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// An OptionError is an option that cannot be used as it is given: a mistake of the caller, found
// before any work.
type OptionError = option.Error

const (
	// MaxBatch is the largest number of images of a step.
	MaxBatch = 1 << 16
	// MaxThreads is the largest number of workers.
	MaxThreads = 1 << 12
	// MaxSize is the longest side of an image in pixels.
	MaxSize = 1 << 12
)

// Below1 is the largest decay below 1: 1 - Below1 still counts in a float32.
const Below1 = 1 - 1e-6

// ValidateISA returns an [*OptionError] for an instruction set that this machine cannot use.
func ValidateISA(name string) error {
	_, err := ParseISA(name)
	return err
}

// ParseISA is [kernels.Parse], with an [*OptionError] about the option isa.
func ParseISA(name string) (kernels.ISA, error) {
	isa, err := kernels.Parse(name)
	if err != nil {
		return isa, &OptionError{Option: "isa", Reason: TrimOption(err, "unknown instruction set ", "instruction set ")}
	}
	return isa, nil
}

// TrimOption takes from an error of another package the words that name the option.
func TrimOption(err error, prefixes ...string) string {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(err.Error(), p); ok {
			return rest
		}
	}
	return err.Error()
}
