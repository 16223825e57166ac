package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fake stands for both programs: it writes files that depend on the arguments alone.
func fake(_ context.Context, _ side, folder string, args ...string) ([]byte, error) {
	if args[0] == "train" {
		if err := os.MkdirAll(filepath.Join(folder, runFolder), 0o755); err != nil {
			return nil, err
		}
		for _, name := range runFiles {
			data := []byte("{}")
			if filepath.Ext(name) == ".safetensors" {
				data = tensorFile(strings.Join(args, " "), "abcdefgh")
			}
			if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
				return nil, err
			}
		}
	}
	if args[0] == "generate" {
		name := args[slices.Index(args, "--out")+1]
		data := []byte(strings.Join(args, " "))
		if filepath.Ext(name) == ".png" {
			data = fakePicture
		}
		return nil, os.WriteFile(filepath.Join(folder, name), data, 0o644)
	}
	return []byte(`{"seconds":1}`), nil
}

var fakePicture []byte

// A breakage is what the later program does wrong.
type breakage struct {
	name   string
	broken func(s side, folder string, args []string) error // runs after the fake
	want   string                                           // part of the lines that differ
	count  int                                              // number of lines that differ
}

// breakages returns one breakage of each kind, and none.
func breakages(t *testing.T) []breakage {
	change := func(s side, folder, name string, data []byte) error {
		if s == before {
			return nil
		}
		return os.WriteFile(filepath.Join(folder, name), data, 0o644)
	}
	return []breakage{
		{name: "nothing", broken: func(side, string, []string) error { return nil }},
		{name: "training", broken: func(s side, folder string, args []string) error {
			if args[0] != "train" || slices.Contains(args, "--resume") {
				return nil
			}
			return change(s, folder, runFiles[1], tensorFile("x", "abcdefgx"))
		}, want: "train: run/state.safetensors", count: 1},
		{name: "drawing", broken: func(s side, folder string, args []string) error {
			if !slices.Contains(args, "drawn.png") {
				return nil
			}
			return change(s, folder, "drawn.png", pngFile(t, 10, 0))
		}, want: "generate by class: drawn.png: pixel", count: 1},
		{name: "resuming", broken: func(s side, folder string, args []string) error {
			if !slices.Contains(args, "--resume") {
				return nil
			}
			return change(s, folder, runFiles[2], []byte(`{"loss":1}`))
		}, want: "resume: run/metrics.jsonl", count: 1},
		{name: "failing", broken: func(s side, _ string, args []string) error {
			if s == after && args[0] == "likelihood" {
				return errors.New("out of order")
			}
			return nil
		}, want: "likelihood: out of order", count: 1},
		{name: "failing at first", broken: func(s side, _ string, args []string) error {
			if s == after && args[0] == "train" && !slices.Contains(args, "--resume") {
				return errors.New("out of order")
			}
			return nil
		}, want: "train: out of order", count: 1},
	}
}

// Each result that a program can break is found, and no other is counted with it.
func TestChecker(t *testing.T) {
	fakePicture = pngFile(t, 9, 0)
	for _, c := range breakages(t) {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			k := checker{folder: t.TempDir(), threads: 1, out: &out}
			k.run = func(ctx context.Context, s side, folder string, args ...string) ([]byte, error) {
				text, err := fake(ctx, s, folder, args...)
				return text, errors.Join(err, c.broken(s, folder, args))
			}
			s := setting{isa: "generic", preset: "tiny", seed: 5, amounts: amountsFor("generic", "tiny")}
			if err := k.check(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if k.compared < 9 || k.different != c.count || strings.Count(out.String(), "DIFFERS") != c.count {
				t.Errorf("%d comparisons, %d differ, want %d:\n%s", k.compared, k.different, c.count, out.String())
			}
			if !strings.Contains(filepath.ToSlash(out.String()), c.want) {
				t.Errorf("no line says %q:\n%s", c.want, out.String())
			}
			if (k.summary() != nil) != (c.count > 0) {
				t.Errorf("summary returned %v with %d differences", k.summary(), c.count)
			}
		})
	}
}

// When the earlier program fails there is nothing to compare with.
func TestCheckerNeedsBefore(t *testing.T) {
	k := checker{folder: t.TempDir(), threads: 1, out: io.Discard}
	k.run = func(_ context.Context, s side, _ string, _ ...string) ([]byte, error) {
		if s == before {
			return nil, errors.New("out of order")
		}
		return nil, nil
	}
	err := k.check(t.Context(), setting{isa: "generic", preset: "tiny"})
	if err == nil || !strings.Contains(err.Error(), "earlier commit") {
		t.Errorf("got %v", err)
	}
	if err := k.summary(); err == nil {
		t.Error("no comparison counts as success")
	}
}

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-base HEAD -isa avx2 -presets tiny -seeds 3,4 -steps 2"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := o.settings()
	if len(got) != 2 || got[0].String() != "avx2 tiny seed 3" || got[1].steps != 2 || got[1].seed != 4 {
		t.Errorf("settings %v", got)
	}
	for _, args := range []string{
		"", "-base HEAD -seeds x", "-base HEAD -seeds ,", "-base HEAD -presets ,", "-base HEAD -steps -1",
		"-base HEAD more",
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestParseInstructionSets(t *testing.T) {
	got, err := parseInstructionSets("fmimg (devel)\ninstruction sets: generic, avx2, avx512 (default avx512)\n")
	if err != nil || !slices.Equal(got, []string{"generic", "avx2", "avx512"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := parseInstructionSets("fmimg (devel)\n"); err == nil {
		t.Error("a text without instruction sets is accepted")
	}
}
