package option

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// dashes are words of a front end.
type dashes struct{}

func (dashes) Setting(s Setting) string { return "--" + Plain.Setting(s) }

func (w dashes) Action(a Action) string {
	words := []string{"run", a.Command}
	for _, s := range a.Settings {
		words = append(words, w.Setting(s))
	}
	return strings.Join(words, " ")
}

func TestWords(t *testing.T) {
	size := func(n int) Setting { return Setting{"size", n} }
	again := Action{"train", []Setting{{"resume", nil}, {"out", "a"}}}
	cause := errors.New("no such file")
	for _, c := range []struct {
		err          error
		plain, words string
	}{
		{
			Errorf("size", 30, "it takes multiples of %d", 4).Cured("choose %v or %v", size(28), size(32)),
			"size 30: it takes multiples of 4: choose size 28 or size 32",
			"--size 30: it takes multiples of 4: choose --size 28 or --size 32",
		},
		{Errorf("out", nil, "is needed"), "out is needed", "--out is needed"},
		{
			OneOf("optimizer", "sgd", "adamw", "muon"),
			`optimizer "sgd": choose one of adamw, muon`, `--optimizer "sgd": choose one of adamw, muon`,
		},
		{
			fmt.Errorf("init: %w", Faultf("a holds a run: %v", cause).Cured("go on with %v", again)),
			"init: a holds a run: no such file: go on with train (resume, out a)",
			"init: a holds a run: no such file: go on with run train --resume --out a",
		},
		{
			errors.Join(cause, Errorf("class", "x", "want %v", Say("one (%v lists them)", Action{Command: "show"}))),
			"no such file\nclass x: want one (show lists them)",
			"no such file\n--class x: want one (run show lists them)",
		},
		{Rename(Between("steps", 0, 1, 4), "steps", "count"), "count 0: a number between 1 and 4 is needed", "--count 0: a number between 1 and 4 is needed"},
		{Rename(cause, "steps", "count"), "no such file", "no such file"},
		{
			Of("path", fmt.Errorf("a: %w", &ValueError{Package: "flow", Kind: "path", Text: "x", Known: []string{"y"}, Reason: "known is y"})),
			`path "x": known is y`, `--path "x": known is y`,
		},
		{&ValueError{Package: "flow", Kind: "path", Text: "x", Reason: "want 1"}, `flow: path "x": want 1`, `flow: path "x": want 1`},
		{&ValueError{Kind: "preset", Text: "x", Known: []string{"y"}, Reason: "known is y"}, `unknown preset "x": known is y`, `unknown preset "x": known is y`},
	} {
		if got := c.err.Error(); got != c.plain {
			t.Errorf("got %q, want %q", got, c.plain)
		}
		if got := ErrorIn(c.err, dashes{}); got != c.words {
			t.Errorf("got %q, want %q", got, c.words)
		}
	}
	if err := Faultf("a: %v", cause); !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
	if got := Plain.Action(Action{Settings: []Setting{size(1), {"flip", nil}}}); got != "size 1, flip" {
		t.Errorf("settings alone are %q", got)
	}
}

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
