package option

import (
	"errors"
	"fmt"
	"strconv"
)

// An Error says which option cannot be used, why, and what to do.
type Error struct {
	Option string   // as in the JSON form, with - for _
	Value  any      // as it was given; nil where the reason speaks of it
	Reason Message  // may be empty where the cure says enough
	Known  []string // the names that there are, where the value had to be one of them
	Cure   Message  // empty where the reason names it, or where there is none
}

// Errorf returns an [*Error] with a formatted reason, see [Say].
func Errorf(option string, value any, reason string, args ...any) *Error {
	return &Error{Option: option, Value: value, Reason: Say(reason, args...)}
}

// Cured returns the error with a cure, see [Say].
func (e *Error) Cured(cure string, args ...any) *Error {
	e.Cure = Say(cure, args...)
	return e
}

// Error returns one line, in [Plain] words.
func (e *Error) Error() string { return e.In(Plain) }

// In returns the line in the words of a front end.
func (e *Error) In(w Words) string {
	text := w.Setting(Setting{Option: e.Option})
	if e.Value == nil {
		return e.Cure.behind(text+" "+e.Reason.In(w), w)
	}
	return e.Cure.behind(e.Reason.behind(text+" "+fmt.Sprint(e.Value), w), w)
}

// Rename returns an error about one option as that about another one, by which a caller gave the
// value. It returns other errors as they are.
func Rename(err error, from, to string) error {
	wrong, ok := errors.AsType[*Error](err)
	if !ok || wrong.Option != from {
		return err
	}
	renamed := *wrong
	renamed.Option = to
	return &renamed
}

// Quoted is a value that messages show in quotation marks.
type Quoted string

// String returns the value as Go writes it.
func (q Quoted) String() string { return strconv.Quote(string(q)) }

// A FaultError is an error that is not about an option, and whose message or cure names one, or a
// command.
type FaultError struct {
	Problem Message
	Cure    Message // may be empty
}

// Faultf returns a [*FaultError]. It wraps the errors among its arguments.
func Faultf(problem string, args ...any) *FaultError {
	return &FaultError{Problem: Say(problem, args...)}
}

// Cured returns the fault with a cure, see [Say].
func (f *FaultError) Cured(cure string, args ...any) *FaultError {
	f.Cure = Say(cure, args...)
	return f
}

// Error returns one line, in [Plain] words.
func (f *FaultError) Error() string { return f.In(Plain) }

// In returns the line in the words of a front end.
func (f *FaultError) In(w Words) string { return f.Cure.behind(f.Problem.In(w), w) }

// Unwrap returns the errors of the problem.
func (f *FaultError) Unwrap() []error {
	var list []error
	for _, arg := range f.Problem.Args {
		if err, ok := arg.(error); ok {
			list = append(list, err)
		}
	}
	return list
}

// A ValueError says what is wrong with a text that should name or spell something. Packages that
// know no options return it.
type ValueError struct {
	Package string // that reads the text, the first word of the message; may be empty
	Kind    string // what the text should name, such as path
	Text    string
	Known   []string // not empty: the text is unknown, and these are known
	Reason  string   // what is wrong, or which are known
}

// Error returns one line.
func (e *ValueError) Error() string {
	text := ""
	if e.Package != "" {
		text = e.Package + ": "
	}
	if len(e.Known) > 0 {
		text += "unknown "
	}
	return fmt.Sprintf("%s%s %q: %s", text, e.Kind, e.Text, e.Reason)
}

// Of returns a [*ValueError] as an [*Error] about the option that gave the text, and other errors
// as they are.
func Of(option string, err error) error {
	wrong, ok := errors.AsType[*ValueError](err)
	if !ok {
		return err
	}
	return &Error{Option: option, Value: Quoted(wrong.Text), Reason: Say("%s", wrong.Reason), Known: wrong.Known}
}
