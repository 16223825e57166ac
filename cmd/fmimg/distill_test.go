package main

import (
	"os"
	"strings"
	"testing"
)

// A model is distilled into a folder beside it. The run goes on after a stop, and the new model
// draws in few evaluations and says what it is.
func TestDistill(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 1 --out runs/digits")
	s.must("distill --model runs/digits --steps 3 --batch 4 --pool 8 --reuse 1 --teacher-solver euler --teacher-steps 4 --stop-after 1 --preview-every -1")
	if want := "go on with fmimg distill --resume --out runs/digits-fast\n"; !strings.Contains(s.stderr, want) || s.stdout != "runs/digits-fast\n" {
		t.Errorf("%q, %q", s.stdout, s.stderr)
	}
	if s.run("train --resume --out runs/digits-fast") != exitFailed || !strings.Contains(s.stderr, "go on with fmimg distill --resume --out runs/digits-fast") {
		t.Errorf("%q", s.stderr)
	}
	s.must("distill --resume --out runs/digits-fast")
	s.must("generate --model runs/digits-fast --class 3 --count 2 --out a.png")
	if !strings.Contains(s.stderr, "2 images of 4 evaluations") {
		t.Error(s.stderr)
	}
	s.must("generate --model runs/digits-fast --steps 1 --count 2 --out a.gif")
	if _, err := os.Stat("a.gif"); err != nil || !strings.Contains(s.stderr, "2 images of 1 evaluation ") {
		t.Errorf("%v, %q", err, s.stderr)
	}
	s.must("model show runs/digits-fast")
	if !strings.Contains(s.stdout, "a flow map: it draws in 1, 2 or 4 evaluations") {
		t.Error(s.stdout)
	}
	for line, want := range map[string]string{
		"generate --model runs/digits-fast --steps 3 --out b.png":        "--steps 3: model runs/digits-fast/model.safetensors was trained for 1, 2 or 4 jumps",
		"generate --model runs/digits-fast --solver heun --out b.png":    "--solver heun: model runs/digits-fast/model.safetensors is a flow map",
		"generate --model runs/digits-fast --guidance 2 --out b.png":     "--guidance 2: model runs/digits-fast/model.safetensors is a flow map",
		"generate --model runs/digits-fast --tol 0.1 --out b.png":        "--tol 0.1: only --solver dopri5 has a tolerance",
		"eval --model runs/digits-fast --evaluations 1,8":                "--evaluations 8: model runs/digits-fast/model.safetensors was trained for 1, 2 or 4 jumps",
		"distill --model runs/digits-fast":                               "--model runs/digits-fast: the network is a flow map already",
		"train --data mnist --init runs/digits-fast":                     "--init runs/digits-fast: it is a flow map",
		"distill --resume --out runs/digits-fast --reuse 2":              "--reuse 2: the run in runs/digits-fast has 1, which cannot change",
		"distill --model runs/digits --guidance 2 --jump-shares 0.5,0.5": "--jump-shares 0.5,0.5: three numbers",
	} {
		if status := s.run(line); status != exitUsage || !strings.Contains(s.stderr, want) || strings.Count(s.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}
