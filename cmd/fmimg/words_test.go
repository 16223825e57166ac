package main

import (
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
)

func TestFlags(t *testing.T) {
	resume := pipeline.Action{Command: "train", Settings: []pipeline.Setting{
		{Option: "resume"}, {Option: "out", Value: "my run"}, {Option: "size", Value: 28},
	}}
	if got := (flags{}).Action(resume); got != `fmimg train --resume --out "my run" --size 28` {
		t.Error(got)
	}
	e := pipeline.Note("use %v, or %v", resume.Settings[0], resume.Settings[2])
	if got := news(e); e.Text != "use resume, or size 28" || got != "use --resume, or --size 28" {
		t.Errorf("a note is %q for a library, and %q here", e.Text, got)
	}
}

// The card of a run says by which commands to use, continue and repeat it.
func TestCard(t *testing.T) {
	s := newShell(t)
	expect := func(want ...string) {
		t.Helper()
		text, err := os.ReadFile("run1/README.md")
		for _, line := range want {
			if err != nil || !strings.Contains(string(text), line) {
				t.Errorf("%v: no %q in\n%s", err, line, text)
			}
		}
	}
	s.must(tinyRun + " --steps 4 --stop-after 2 --out run1")
	expect("Go on with\n\n    fmimg train --resume --out run1\n",
		"\n    fmimg generate --model run1 --grid 8x8 --out samples.png\n", "`--class 0` draws 0, `--guidance 2` draws clearer ones.")
	s.must("train --resume --out run1")
	expect("\n    fmimg train --data mnist --steps 4 --schedule 0:4 ", " --conditional yes\n")
}
