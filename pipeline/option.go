package pipeline

import (
	"github.com/fmimg/fmimg/internal/option"
)

// An OptionError is an option that cannot be used as it is given: a mistake of the caller, found
// before any work.
type OptionError = option.Error
