package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/likelihood"
)

// Commands take a normalizing flow as they take any other model.
func TestNormalizingFlow(t *testing.T) {
	s := newShell(t)
	s.must("train --data mnist --objective nf --preset tiny --steps 2 --batch 4 --preview-every -1 --validate-every -1 --out flow")
	s.must("likelihood --model flow --count 3 --json")
	var l likelihood.Report
	if err := json.Unmarshal([]byte(s.stdout), &l); err != nil || l.Divergence != "exact" || l.BitsPerDimension <= 0 || !l.Dequantized {
		t.Errorf("%v: %s", err, s.stdout)
	}
	s.must("likelihood --model flow --count 2 --samples 2 --against mnist")
	s.must("generate --model flow --grid 1x2 --out flow.png")
	if !testing.Short() { // eval classifies all test images
		s.must("eval --model flow --count 100 --quick")
	}
	s.must("model export flow --float16 --out half.safetensors")
	s.must("model show half.safetensors")
	if !strings.Contains(s.stdout, "a normalizing flow of 3 scales") {
		t.Errorf("%s", s.stdout)
	}
	for line, want := range map[string]string{
		"generate --model flow --steps 4 --out a.png":                      "--steps 4: model flow",
		"likelihood --model flow --solver rk4":                             "--solver rk4: model flow",
		"edit vary --model flow --data mnist --index 1 --out a.png":        "is a normalizing flow",
		"distill --model flow --steps 1 --out fast":                        "is a normalizing flow",
		"train --data mnist --init flow --steps 1 --out more":              "is a normalizing flow",
		"train --data mnist --objective nf --path vp --steps 1 --out more": "--path vp: a normalizing flow",
		"train --data mnist --objective nf --dequantize=false --steps 1":   "--dequantize false",
		"generate --model flow --strip 5 --out a.png":                      "--strip 5: model flow",
		"train --data mnist --objective nf --conditional yes --steps 1":    "--conditional yes",
	} {
		if s.run(line) != 2 || !strings.Contains(s.stderr, want) {
			t.Errorf("%s: %q, want %q", line, s.stderr, want)
		}
	}
}
