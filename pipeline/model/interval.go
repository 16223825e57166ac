package model

import (
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// An Interval holds the times from Interval[0] to Interval[1], both included, in which guidance
// acts: 0 ≤ Interval[0] < Interval[1] ≤ 1, from noise at 0 to images at 1. The zero Interval is
// [WholeWay].
type Interval [2]float64

// WholeWay returns the interval in which guidance acts where none is named: all of the way.
func WholeWay() Interval { return Interval{0, 1} }

// ParseInterval reads two numbers with a comma between them, such as 0.2,0.75. An error is an
// [*option.ValueError].
func ParseInterval(text string) (Interval, error) {
	low, high, ok := strings.Cut(text, ",")
	from, err1 := strconv.ParseFloat(strings.TrimSpace(low), 64)
	to, err2 := strconv.ParseFloat(strings.TrimSpace(high), 64)
	i := Interval{from, to}
	if !ok || err1 != nil || err2 != nil || !i.valid() {
		return Interval{}, &option.ValueError{Kind: "interval", Text: text, Reason: IntervalNeeded + " is needed"}
	}
	return i, nil
}

// IntervalNeeded says what an interval is, at the start of a sentence.
const IntervalNeeded = "LOW,HIGH with 0 <= LOW < HIGH <= 1, such as 0.2,0.75,"

// String returns the form that [ParseInterval] reads.
func (i Interval) String() string {
	low, high := strconv.FormatFloat(i[0], 'g', -1, 64), strconv.FormatFloat(i[1], 'g', -1, 64)
	return low + "," + high
}

// valid reports whether the bounds are in order and within the way from noise to image.
func (i Interval) valid() bool { return i[0] >= 0 && i[0] < i[1] && i[1] <= 1 }

// Validate returns a [*option.Error] for bounds that are out of order or out of range.
func (i Interval) Validate() error {
	if i == (Interval{}) || i.valid() {
		return nil
	}
	return option.Errorf("guidance-interval", i, "%s is needed", IntervalNeeded)
}

// orDefault returns the default for the zero interval.
func (i Interval) orDefault() Interval {
	option.SetDefault(&i, WholeWay())
	return i
}

// Whole reports whether the interval is the whole way.
func (i Interval) Whole() bool { return i.orDefault() == WholeWay() }

// Has reports whether the interval holds a time. Times are float32, so the bounds are rounded
// likewise: the time of a step, such as 3/10, is within an interval that begins or ends there.
func (i Interval) Has(t float32) bool {
	i = i.orDefault()
	return float32(i[0]) <= t && t <= float32(i[1])
}
