// Package option words what is wrong with an option of a library call. A library speaks of options;
// a command shows the same errors and messages in its own [Words], and so names its flags.
package option

import (
	"slices"
	"strings"
)

// Between returns an [*Error] unless low ≤ value ≤ high.
func Between[T int | float64](option string, value, low, high T) error {
	if value >= low && value <= high { // false for NaN
		return nil
	}
	return Errorf(option, value, "a number between %v and %v is needed", low, high)
}

// Optional is [Between] for an option whose zero stands for a default.
func Optional[T int | float64](option string, value, low, high T) error {
	if value == 0 {
		return nil
	}
	return Between(option, value, low, high)
}

// OneOf returns an [*Error] unless a value is among the known ones.
func OneOf(option, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return &Error{
		Option: option, Value: Quoted(value), Known: known,
		Cure: Say("choose one of %s", strings.Join(known, ", ")),
	}
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

// Override replaces a value by another that is not zero.
func Override[T comparable](p *T, value T) {
	var zero T
	if value != zero {
		*p = value
	}
}
