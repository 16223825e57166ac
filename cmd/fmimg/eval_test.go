package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/evaluate"
)

// eval measures a model, and the pictures that a model drew.
func TestEval(t *testing.T) {
	if testing.Short() {
		t.Skip("classifies all test images of MNIST, which takes plain Go minutes")
	}
	s := newShell(t)
	s.must("eval --model mnist --class 0-9 --count 100 --solver euler --steps 2 --guide none --quick --json --evaluations 2 --chart fid.png")
	var e evaluate.Report
	if err := json.Unmarshal([]byte(s.stdout), &e); err != nil {
		t.Fatalf("%v: %s", err, s.stdout)
	}
	if e.Count != 100 || e.References != 10000 || e.FID == nil || e.KID != nil || e.Floor.FID == nil || e.ClassAgreement == nil || len(e.Curve) != 1 ||
		e.Model != "mnist" || e.Data != "mnist" || e.Evaluations != 4 || *e.Floor.ClassAgreement < 0.95 {
		t.Errorf("%s", s.stdout)
	}
	if info, err := os.Stat("fid.png"); err != nil || info.Size() == 0 {
		t.Errorf("chart: %v", err)
	}
	s.must("generate --model mnist --class 0-9 --count 100 --solver euler --steps 2 --out drawn/")
	s.must("eval --images drawn --classes 0-9 --data mnist --quick --judges pooled,random --kept")
	for _, want := range []string{
		"drawn: 100 images; 10000 test images of mnist", "\nFID ", "\nclass agreement ", "\nFID over the floor's ",
		"\njudge ", "\npooled ", "\nrandom ", "\ngeometric mean ", "\ndeep, kept ", " ± ",
	} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("no %q in\n%s", want, s.stdout)
		}
	}
}

func TestEvalMistakes(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"eval --count 5":                     "--count 5: a number between 100 and ",
		"eval --count 0":                     "--count 0: a number above 0 is needed",
		"eval --chart a.png":                 "--chart a.png: it draws what --evaluations measures",
		"eval --evaluations 2 --chart a.gif": "--chart a.gif: its name must end in .png",
		"eval --guide none --solver midpoint --evaluations 3": "--evaluations 3 are those of no number of steps of midpoint with guidance 1.15: 1 step takes 4",
		"eval --images d --steps 3":                           "--steps: it tells how a model draws",
		"eval --images d --model mnist":                       "--images d: images are drawn by a model or come from elsewhere",
		"eval --classes 0-9":                                  "--classes 0-9: they go with images",
		"eval --images no-such":                               "--images no-such: no data set",
		"eval --judges pool":                                  `--judges "pool": choose one of classifier, pooled, `,
		"eval --judges deep":                                  "--judges deep: this judge is kept for final figures: ask it by --kept",
		"eval --judges random,random":                         "--judges random: it is named twice",
		"eval --tol 1":                                        "--tol 1: only --solver dopri5",
		"eval x":                                              `"x" is no flag`,
	} {
		if status := s.run(line); status != exitUsage || !strings.HasPrefix(s.stderr, "fmimg: eval: "+want) || strings.Count(s.stderr, "\n") != 1 || s.stdout != "" {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
	if s.run("eval --evaluations 2 --chart no/a.png") != exitFailed || !strings.Contains(s.stderr, "there is no folder no") {
		t.Errorf("%q", s.stderr)
	}
}
