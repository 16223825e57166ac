package main

import (
	"os"
	"strings"
	"testing"
)

// The page has a section for each command that help lists, and a row for each flag.
func TestReference(t *testing.T) {
	s := newShell(t)
	s.must("reference commands.md")
	text, err := os.ReadFile("commands.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"| [fmimg model show](#fmimg-model-show) | Show what a model is |", "\n## fmimg model show\n",
		"| `--save-every steps` |", "fmimg train --data mnist --time 1h --preset large\n",
		"# ten minutes, into runs/mnist", "avx2, avx512, neon (default the best that the CPU has)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, cmd := range []string{"man", "reference", "help"} {
		if strings.Contains(page, "## fmimg "+cmd+"\n") {
			t.Errorf("%s is hidden, but in the page", cmd)
		}
	}
	if status := s.run("reference"); status != exitUsage {
		t.Errorf("without a file: status %d, %s", status, s.stderr)
	}
}

// A help text in Markdown keeps its tables, and shows its characters as they are.
func TestMarkdown(t *testing.T) {
	got := markdown("v_none:\n\n  a_b  c\n\nend")
	if want := "v\\_none:\n\n    a_b  c\n\nend"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = runnable("  fmimg a --b c   does it\n  fmimg d")
	if want := "fmimg a --b c   # does it\nfmimg d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
