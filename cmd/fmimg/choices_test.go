package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
)

// The usage of a flag that takes one of some names, and its completion by the shell, know all of
// the names.
func TestChoices(t *testing.T) {
	alongPaths := map[string]bool{"generate": true, "eval": true, "bench generate": true}
	values := flagValues()
	for _, cmd := range tree((&app{stdout: io.Discard, stderr: io.Discard}).newRoot()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "fmimg ")
		solvers := ode.SolverNames()
		switch {
		case alongPaths[name]:
			solvers = model.SolverNames()
		case name == "model export": // whose graphs have fixed steps
			solvers = slices.DeleteFunc(solvers, func(solver string) bool { return solver == ode.Dopri5.Name })
		}
		for flag, names := range map[string][]string{
			"solver":         solvers,
			"optimizer":      asStrings(engine.Optimizers()),
			"decay":          asStrings(engine.Decays()),
			"objective":      append(asStrings(model.Predictions()), string(model.FlowObjective)),
			"loss-weight":    asStrings(model.Predictions()),
			"fit":            asStrings(feed.Fits()),
			"image-channels": asStrings(feed.ChannelNames()),
			"precision":      precisions(),
			"kind":           asStrings(classify.Kinds()),
			"judges":         judge.MNISTNames(),
		} {
			f := cmd.Flags().Lookup(flag)
			if f == nil {
				continue
			}
			for _, choice := range names {
				if !word(choice).MatchString(f.Usage) {
					t.Errorf("the usage of %s --%s does not name %s: %s", name, flag, choice, f.Usage)
				}
				if !word(choice).MatchString(strings.Join(values[flag], "\n")) {
					t.Errorf("the completion of --%s does not offer %s", flag, choice)
				}
			}
		}
	}
}

// precisions returns the names that the flag precision takes.
func precisions() []string {
	all := []string{pipeline.AutoPrecision}
	for _, p := range kernels.Precisions() {
		all = append(all, p.String())
	}
	return all
}

// The guide's table of solvers has all of them.
func TestGuideNamesSolvers(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "drawing.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range model.SolverNames() {
		if !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("docs/drawing.md does not name the solver %s", name)
		}
	}
}

// word matches a name that is no part of another word.
func word(name string) *regexp.Regexp { return regexp.MustCompile(`\b` + name + `\b`) }

func asStrings[T ~string](names []T) []string {
	s := make([]string, len(names))
	for i, n := range names {
		s[i] = string(n)
	}
	return s
}
