// Package option words what is wrong with an option of a library call, so that a command can name
// its flag.
package option

import (
	"fmt"
	"slices"
	"strings"
)

// An Error says which option cannot be used, and why.
type Error struct {
	Option string // as in the JSON form, with - for _
	Reason string // starts with the value
}

// Error returns one line.
func (e *Error) Error() string { return e.Option + " " + e.Reason }

// Errorf returns an [*Error] with a formatted reason.
func Errorf(option, format string, args ...any) error {
	return &Error{option, fmt.Sprintf(format, args...)}
}

// Between returns an [*Error] unless low ≤ value ≤ high.
func Between[T int | float64](option string, value, low, high T) error {
	if value >= low && value <= high { // false for NaN
		return nil
	}
	return Errorf(option, "%v: a number between %v and %v is needed", value, low, high)
}

// Optional is [Between] for an option whose zero stands for a default.
func Optional[T int | float64](option string, value, low, high T) error {
	if value == 0 {
		return nil
	}
	return Between(option, value, low, high)
}

// OneOf returns an [*Error] unless a value is one of those that are known.
func OneOf[T ~string](option string, value T, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	return Errorf(option, "%q: choose one of %s", value, Join(known))
}

// Join lists names with commas between them.
func Join[T ~string](names []T) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = string(name)
	}
	return strings.Join(words, ", ")
}

// First returns the first error, nil where there is none.
func First(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// SetDefault gives a zero value its default.
func SetDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// None is the value of an option that is turned off, where the zero value stands for a default. Any
// other number below 0 means the same.
const None = -1

// OrNone returns the number that an option stands for whose default is filled in: 0 for [None].
func OrNone[T int | float64](value T) T { return max(value, 0) }

// ZeroNone writes 0 for [None] into options that are about to be recorded in a file.
func ZeroNone[T int | float64](options ...*T) {
	for _, p := range options {
		*p = OrNone(*p)
	}
}

// NoneOfZero undoes [ZeroNone] in options that were recorded. A default was filled in before, so
// that 0 cannot stand for it.
func NoneOfZero[T int | float64](options ...*T) {
	for _, p := range options {
		SetDefault(p, None)
	}
}

// Override replaces a value by another that is not zero.
func Override[T comparable](p *T, value T) {
	var zero T
	if value != zero {
		*p = value
	}
}
