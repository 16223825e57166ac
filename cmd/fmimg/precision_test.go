package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run in bfloat16, by the environment, says so in its files. Commands that draw take a precision
// of their own, whatever the model was trained in.
func TestPrecision(t *testing.T) {
	s := newShell(t)
	s.env["FMIMG_PRECISION"] = "bf16"
	s.must(tinyRun + " --steps 2")
	s.must("model show")
	if !strings.Contains(s.stdout, " in bf16, ") {
		t.Error(s.stdout)
	}
	config, err := os.ReadFile(filepath.Join("runs", "mnist", "config.json"))
	if err != nil || !strings.Contains(string(config), `"precision": "bf16"`) {
		t.Errorf("%v in %s", err, config)
	}
	s.must("generate --count 2 --steps 1 --out a.png")
	if !strings.Contains(s.stderr, "(trained on mnist, 2 steps) in bf16\n") {
		t.Error(s.stderr)
	}
	s.must("generate --count 2 --steps 1 --precision f32 --out b.png")
	if strings.Contains(s.stderr, "bf16") {
		t.Error(s.stderr)
	}
	s.must("bench train --preset tiny --batch 4 --time 1ms --json")
	var measured struct{ Precision string }
	if err := json.Unmarshal([]byte(s.stdout), &measured); err != nil || measured.Precision != "bf16" {
		t.Errorf("%s: %v", s.stdout, err)
	}
	s.must("likelihood --count 1 --solver euler --steps 1") // has no such option
	s.must("version")
	if !strings.Contains(s.stdout, "\nprecision of networks: ") {
		t.Error(s.stdout)
	}
}

// A precision that there is not, and one where all is float32, are refused in a line.
func TestPrecisionMistakes(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"generate --precision f16 --out a.png":                         `generate: --precision "f16": choose one of auto, f32, bf16`,
		"train --data mnist --precision fp32":                          `train: --precision "fp32": choose one of auto, f32, bf16`,
		"bench kernels --precision f32,f16":                            `bench kernels: --precision "f16": choose one of auto, f32, bf16`,
		"bench kernels --precision f32,":                               `bench kernels: --precision "f32,": a name is empty`,
		"likelihood --precision bf16":                                  "likelihood: --precision: likelihood computes in f32 alone: leave it out",
		"compare --data moons --precision f32 --json":                  "compare: --precision: compare computes in f32 alone: leave it out",
		"classifier --data mnist --precision bf16":                     "classifier: --precision: classifier computes in f32 alone: leave it out",
		"model show --precision bf16":                                  "model show: unknown flag --precision",
		"version --precision bf16":                                     "version: unknown flag --precision",
		"data show --data mnist --precision bf16":                      "data show: unknown flag --precision",
		"eval --images drawn --precision bf16":                         "eval: --precision: it tells how a model draws",
		"train --data mnist --objective nf --steps 1 --precision bf16": "train: --precision bf16: a normalizing flow (objective nf) computes in f32 alone: leave it out",
	} {
		if status := s.run(line); status != exitUsage || !strings.HasPrefix(s.stderr, "fmimg: "+want) || strings.Count(s.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
	s.env["FMIMG_PRECISION"] = "half"
	if status := s.run("generate --out a.png"); status != exitUsage ||
		!strings.Contains(s.stderr, "choose one of auto, f32, bf16 (FMIMG_PRECISION in the environment)") {
		t.Errorf("status %d, %q", status, s.stderr)
	}
	s.env["FMIMG_PRECISION"] = "bf16"
	if status := s.run("eval --images drawn"); status != exitUsage ||
		!strings.HasSuffix(s.stderr, "leave one out (FMIMG_PRECISION in the environment)\n") {
		t.Errorf("status %d, %q", status, s.stderr)
	}
}
