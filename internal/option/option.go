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
func OneOf[T ~string](option string, value T, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	return &Error{
		Option: option, Value: Quoted(string(value)), Known: asStrings(known),
		Cure: Say("choose one of %s", Join(known)),
	}
}

// Join lists names with commas between them.
func Join[T ~string](names []T) string { return strings.Join(asStrings(names), ", ") }

// asStrings returns names as plain strings.
func asStrings[T ~string](names []T) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return all
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
