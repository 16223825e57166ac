package model

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// A GuidanceRange holds the smallest and the largest weight of guidance that a flow map is
// distilled for. They are equal for one weight, which then is no input of the flow map. Zero means
// none given.
//
// Its text, also in JSON, is "1-1.3" for a range, and a number for one weight. Weights of a range
// are above 0, and have no exponent in the text, so that it has one hyphen.
type GuidanceRange [2]float64

// OneGuidance returns the range of one weight.
func OneGuidance(weight float64) GuidanceRange { return GuidanceRange{weight, weight} }

// ParseGuidanceRange reads a weight such as 1.3, or a range such as 1-1.3.
func ParseGuidanceRange(text string) (GuidanceRange, error) {
	if weight, err := strconv.ParseFloat(text, 64); err == nil {
		return OneGuidance(weight), nil
	}
	low, high, ok := strings.Cut(text, "-")
	from, err1 := strconv.ParseFloat(low, 64)
	to, err2 := strconv.ParseFloat(high, 64)
	if !ok || err1 != nil || err2 != nil {
		return GuidanceRange{}, fmt.Errorf("%q is neither a weight such as 1.3 nor a range such as 1-1.3", text)
	}
	return GuidanceRange{from, to}, nil
}

// Wide reports whether the range has more than one weight.
func (r GuidanceRange) Wide() bool { return r[0] != r[1] }

// Contains reports whether a weight lies in the range.
func (r GuidanceRange) Contains(weight float64) bool { return r[0] <= weight && weight <= r[1] }

// Nearest returns the weight of the range that is nearest to another.
func (r GuidanceRange) Nearest(weight float64) float64 { return min(max(weight, r[0]), r[1]) }

// At returns the weight at a share of the way through the range, in [0, 1].
func (r GuidanceRange) At(share float64) float64 { return r[0] + share*(r[1]-r[0]) }

// String returns the text.
func (r GuidanceRange) String() string {
	if !r.Wide() {
		return strconv.FormatFloat(r[0], 'f', -1, 64)
	}
	return OneGuidance(r[0]).String() + "-" + OneGuidance(r[1]).String()
}

// MarshalJSON writes a number for one weight, else the text.
func (r GuidanceRange) MarshalJSON() ([]byte, error) {
	if !r.Wide() {
		return json.Marshal(r[0])
	}
	return json.Marshal(r.String())
}

// UnmarshalJSON reads a number or a text.
func (r *GuidanceRange) UnmarshalJSON(text []byte) error {
	var weight float64
	if err := json.Unmarshal(text, &weight); err == nil {
		*r = OneGuidance(weight)
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	var err error
	*r, err = ParseGuidanceRange(s)
	return err
}

// Validate reports a range that no model can have, as a [*pipeline.OptionError].
func (r GuidanceRange) Validate() error {
	for _, weight := range r {
		if err := option.Between("guidance", weight, -100, 100); err != nil {
			return err
		}
	}
	switch {
	case r[0] > r[1]:
		return option.Errorf("guidance", r, "the smaller weight comes first")
	case r.Wide() && r[0] <= 0:
		return option.Errorf("guidance", r, "a range holds weights above 0, such as 1-1.3")
	}
	return nil
}
