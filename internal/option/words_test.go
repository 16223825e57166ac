package option

import (
	"errors"
	"fmt"
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

// unknown returns the error for the text x, where y is known.
func unknown(in, kind string) error {
	return &ValueError{Package: in, Kind: kind, Text: "x", Known: []string{"y"}, Reason: "known is y"}
}

// Each kind of error has a text in plain words, and one in the words of a front end.
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
		{
			Rename(Between("steps", 0, 1, 4), "steps", "count"),
			"count 0: a number between 1 and 4 is needed", "--count 0: a number between 1 and 4 is needed",
		},
		{Rename(cause, "steps", "count"), "no such file", "no such file"},
		{
			Of("path", fmt.Errorf("a: %w", unknown("flow", "path"))),
			`path "x": known is y`, `--path "x": known is y`,
		},
		{
			&ValueError{Package: "flow", Kind: "path", Text: "x", Reason: "want 1"},
			`flow: path "x": want 1`, `flow: path "x": want 1`,
		},
		{unknown("", "preset"), `unknown preset "x": known is y`, `unknown preset "x": known is y`},
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
