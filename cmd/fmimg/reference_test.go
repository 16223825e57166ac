package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
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
		"# ten minutes, into runs/mnist", "amx, neon, neonbf16 (default the best that the CPU has, but for avx512bf16",
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

// codeLine is a line of a document that calls the command.
var codeLine = regexp.MustCompile(`^(?:    )?(?:\./)?fmimg (.*)$`)

// The commands in the documents are there, with the flags that they are called with.
func TestDocumentedCommands(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"README.md", "docs/*.md", "bench/*.md", "models/*/*.md", "pipeline/*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || found == nil {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		paths = append(paths, found...)
	}
	root := (&app{stdout: io.Discard, stderr: io.Discard}).newRoot()
	root.InitDefaultCompletionCmd()
	calls := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if match := codeLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); match != nil {
				calls++
				if err := understood(root, match[1]); err != nil {
					t.Errorf("%s: %s%v", path, line, err)
				}
			}
		}
	}
	if calls < 100 {
		t.Errorf("only %d calls in %d documents", calls, len(paths))
	}
}

// understood reports what is wrong with the command and the flags of a line of shell.
func understood(root *cobra.Command, line string) error {
	line, _, _ = strings.Cut(line, " #")
	line = strings.TrimSuffix(strings.ReplaceAll(line, "'", ""), "[flags]")
	cmd, rest, err := root.Find(strings.Fields(line))
	if err != nil {
		return err
	}
	return cmd.ParseFlags(rest)
}
