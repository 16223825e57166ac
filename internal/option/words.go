package option

import (
	"fmt"
	"strings"
)

// A Setting is an option with a value, or the option alone where the value is nil.
type Setting struct {
	Option string
	Value  any
}

// An Action is a use of one of the program's commands, with settings.
type Action struct {
	Command  string // such as train, or model show
	Settings []Setting
}

// Words name settings and actions in the way of a front end: a command speaks of its flags.
type Words interface {
	Setting(s Setting) string
	Action(a Action) string
}

// Plain are the words of a library, which has options and no flags.
var Plain Words = libraryWords{}

// libraryWords are the type of [Plain].
type libraryWords struct{}

// Setting implements [Words].
// Setting implements [Words].
func (libraryWords) Setting(s Setting) string {
	if s.Value == nil {
		return s.Option
	}
	return fmt.Sprintf("%s %v", s.Option, s.Value)
}

// Action implements [Words].
// Action implements [Words].
func (p libraryWords) Action(a Action) string {
	var list []string
	for _, s := range a.Settings {
		list = append(list, p.Setting(s))
	}
	switch settings := strings.Join(list, ", "); {
	case settings == "":
		return a.Command
	case a.Command == "":
		return settings
	default:
		return fmt.Sprintf("%s (%s)", a.Command, settings)
	}
}

// A Message is a text as fmt.Sprintf makes it. The words for a [Setting], an [Action], a Message or
// an error among its arguments are chosen late, by the one who shows the text.
type Message struct {
	Format string
	Args   []any
}

// Say returns a message. Verbs for settings, actions, messages and errors are %v.
func Say(format string, args ...any) Message { return Message{format, args} }

// String returns the text in [Plain] words.
func (m Message) String() string { return m.In(Plain) }

// In returns the text in the words of a front end.
func (m Message) In(w Words) string {
	args := make([]any, len(m.Args))
	for i, arg := range m.Args {
		args[i] = word(arg, w)
	}
	return fmt.Sprintf(m.Format, args...)
}

// behind puts a message behind a text, after a colon; a zero message adds nothing.
func (m Message) behind(text string, w Words) string {
	if m.Format == "" {
		return text
	}
	return text + ": " + m.In(w)
}

// word turns an argument whose words depend on the front end into text, and returns others as
// they are.
func word(arg any, w Words) any {
	switch arg := arg.(type) {
	case Setting:
		return w.Setting(arg)
	case Action:
		return w.Action(arg)
	case Message:
		return arg.In(w)
	case error:
		return ErrorIn(arg, w)
	}
	return arg
}

// ErrorIn returns the text of an error in the words of a front end. The text of a wrapped error
// stands in that of its wrapper, where its words are exchanged.
func ErrorIn(err error, w Words) string {
	if worded, ok := err.(interface{ In(w Words) string }); ok {
		return worded.In(w)
	}
	text := err.Error()
	for _, inner := range wrapped(err) {
		text = strings.Replace(text, inner.Error(), ErrorIn(inner, w), 1)
	}
	return text
}

// wrapped returns the errors that an error wraps.
func wrapped(err error) []error {
	switch err := err.(type) { //nolint:errorlint // one layer is unwrapped
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return []error{inner}
		}
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	}
	return nil
}
