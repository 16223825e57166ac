package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A fake stands in for both programs. It notes what is run, and answers with made-up rates.
type fake struct {
	versions map[string]string // of PyTorch, by interpreter
	rates    map[string][2]float64
	log      []string
}

// command answers as the programs do. The name of a run of PyTorch is its version and its flags.
func (f *fake) command(_ context.Context, stdin string, argv ...string) ([]byte, error) {
	if slices.Contains(argv, "-c") {
		version, ok := f.versions[argv[0]]
		if !ok {
			return nil, errors.New("no module named torch")
		}
		return []byte(version + "\n"), nil
	}
	name := "fmimg"
	if argv[0] != "./fmimg" {
		if stdin != script {
			return nil, errors.New("not the script")
		}
		name = f.versions[argv[0]]
		for _, flag := range []string{"--compile", "--channels-last"} {
			if slices.Contains(argv, flag) {
				name += flag
			}
		}
	}
	if at := slices.Index(argv, "--time"); argv[at+1] == "0.01" {
		name += " to compile"
	}
	f.log = append(f.log, name)
	r, ok := f.rates[name]
	if !ok {
		r = [2]float64{10, 20}
	}
	return fmt.Appendf(nil, `{"images_per_s":%g,"forward_images_per_s":%g,"peak_memory_bytes":2000000,"parameters":7}`,
		r[0], r[1]), nil
}

func newComparison(f *fake) *comparison {
	o := options{fmimg: "./fmimg", pythons: []string{"python3", "old", "same", "none"}, preset: "base", batch: 4,
		rounds: 2, tries: 1, seconds: 1}
	return &comparison{options: o, command: f.command, progress: io.Discard}
}

// Each version of PyTorch counts once, an old one has no compiler, and an interpreter without
// PyTorch is left out. Compiled variants run once before they count. Then fmimg and the best
// variant run in turn. Here the best for training and for forward differ, so each round has two
// pairs.
func TestOrderOfRuns(t *testing.T) {
	f := &fake{
		versions: map[string]string{"python3": "2.9.1+cpu", "old": "1.13.1", "same": "2.9.1+cpu"},
		rates: map[string][2]float64{"2.9.1+cpu--compile": {30, 20}, "1.13.1--channels-last": {10, 50},
			"fmimg": {90, 200}},
	}
	c := newComparison(f)
	if err := errors.Join(c.findPeers(t.Context()), c.measure(t.Context(), 2)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2.9.1+cpu", "2.9.1+cpu--channels-last", "2.9.1+cpu--compile to compile", "2.9.1+cpu--compile",
		"2.9.1+cpu--compile--channels-last to compile", "2.9.1+cpu--compile--channels-last", "1.13.1",
		"1.13.1--channels-last",
		"fmimg", "2.9.1+cpu--compile", "fmimg", "1.13.1--channels-last",
		"fmimg", "2.9.1+cpu--compile", "fmimg", "1.13.1--channels-last",
	}
	if !slices.Equal(f.log, want) {
		t.Errorf("ran\n%s\nwant\n%s", strings.Join(f.log, "\n"), strings.Join(want, "\n"))
	}
	o := c.outcomes[0]
	if ratio, _, _ := o.Train.ratio(); ratio != 3 {
		t.Errorf("training: ratio %v, want 90/30", ratio)
	}
	if ratio, _, _ := o.Forward.ratio(); ratio != 4 {
		t.Errorf("forward: ratio %v, want 200/50", ratio)
	}
	var table bytes.Buffer
	if err := c.write(&table); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"2        training      90.0     30.0   3.00x (3.00–3.00)   2/2       PyTorch 2.9.1+cpu, compiled, contiguous",
		"2        forward      200.0     50.0   4.00x (4.00–4.00)   2/2       PyTorch 1.13.1, eager, channels-last",
	} {
		if !strings.Contains(table.String(), line+"\n") {
			t.Errorf("the table lacks %q:\n%s", line, &table)
		}
	}
	path := filepath.Join(t.TempDir(), "peer.json")
	if err := c.save(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !json.Valid(text) ||
		!bytes.Contains(text, []byte(`"torch": "1.13.1"`)) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestRatioIsOfMedians(t *testing.T) {
	d := duel{Ours: []float64{30, 10, 20}, Theirs: []float64{10, 5, 1}}
	if ratio, least, most := d.ratio(); ratio != 4 || least != 2 || most != 20 {
		t.Errorf("got %v (%v–%v), want 20/5 and the rounds from 2 to 20", ratio, least, most)
	}
	if got := medianOf([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of an even number: %v", got)
	}
}

// With two tries the better one of each figure counts, and a round that differs is pointed out.
func TestTriesAndUnrest(t *testing.T) {
	f := &fake{versions: map[string]string{"python3": "1.13.1"}}
	c := newComparison(f)
	c.tries = 2
	calls := 0.0
	c.command = func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
		calls++
		f.rates = map[string][2]float64{"fmimg": {100, 100}, "1.13.1": {calls, 10 / calls}}
		return f.command(ctx, stdin, argv...)
	}
	if err := errors.Join(c.findPeers(t.Context()), c.measure(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	// Calls 1 to 4 ask the interpreters for their version; calls 5 and 6 try the contiguous
	// variant.
	if got := c.outcomes[0].Tried[0].First; got.Train != 6 || got.Forward != 10.0/5 {
		t.Errorf("the best of two tries is %+v, want 6 and 2", got)
	}
	var table bytes.Buffer
	err := c.write(&table)
	warned := strings.Contains(table.String(), "something else is running")
	if err != nil || warned != (c.unrest() > quiet) {
		t.Errorf("%v, unrest %v: %s", err, c.unrest(), &table)
	}
	c.outcomes[0].Train.Ours = []float64{100, 150}
	if got := c.unrest(); got < 1.5 {
		t.Errorf("unrest of %v after rounds of 100 and 150", got)
	}
}

func TestWithoutPyTorchSaysHowToGetIt(t *testing.T) {
	c := newComparison(&fake{})
	err := c.findPeers(t.Context())
	if err == nil || !strings.Contains(err.Error(), "pip install torch") ||
		!strings.Contains(err.Error(), "python3-torch") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutCheckoutSaysHowToGetIt(t *testing.T) {
	t.Setenv("CFM", "")
	err := run(t.Context(), nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "git clone https://github.com/atong01/conditional-flow-matching") {
		t.Errorf("got %v", err)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-threads", "two"}, {"-batch", "0"}, {"-rounds", "-1"}, {"-time", "0"}, {"stray"}, {"-what"},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

// A network of another size would be another comparison.
func TestDifferentNetworksAreRefused(t *testing.T) {
	f := &fake{versions: map[string]string{"python3": "1.13.1"}}
	c := newComparison(f)
	c.command = func(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
		out, err := f.command(ctx, stdin, argv...)
		if argv[0] == "./fmimg" {
			out = bytes.Replace(out, []byte(`"parameters":7`), []byte(`"parameters":8`), 1)
		}
		return out, err
	}
	err := errors.Join(c.findPeers(t.Context()), c.measure(t.Context(), 1))
	if err == nil || !strings.Contains(err.Error(), "8 parameters in fmimg, 7 in PyTorch") {
		t.Errorf("got %v", err)
	}
}
