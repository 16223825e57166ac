package pipeline

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// A Size is what images are brought to, in pixels. The zero value leaves open what it is.
type Size struct{ Width, Height int }

// Square returns the size of an image whose sides are equal.
func Square(side int) Size { return Size{side, side} }

// ParseSize reads a side, such as 64, or WIDTHxHEIGHT, such as 64x48. 0 is the zero value. What
// cannot be read is an [option.ValueError].
func ParseSize(text string) (Size, error) {
	width, height, two := strings.Cut(strings.ReplaceAll(strings.ToLower(text), "×", "x"), "x")
	if !two {
		height = width
	}
	w, err1 := strconv.Atoi(strings.TrimSpace(width))
	h, err2 := strconv.Atoi(strings.TrimSpace(height))
	if err1 != nil || err2 != nil {
		return Size{}, &option.ValueError{
			Kind: "size", Text: text, Reason: "a side in pixels such as 64, or WIDTHxHEIGHT such as 64x48, is needed",
		}
	}
	return Size{w, h}, nil
}

// String returns the form that [ParseSize] reads: 64 for a square, else 64x48.
func (s Size) String() string {
	if s.Width == s.Height {
		return strconv.Itoa(s.Width)
	}
	return s.Sides()
}

// Sides returns WIDTHxHEIGHT, of squares too, for a text.
func (s Size) Sides() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// Validate returns an [*OptionError] about the option size unless both sides can be those of an
// image, or both are 0.
func (s Size) Validate() error {
	if s.Width == s.Height {
		return option.Between("size", s.Width, 0, MaxSize)
	}
	if min(s.Width, s.Height) < 1 || max(s.Width, s.Height) > MaxSize {
		return option.Errorf("size", s, "both sides lie between 1 and %d", MaxSize)
	}
	return nil
}

// MarshalJSON writes a square as a number and other sizes as text.
func (s Size) MarshalJSON() ([]byte, error) {
	if s.Width == s.Height {
		return json.Marshal(s.Width)
	}
	return json.Marshal(s.String())
}

// UnmarshalJSON reads a number or a text.
func (s *Size) UnmarshalJSON(data []byte) error {
	var side int
	if err := json.Unmarshal(data, &side); err == nil {
		*s = Square(side)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("size %s: %w", data, err)
	}
	var err error
	*s, err = ParseSize(text)
	return err
}
