package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// tinyComparison returns options that train for a few steps, and measure little.
func tinyComparison(data string, threads int) Options {
	return Options{Data: data, ISA: kernels.Best(), Seed: 1, Budget: 2e-4, Samples: 20, Resolution: 4, Threads: threads}
}

// numbers returns a comparison as JSON, without its times.
func numbers(t *testing.T, c *Comparison) string {
	t.Helper()
	for _, r := range c.Rows {
		r.Seconds, r.SecondsPerStep = 0, 0
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRun: all methods are there in order. The numbers are the same for any number of threads.
// There is a picture.
func TestRun(t *testing.T) {
	var texts []string
	for _, threads := range []int{1, 3} {
		steps, notes := 0, 0
		o := tinyComparison("8gaussians", threads)
		o.Report = func(r Report) {
			if r.Row == nil {
				steps = max(steps, r.Step)
			} else {
				notes++
			}
		}
		c, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		names, total := "", 0
		for _, r := range c.Rows {
			names, total = names+r.Method+" ", total+r.Steps
		}
		if names != "normalizing-flow cnf flow-matching flow-matching-ot diffusion " || steps != total || notes != 5 {
			t.Errorf("methods %s, %d of %d steps told, %d notes", names, steps, total, notes)
		}
		var b bytes.Buffer
		if err := c.WritePNG(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(&b); err != nil {
			t.Error(err)
		}
		texts = append(texts, numbers(t, c))
	}
	if texts[0] != texts[1] {
		t.Errorf("1 thread: %s\n3 threads: %s", texts[0], texts[1])
	}
}

func TestRunCSV(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "%d,%d\n", i%17, i*i%23)
	}
	name := filepath.Join(t.TempDir(), "points.CSV")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Run(t.Context(), tinyComparison(name, 2))
	if err != nil || c.Truth.LogLikelihood != nil || c.Data != name {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRunRefuses(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"data is needed":              func(o *Options) { o.Data = "" },
		"data swirl: known are moons": func(o *Options) { o.Data = "swirl" },
		"budget -1: a number between": func(o *Options) { o.Budget = -1 },
		"samples 1: a number between": func(o *Options) { o.Samples = 1 },
		"resolution 100000: a number": func(o *Options) { o.Resolution = 100000 },
		"threads -1":                  func(o *Options) { o.Threads = -1 },
	} {
		o := tinyComparison("moons", 1)
		change(&o)
		var wrong *option.Error
		if _, err := Run(t.Context(), o); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Run(t.Context(), tinyComparison("none.csv", 1)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, tinyComparison("moons", 1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
