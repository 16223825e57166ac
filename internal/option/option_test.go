package option

import (
	"errors"
	"math"
	"testing"
)

// A check passes at its bounds, and fails outside them with an error that names the option.
func TestChecks(t *testing.T) {
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"low":           {Between("x", 2, 2, 3), true},
		"high":          {Between("x", 3.0, 2, 3), true},
		"too low":       {Between("x", 1, 2, 3), false},
		"too high":      {Between("x", 3.5, 2, 3), false},
		"no number":     {Between("x", math.NaN(), 2, 3), false},
		"default":       {Optional("x", 0, 2, 3), true},
		"optional":      {Optional("x", 2, 2, 3), true},
		"optional, not": {Optional("x", 1, 2, 3), false},
		"known":         {OneOf("x", "b", "a", "b"), true},
		"unknown":       {OneOf("x", "", "a", "b"), false},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%s: %v", name, c.err)
		}
		var wrong *Error
		if !c.ok && (!errors.As(c.err, &wrong) || wrong.Option != "x") {
			t.Errorf("%s: %v is not about option x", name, c.err)
		}
	}
}

func TestFirst(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	if got := First(nil, a, b); got != a { //nolint:errorlint // as it is returned
		t.Errorf("the first error is %v", got)
	}
	if got := First(nil, nil); got != nil {
		t.Errorf("no error became %v", got)
	}
}

// A default fills what is zero, an override replaces by what is not.
func TestDefaults(t *testing.T) {
	for _, c := range [][4]int{{0, 0, 0, 0}, {0, 5, 5, 5}, {3, 0, 3, 3}, {3, 5, 3, 5}} {
		filled, replaced := c[0], c[0]
		SetDefault(&filled, c[1])
		Override(&replaced, c[1])
		if filled != c[2] || replaced != c[3] {
			t.Errorf("%d with %d: filled %d, replaced %d", c[0], c[1], filled, replaced)
		}
	}
}

// An option that is turned off is recorded as 0, and read back as turned off.
func TestNone(t *testing.T) {
	off, other, half := None, 5, -0.5
	ZeroNone(&off, &other)
	ZeroNone(&half)
	if off != 0 || other != 5 || half != 0 {
		t.Errorf("recorded %d, %d, %v", off, other, half)
	}
	NoneOfZero(&off, &other)
	if off != None || other != 5 {
		t.Errorf("read back %d, %d", off, other)
	}
}
