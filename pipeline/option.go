package pipeline

import (
	"errors"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// An OptionError is an option that cannot be used as it is given: a mistake of the caller, found
// before any work.
type OptionError = option.Error

// Words say how settings and actions are called in errors, events and cards. A program implements
// Words for its own flags, and gets its texts by [ErrorIn] and Message.In.
type Words = option.Words

// A Message is a text that names settings and actions.
type Message = option.Message

// A Setting is an option with a value.
type Setting = option.Setting

// An Action is a use of one of the program's commands.
type Action = option.Action

// Plain are the words of a library, which has options and no flags.
var Plain = option.Plain

// ErrorIn returns the text of an error in the words of a front end.
func ErrorIn(err error, w Words) string { return option.ErrorIn(err, w) }

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

// ParseISA is [kernels.Parse], with an [*OptionError] about the option isa.
func ParseISA(name string) (kernels.ISA, error) {
	isa, err := kernels.Parse(name)
	if absent, ok := errors.AsType[*kernels.UnavailableError](err); ok {
		wrong := option.Errorf("isa", nil, "%q %s", absent.ISA, absent.Reason())
		wrong.Known = absent.Known
		return isa, wrong
	}
	return isa, option.Of("isa", err)
}
