package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
)

const tinyClassifier = "classifier --data p --hold-out 0.5 --size 12 --batch 4 --steps 2 --out c.safetensors"

// A classifier is trained on a folder of pictures. The path goes to stdout, the rest to stderr, and
// the file can be read.
func TestClassifier(t *testing.T) {
	s := newShell(t)
	pictures(t, "p/red/1.png", "p/red/2.png", "p/red/3.png", "p/gray/4.png", "p/gray/5.png", "p/gray/6.png", "p/notes.txt")
	s.must(tinyClassifier)
	if s.stdout != "c.safetensors\n" {
		t.Errorf("stdout %q", s.stdout)
	}
	for _, want := range []string{
		"c.safetensors: p (3 images of 12x12, 3 channels, 2 classes), classifier of ",
		"p: 1 of 7 files are left out",
		"finished 2 steps (8 images) in ", ", accuracy ", "%: c.safetensors\n",
	} {
		if !strings.Contains(s.stderr, want) {
			t.Errorf("no %q in\n%s", want, s.stderr)
		}
	}
	first := readClassifier(t)
	if h, w, c := first.Shape(); h != 12 || w != 12 || c != 3 || strings.Join(first.Classes(), " ") != "gray red" || first.Reference().Images != 3 {
		t.Errorf("%dx%dx%d, %v, %+v", h, w, c, first.Classes(), first.Reference())
	}
	s.must(tinyClassifier + " --json")
	var kinds []string
	for line := range strings.Lines(s.stdout) {
		var e pipeline.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if e.Kind != pipeline.Reading {
			kinds = append(kinds, string(e.Kind))
		}
	}
	if got := strings.Join(kinds, ","); got != "note,started,step,step,finished" || s.stderr != "" {
		t.Errorf("events %s, stderr %q", got, s.stderr)
	}
}

func readClassifier(t *testing.T) *classify.Network {
	t.Helper()
	file, err := os.Open("c.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := classify.Read(file, kernels.Best())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassifierUsage(t *testing.T) {
	for line, want := range map[string]string{
		"classifier":                                            `fmimg: classifier: --data is needed: name a data set with classes, such as mnist`,
		"classifier --data mnist":                               `fmimg: classifier: --out is needed: name the safetensors file to write`,
		"classifier mnist":                                      `fmimg: classifier: "mnist" is no flag, and classifier takes flags alone: see fmimg classifier --help`,
		"classifier --data mnits --out a":                       `fmimg: classifier: --data mnits: no data set and no file has this name: did you mean mnist?`,
		"classifier --data mnist --out a --steps 0":             `fmimg: classifier: --steps 0: a number above 0 is needed`,
		"classifier --data mnist --out a --epochs -1":           `fmimg: classifier: --epochs -1: a number between 1e-06 and 1e+06 is needed`,
		"classifier --data mnist --out a --steps 1 --epochs 1":  `fmimg: classifier: --steps 1: one budget too many: give one of steps and epochs`,
		"classifier --data mnist --out a --shear -1":            `fmimg: classifier: --shear -1: a number of 0 or more is needed`,
		"classifier --data mnist --out a --smooth 1":            `fmimg: classifier: unknown flag --smooth: did you mean --smoothing?`,
		"classifier --data mnist --out a --isa mmx":             `fmimg: classifier: --isa "mmx": choose one of `,
		"classifier --data mnist --out a --image-channels cmyk": `fmimg: classifier: --image-channels "cmyk": choose one of auto, gray, gray-alpha, rgb, rgba`,
	} {
		s := newShell(t)
		if status := s.run(line); status != exitUsage {
			t.Errorf("%s: status %d", line, status)
		}
		s.expectError(line, want)
	}
}

func TestClassifierFails(t *testing.T) {
	s := newShell(t)
	if status := s.run("classifier --data mnist --out no/c.safetensors"); status != exitFailed {
		t.Errorf("status %d", status)
	}
	s.expectError("no folder", "fmimg: classifier: cannot write no/c.safetensors: there is no folder no: create it first")

	pictures(t, "p/1.png", "p/2.png")
	if status := s.run(tinyClassifier); status != exitUsage || !strings.Contains(s.stderr, "--data p: its images have no classes") {
		t.Errorf("status %d, %q", status, s.stderr)
	}

	// Ctrl-C writes nothing and says so. It does not propose --resume: there is no such flag.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if status := s.runContext(ctx, "classifier --data mnist --steps 5 --out c.safetensors"); status != exitFailed {
		t.Errorf("status %d", status)
	}
	if last := s.stderr[strings.LastIndex(strings.TrimSpace(s.stderr), "\n")+1:]; last != "fmimg: classifier: interrupted after step 0 of 5: nothing was written: run it again\n" {
		t.Errorf("stderr %q", s.stderr)
	}
	if _, err := os.Stat("c.safetensors"); err == nil {
		t.Error("a file was written")
	}
}
