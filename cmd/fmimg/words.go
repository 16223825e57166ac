package main

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/pipeline"
)

// Flags word what libraries name: their options are flags, and their actions command lines that a
// person can paste.
type flags struct{}

var _ pipeline.Words = flags{}

// Setting implements [pipeline.Words].
func (flags) Setting(s pipeline.Setting) string {
	if s.Value == nil {
		return "--" + s.Option
	}
	if on, ok := s.Value.(bool); ok { // a flag that is on or off takes no word behind it
		return fmt.Sprintf("--%s=%v", s.Option, on)
	}
	return fmt.Sprintf("--%s %s", s.Option, quote.Shell(fmt.Sprint(s.Value)))
}

// Action implements [pipeline.Words].
func (w flags) Action(a pipeline.Action) string {
	words := []string{"fmimg", a.Command}
	for _, s := range a.Settings {
		words = append(words, w.Setting(s))
	}
	return strings.Join(words, " ")
}
