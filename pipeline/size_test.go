package pipeline

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
)

// A size is read as people write it, and comes back in one form.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"64": {64, 64}, "0": {}, "64x48": {64, 48}, "48X64": {48, 64}, "7×9": {7, 9}, "20 x 12": {20, 12},
		"32x32": {32, 32},
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
		back, err := ParseSize(got.String())
		if err != nil || back != got {
			t.Errorf("%q becomes %v, and then %v, %v", text, got, back, err)
		}
	}
	for _, text := range []string{"", "x", "64x", "x48", "64x48x3", "6.5", "64,48", "64*48", "big", "99999999999999999999"} {
		_, err := ParseSize(text)
		if wrong, ok := errors.AsType[*option.ValueError](err); !ok || wrong.Text != text {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Both sides lie in the range of an image's, or both are 0.
func TestSizeValidate(t *testing.T) {
	for _, c := range []struct {
		size Size
		good bool
	}{
		{Size{}, true}, {Size{1, 1}, true}, {Size{4096, 1}, true}, {Size{64, 48}, true},
		{Size{0, 48}, false}, {Size{64, 0}, false}, {Size{-1, -1}, false}, {Size{-4, 8}, false}, {Size{4097, 1}, false},
		{Size{5000, 5000}, false},
	} {
		if err := c.size.Validate(); (err == nil) != c.good {
			t.Errorf("%v: %v", c.size, err)
		}
	}
}

// Squares keep the form in which runs recorded them before, and nothing is recorded for no size.
func TestSizeJSON(t *testing.T) {
	type options struct {
		Size Size `json:"size,omitzero"`
	}
	for text, want := range map[string]Size{
		`{"size":32}`: {32, 32}, `{"size":"64x48"}`: {64, 48}, `{}`: {},
	} {
		var got options
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Size != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if back, err := json.Marshal(got); err != nil || string(back) != text {
			t.Errorf("%s comes back as %s, %v", text, back, err)
		}
	}
	for _, text := range []string{`{"size":"wide"}`, `{"size":[1,2]}`, `{"size":1.5}`} {
		if err := json.Unmarshal([]byte(text), &options{}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
