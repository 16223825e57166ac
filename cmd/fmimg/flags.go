package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// An amount is a flag whose 0 means none, for an option whose zero value means its default and that
// a value below 0 turns off.
type amount[T int | float64] struct{ p *T }

// amountVar adds such a flag, whose default is not none.
func amountVar[T int | float64](f *pflag.FlagSet, p *T, name string, usual T, usage string) {
	*p = usual
	f.Var(amount[T]{p}, name, usage)
}

// String implements [pflag.Value].
func (a amount[T]) String() string {
	if a.p == nil {
		return ""
	}
	return fmt.Sprint(option.OrNone(*a.p))
}

// Set implements [pflag.Value]. It reads what pflag reads for a number of the same type, but for
// numbers below 0.
func (a amount[T]) Set(text string) error {
	v, err := a.parse(text)
	if err == nil && v < 0 {
		err = fmt.Errorf("%v is below 0", v)
	}
	if err != nil {
		return err
	}
	if *a.p = v; v == 0 {
		*a.p = option.None
	}
	return nil
}

func (a amount[T]) parse(text string) (T, error) {
	if _, whole := any(a.p).(*int); whole {
		v, err := strconv.ParseInt(text, 0, strconv.IntSize)
		return T(v), err
	}
	v, err := strconv.ParseFloat(text, 64)
	return T(v), err
}

// Type implements [pflag.Value]. It is shown in help, where an amount is a number like others.
func (a amount[T]) Type() string { return fmt.Sprintf("%T", *new(T)) }

// atLeastZero reports whether a flag is an amount.
func atLeastZero(f *pflag.Flag) bool {
	switch f.Value.(type) {
	case amount[int], amount[float64]:
		return true
	}
	return false
}

// A sizeValue is a flag for the size of images: a side, or WIDTHxHEIGHT.
type sizeValue struct{ p *pipeline.Size }

// String implements [pflag.Value].
func (v sizeValue) String() string {
	if v.p == nil {
		return ""
	}
	return v.p.String()
}

// Set implements [pflag.Value].
func (v sizeValue) Set(text string) (err error) {
	*v.p, err = pipeline.ParseSize(text)
	return err
}

// Type implements [pflag.Value].
func (sizeValue) Type() string { return "size" }

// A sizesValue is a flag for several sizes of images, joined by commas.
type sizesValue struct{ p *[]pipeline.Size }

// String implements [pflag.Value].
func (v sizesValue) String() string {
	if v.p == nil {
		return ""
	}
	return joinTexts(*v.p)
}

// Set implements [pflag.Value].
func (v sizesValue) Set(text string) error {
	*v.p = nil
	for part := range strings.SplitSeq(text, ",") {
		size, err := pipeline.ParseSize(part)
		if err != nil || size == (pipeline.Size{}) {
			return &option.ValueError{Kind: "size", Text: part, Reason: "a side above 0, or WIDTHxHEIGHT, is needed"}
		}
		*v.p = append(*v.p, size)
	}
	return nil
}

// Type implements [pflag.Value].
func (sizesValue) Type() string { return "sizes" }

// A namesValue is a flag for several names of an enumeration, joined by commas, which its package
// checks.
type namesValue[T ~string] struct{ p *[]T }

// String implements [pflag.Value].
func (v namesValue[T]) String() string {
	if v.p == nil {
		return ""
	}
	return joinTexts(*v.p)
}

// Set implements [pflag.Value].
func (v namesValue[T]) Set(text string) error {
	*v.p = nil
	for part := range strings.SplitSeq(text, ",") {
		name := strings.TrimSpace(part)
		if name == "" {
			return &option.ValueError{Kind: "name", Text: text, Reason: "names joined by commas are needed"}
		}
		*v.p = append(*v.p, T(name))
	}
	return nil
}

// Type implements [pflag.Value].
func (namesValue[T]) Type() string { return "names" }

// joinTexts joins the texts of values by commas.
func joinTexts[T any](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ",")
}

// An intervalValue is a flag for the interval of t in which guidance acts.
type intervalValue struct{ p *model.Interval }

// guidanceFlags adds the flags about guidance beside its weight. usual says which guide is the
// default, and usualTimes which interval is beside the whole way.
func guidanceFlags(f *pflag.FlagSet, within *model.Interval, guide *string, usual, usualTimes string) {
	f.Var(intervalValue{within}, "guidance-interval", fmt.Sprintf(
		"`times` LOW,HIGH of the way from noise, 0, to image, 1, in which guidance acts; outside of it a step costs half (default %v%s)", model.WholeWay(), usualTimes))
	f.StringVar(guide, "guide", "", "a weaker `model` that --guidance leads away from: a file, a run folder, auto for the one that the run kept (train --keep-guide), or none"+usual)
}

// String implements [pflag.Value].
func (v intervalValue) String() string {
	if v.p == nil || *v.p == (model.Interval{}) {
		return ""
	}
	return v.p.String()
}

// Set implements [pflag.Value].
func (v intervalValue) Set(text string) (err error) {
	*v.p, err = model.ParseInterval(text)
	return err
}

// Type implements [pflag.Value].
func (intervalValue) Type() string { return "interval" }

// A timesValue is a flag for a network's own times at noise and at images.
type timesValue struct{ p *[2]float64 }

// String implements [pflag.Value].
func (v timesValue) String() string {
	if v.p == nil || *v.p == [2]float64{} {
		return ""
	}
	return fmt.Sprintf("%v,%v", v.p[0], v.p[1])
}

// Set implements [pflag.Value].
func (v timesValue) Set(text string) error {
	noise, image, ok := strings.Cut(text, ",")
	var err error
	for i, number := range []string{noise, image} {
		if v.p[i], err = strconv.ParseFloat(strings.TrimSpace(number), 64); err != nil {
			ok = false
		}
	}
	if !ok || v.p[0] == v.p[1] {
		return errors.New("want two numbers that differ, at noise and at images, such as 999,0")
	}
	return nil
}

// Type implements [pflag.Value].
func (timesValue) Type() string { return "times" }

// fitVar adds the flag for how images come to other proportions. otherwise describes the default
// where it is none of the ways.
func fitVar(f *pflag.FlagSet, p *dataset.Fit, usual dataset.Fit, otherwise string) {
	nameVar(f, p, "fit", usual,
		"`how` pictures of other proportions are brought there: crop to the middle, pad with borders, or stretch"+otherwise)
}

// A named is a flag for one of the names of an enumeration, which its package checks.
type named[T ~string] struct{ p *T }

// nameVar adds such a flag.
func nameVar[T ~string](f *pflag.FlagSet, p *T, name string, usual T, usage string) {
	*p = usual
	f.Var(named[T]{p}, name, usage)
}

// String implements [pflag.Value].
func (n named[T]) String() string {
	if n.p == nil {
		return ""
	}
	return string(*n.p)
}

// Set implements [pflag.Value].
func (n named[T]) Set(text string) error {
	*n.p = T(text)
	return nil
}

// Type implements [pflag.Value].
func (named[T]) Type() string { return "string" }
