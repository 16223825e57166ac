package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/likelihood"
)

// likelihood says what it measured, as JSON and in words, and writes its files.
func TestLikelihood(t *testing.T) {
	s := newShell(t)
	s.must("likelihood --model mnist --count 3 --solver euler --steps 2 --json --scores scores.csv --out extremes.png")
	var l likelihood.Report
	if err := json.Unmarshal([]byte(s.stdout), &l); err != nil {
		t.Fatalf("%v: %s", err, s.stdout)
	}
	if l.Count != 3 || l.BitsPerDimension == 0 || l.StandardError <= 0 || l.Class != "label" || l.Evaluations != 2 || len(l.Images) != 3 || l.Data != "mnist/test" {
		t.Errorf("%s", s.stdout)
	}
	if !strings.Contains(s.stderr, "not trained with --dequantize") {
		t.Errorf("no warning: %q", s.stderr)
	}
	for _, name := range []string{"scores.csv", "extremes.png"} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.must("likelihood --model mnist --count 2 --solver euler --steps 1 --probes 2 --class none")
	for _, want := range []string{"hutchinson, 2 probes; euler, 1 step", "log p(x|no class)  2 images of mnist/test", "bits/dim", "of which probes"} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("no %q in\n%s", want, s.stdout)
		}
	}
}

// Each command of edit writes its picture and says so.
func TestEdit(t *testing.T) {
	s := newShell(t)
	s.must("generate --model mnist --count 1 --solver euler --steps 1 --padding 0 --scale 3 --out a.png")
	for line, want := range map[string]string{
		"inpaint --in a.png --mask left --steps 1 --times 1 --count 1":      "wrote out.png: 1 image of 1 input",
		"inpaint --in a.png --mask a.png --steps 1 --times 1 --count 1":     "wrote out.png: 1 image of 1 input",
		"vary --data mnist --index 7 --steps 1 --count 2":                   "wrote out.png: 2 images of 1 input",
		"interpolate --data mnist --index 7,12 --solver euler --steps 1":    "round trip to noise and back: error ",
		"inpaint --in a.png --mask upper --method gradient --steps 1":       "wrote out.png: 6 images of 1 input",
		"vary --in a.png,a.png --level 1 --class 3 --guidance 2 --steps 1 ": "wrote out.png: 16 images of 2 inputs",
	} {
		s.must("edit " + line + " --model mnist --out out.png")
		if !strings.Contains(s.stderr, want) {
			t.Errorf("%s: %q, want %q", line, s.stderr, want)
		}
		if err := os.Remove("out.png"); err != nil {
			t.Error(err)
		}
	}
}

func TestLikelihoodAndEditMistakes(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"likelihood --count 0":                                                        "likelihood: --count 0: a number above 0 is needed",
		"likelihood --probes 0":                                                       "likelihood: --probes 0: a number above 0 is needed",
		"likelihood --exact --probes 2":                                               "likelihood: --probes 2: an exact divergence has none",
		"likelihood --class 7":                                                        `likelihood: --class "7": choose one of label, none, all`,
		"likelihood --out a.csv":                                                      "likelihood: --out a.csv: its name must end in .png",
		"likelihood --scores a.png":                                                   "likelihood: --scores a.png: its name must end in .csv",
		"likelihood --steps 3":                                                        "likelihood: --steps 3: --solver dopri5 chooses its own",
		"likelihood --solver rk4 --tol 1":                                             "likelihood: --tol 1: only --solver dopri5",
		"likelihood --data mnits":                                                     "likelihood: --data mnits: no data set",
		"likelihood --count 20000 --data mnist":                                       "likelihood: --count 20000: mnist/test holds 10000 images",
		"edit inpiant":                                                                `edit: unknown command "inpiant": did you mean inpaint?`,
		"edit inpaint --out a.png --index 1":                                          "edit inpaint: --mask is needed",
		"edit inpaint --mask lower --index 1":                                         "edit inpaint: --out is needed",
		"edit inpaint --mask lower --out a.png":                                       "edit inpaint: --in is needed",
		"edit vary --index 1 --out a.png --level 0":                                   "edit vary: --level 0: a number above 0 is needed",
		"edit vary --index 1 --out a.png --level 2":                                   "edit vary: --level 2: a share of the way to noise",
		"edit vary --in b.png --out a.png":                                            "edit vary: --in b.png: no such file or directory: name a picture",
		"edit vary --index x --out a.png":                                             "edit vary: --index x: a list of whole numbers such as 7,12 is needed",
		"edit vary --index 99999 --out a.png":                                         "edit vary: --index 99999: mnist/test holds images 0-9999",
		"edit interpolate --index 1 --out a.png":                                      "edit interpolate: --in 1 image makes no pairs",
		"edit inpaint --mask lower --index 1 --out a.png --solver rk4":                "edit inpaint: --solver: --method resample has a solver of its own",
		"edit inpaint --mask lower --index 1 --out a.png --method gradient --times 3": "edit inpaint: --times 3: only --method resample",
		"edit inpaint --mask no.png --index 1 --out a.png":                            "edit inpaint: --mask no.png: no such file or directory: name a picture, or a half of the images: lower, upper, left or right",
		"edit interpolate --index 1,2 --count 1 --out a.png":                          "edit interpolate: --count 1: the two ends are part of the way",
	} {
		if status := s.run(line); status != exitUsage || !strings.HasPrefix(s.stderr, "fmimg: "+want) || strings.Count(s.stderr, "\n") != 1 || s.stdout != "" {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}
