package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A fake stands in for both programs. It notes what is measured, and answers with made-up rates.
type fake struct {
	versions   map[string]string     // of PyTorch, by interpreter
	help       string                // of fmimg bench train
	capability string                // of PyTorch
	rates      map[string][3]float64 // by Muon, by AdamW, forward, by name; else 10, 11, 20
	errors     map[string]string     // why a program ends before it is measured, by name
	parameters int                   // of PyTorch's network
	log        []string
}

// start answers as the programs do.
func (f *fake) start(_ context.Context, argv ...string) (program, error) {
	switch {
	case slices.Contains(argv, "version"):
		return &fakeProgram{values: []string{`{"fmimg":"v1","cpu":"a CPU","threads":4,"isa":"avx2"}`}}, nil
	case slices.Contains(argv, "--help"):
		return &fakeProgram{values: []string{f.help}}, nil
	case slices.Contains(argv, "-c"):
		version, ok := f.versions[argv[0]]
		if !ok {
			return nil, errors.New("no module named torch")
		}
		return &fakeProgram{values: []string{version + "\n"}}, nil
	case argv[0] == "./fmimg":
		return f.startFmimg(argv), nil
	}
	return f.startTorch(argv), nil
}

// value returns the value of a flag.
func value(argv []string, flag string) string {
	if i := slices.Index(argv, flag); i >= 0 {
		return argv[i+1]
	}
	return ""
}

func (f *fake) startFmimg(argv []string) program {
	name := strings.TrimSpace("fmimg " + value(argv, "--precision"))
	f.log = append(f.log, name)
	r := f.rate(name)
	text := fmt.Sprintf(`{"train":[{"optimizer":"muon","images_per_s":%g,"forward_images_per_s":%g,"parameters":7,`+
		`"peak_memory_bytes":3000000},{"optimizer":"adamw","images_per_s":%g,"forward_images_per_s":1}]}`,
		r[0], r[2], r[1])
	return &fakeProgram{values: []string{text}, fails: f.errors[name]}
}

// startTorch names a run of PyTorch by its version, precision and flags, and by its batch where
// that is a trial's.
func (f *fake) startTorch(argv []string) program {
	name := f.versions[argv[0]] + " " + value(argv, "--precision")
	for _, flag := range []string{"--compile", "--channels-last"} {
		if slices.Contains(argv, flag) {
			name += " " + strings.TrimPrefix(flag, "--")
		}
	}
	if value(argv, "--batch") == "8" {
		name += " trial"
	}
	p := &fakeProgram{fails: f.errors[name], asked: func() { f.log = append(f.log, name) }}
	if p.fails == "" {
		r := f.rate(name)
		p.values = append(p.values, fmt.Sprintf(`{"torch":%q,"python":"3.11","capability":%q,"parameters":%d,`+
			`"muon_step_ms":{"float32":5,"torch.optim.Muon":6}}`, f.versions[argv[0]], f.capability, max(f.parameters, 7)))
		for range 9 {
			p.values = append(p.values, fmt.Sprintf(`{"images_per_s":{"train_muon":%g,"train_adamw":%g,"forward":%g},`+
				`"peak_memory_bytes":2000000}`, r[0], r[1], r[2]))
		}
	}
	return p
}

func (f *fake) rate(name string) [3]float64 {
	if r, ok := f.rates[name]; ok {
		return r
	}
	return [3]float64{10, 11, 20}
}

// A fakeProgram answers with values, and then fails.
type fakeProgram struct {
	values []string
	fails  string
	asked  func()
	closed bool
}

func (p *fakeProgram) ask() error {
	if p.closed {
		return errors.New("it was closed")
	}
	p.asked()
	return nil
}

func (p *fakeProgram) read(v any) error {
	if p.fails != "" {
		return errors.New(p.fails)
	}
	if p.closed || len(p.values) == 0 {
		return io.EOF
	}
	text := p.values[0]
	p.values = p.values[1:]
	return json.Unmarshal([]byte(text), v)
}

func (p *fakeProgram) text() (string, error) { return strings.Join(p.values, ""), nil }
func (p *fakeProgram) close()                { p.closed = true }

func newComparison(f *fake) *comparison {
	o := options{
		fmimg: "./fmimg", pythons: []string{"python3", "old", "same", "none"}, preset: "base",
		works: []work{{28, 1, 64}}, threads: []int{2}, rounds: 2, seconds: 1, keep: 0.7,
	}
	return &comparison{options: o, start: f.start, scripts: "scripts", progress: io.Discard}
}

// Each version of PyTorch counts once, an old one has no compiler, and an interpreter without
// PyTorch is left out. All that can win are measured in turn in each round.
func TestOrderOfRuns(t *testing.T) {
	f := &fake{
		versions: map[string]string{"python3": "2.15", "old": "1.13.1", "same": "2.15"},
		help:     "--precision", capability: "AVX512, bfloat16 in hardware",
		rates: map[string][3]float64{
			"fmimg f32": {90, 99, 200}, "fmimg bf16": {120, 130, 300},
			"2.15 f32 compile": {30, 31, 20}, "1.13.1 f32 channels-last": {10, 11, 50},
			"2.15 bf16 compile channels-last": {60, 66, 100}, "2.15 bf16": {9, 9, 90},
		},
	}
	c := newComparison(f)
	if err := c.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"fmimg f32", "fmimg bf16", "2.15 f32", "2.15 f32 channels-last", "2.15 f32 compile",
		"2.15 f32 compile channels-last", "2.15 bf16", "2.15 bf16 channels-last", "2.15 bf16 compile",
		"2.15 bf16 compile channels-last", "1.13.1 f32", "1.13.1 f32 channels-last", "1.13.1 bf16",
		"1.13.1 bf16 channels-last",
		// What no figure favours was measured once.
		"fmimg f32", "fmimg bf16", "2.15 f32 compile", "2.15 bf16", "2.15 bf16 compile channels-last",
		"1.13.1 f32 channels-last",
	}
	if !slices.Equal(f.log, want) {
		t.Errorf("ran\n%s\nwant\n%s", strings.Join(f.log, "\n"), strings.Join(want, "\n"))
	}
	table := c.text()
	for _, line := range []string{
		"a CPU, 4 threads, ; fmimg v1 (avx2, ); PyTorch 2.15 (AVX512, bfloat16 in hardware, Python 3.11); PyTorch 1.13.1 (",
		"28x28 gray, batch 64, 2 threads",
		"training, Muon     f32        90         30 E   3.00x (3.00–3.00)          60 J   1.50x (1.50–1.50)",
		"training, Muon     bf16      120         30 E   4.00x (4.00–4.00)          60 J   2.00x (2.00–2.00)",
		"training, AdamW    f32        99         31 E   3.19x (3.19–3.19)          66 J   1.50x (1.50–1.50)",
		"Muon, AdamW there  f32        90         31 E   2.90x (2.90–2.90)          66 J   1.36x (1.36–1.36)",
		"forward            bf16      300         50 L   6.00x (6.00–6.00)         100 J   3.00x (3.00–3.00)",
		"A        90       99      200      3      2  fmimg v1, f32",
		"E        30       31       20      2      2  PyTorch 2.15, f32, compiled, contiguous; " +
			"Muon: float32 5 ms, torch.optim.Muon 6 ms a step",
		"M        10       11       20      2      1  PyTorch 1.13.1, bf16, eager, contiguous; " +
			"Muon: float32 5 ms, torch.optim.Muon 6 ms a step; measured no more: no figure comes to 70% of the best",
	} {
		if !strings.Contains(table, line) {
			t.Errorf("the table lacks %q:\n%s", line, table)
		}
	}
	if strings.Contains(table, "something else") {
		t.Errorf("equal rounds are found restless:\n%s", table)
	}
	checkSaved(t, c)
}

// checkSaved checks that the JSON has the ratios and all rounds.
func checkSaved(t *testing.T, c *comparison) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peer.json")
	if err := c.save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Schema   string
		Machine  map[string]any
		Outcomes []struct {
			Work        work
			Threads     int
			Contestants []struct {
				Program, Version, Precision string
				Compiled                    bool
				LeftOut                     string `json:"left_out"`
				Rounds                      []map[string]any
			}
			Rows []struct {
				Name string
				Any  duel `json:"pytorch_any_precision"`
			}
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	o := report.Outcomes[0]
	if report.Schema != "fmimg-peer/2" || report.Machine["cpu"] != "a CPU" || o.Work.Batch != 64 || o.Threads != 2 ||
		len(o.Contestants) != 14 || len(o.Contestants[0].Rounds) != 2 || o.Contestants[2].LeftOut == "" ||
		o.Rows[0].Any.Ratio != 1.5 || o.Rows[0].Any.Peer.Version != "2.15" {
		t.Errorf("%s", text)
	}
}

// A way that fails is listed with the reason, when it begins or later. fmimg without an option for
// the precision is measured in float32.
func TestFailuresAreListed(t *testing.T) {
	f := &fake{
		versions: map[string]string{"python3": "2.15"}, help: "no such thing", capability: "bfloat16 in hardware",
		errors: map[string]string{"2.15 f32 compile": "No working C++ compiler found"},
	}
	c := newComparison(f)
	c.start = func(ctx context.Context, argv ...string) (program, error) {
		p, err := f.start(ctx, argv...)
		if own, ok := p.(*fakeProgram); ok && slices.Contains(argv, "bf16") && slices.Contains(argv, "--compile") {
			own.values = own.values[:2] // it ends after a round
		}
		return p, err
	}
	if err := c.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	table := c.text()
	for _, line := range []string{
		"fmimg v1, bf16; left out: this fmimg has no option for it",
		"f32, compiled, contiguous; left out: No working C++ compiler found",
		"     1  PyTorch 2.15, bf16, compiled, channels-last; Muon: float32 5 ms, torch.optim.Muon 6 ms a step; measured no more: EOF",
	} {
		if !strings.Contains(table, line) {
			t.Errorf("the table lacks %q:\n%s", line, table)
		}
	}
	if slices.Contains(f.log, "fmimg bf16") || !slices.Contains(f.log, "fmimg") {
		t.Errorf("ran %q", f.log)
	}
}

// Without instructions for bfloat16 each way is tried once in small batches, and measured only if
// it comes near float32.
func TestSlowBfloat16IsTriedOnce(t *testing.T) {
	f := &fake{
		versions: map[string]string{"python3": "1.13"}, capability: "AVX2",
		rates: map[string][3]float64{"1.13 bf16 trial": {1, 2, 3}},
	}
	c := newComparison(f)
	c.threads, c.rounds = []int{1, 2}, 1
	if err := c.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1.13 f32 trial", "1.13 bf16 trial", "1.13 bf16 channels-last trial",
		"fmimg", "1.13 f32", "1.13 f32 channels-last", "1.13 bf16 channels-last",
		"fmimg", "1.13 f32", "1.13 f32 channels-last", "1.13 bf16 channels-last",
	}
	if !slices.Equal(f.log, want) {
		t.Errorf("ran\n%s\nwant\n%s", strings.Join(f.log, "\n"), strings.Join(want, "\n"))
	}
	want1 := "left out: this CPU has no instructions for bfloat16: 2 images/s training and 3 forward in batches of 8 " +
		"of 28x28, 11 and 20 in f32 (PyTorch 1.13, f32, eager, contiguous)"
	if table := c.text(); strings.Count(table, want1) != 2 {
		t.Errorf("the table lacks %q:\n%s", want1, table)
	}
}

// Failures of fmimg and of all of PyTorch end the comparison, and so do networks of different
// sizes.
func TestNothingToCompare(t *testing.T) {
	versions := map[string]string{"python3": "1.13"}
	for _, c := range []struct {
		fake fake
		want string
	}{
		{fake{}, "pip install torch"},
		{fake{versions: versions, errors: map[string]string{"fmimg": "illegal instruction"}}, "illegal instruction"},
		{fake{versions: versions, parameters: 8}, "7 parameters in fmimg, 8 in PyTorch"},
		{fake{versions: versions, rates: map[string][3]float64{"fmimg": {1, 2, 0}}}, "it measured 0 images/s for forward"},
		{fake{versions: versions, errors: map[string]string{
			"1.13 f32": "no", "1.13 f32 channels-last": "no", "1.13 bf16": "no", "1.13 bf16 channels-last": "no",
		}}, "no way to run PyTorch worked"},
	} {
		err := newComparison(&c.fake).compare(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// A pattern selects ways to run PyTorch. In bfloat16 alone there is nothing to compare a trial
// with.
func TestOnly(t *testing.T) {
	f := &fake{versions: map[string]string{"python3": "2.15"}}
	c := newComparison(f)
	c.rounds, c.only = 1, regexp.MustCompile("bf16.*compiled")
	if err := c.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"fmimg", "2.15 bf16 compile", "2.15 bf16 compile channels-last"}; !slices.Equal(f.log, want) {
		t.Errorf("ran %q, want %q", f.log, want)
	}
	if table := c.text(); !strings.Contains(table, "forward            f32        20   none   ") {
		t.Errorf("%s", table)
	}
	c = newComparison(f)
	c.only = regexp.MustCompile("quick")
	if err := c.compare(t.Context()); err == nil || !strings.Contains(err.Error(), "-only quick") {
		t.Errorf("got %v", err)
	}
}

// The programs of PyTorch end with the comparison.
func TestProgramsEnd(t *testing.T) {
	f := &fake{versions: map[string]string{"python3": "2.15"}, capability: "bfloat16"}
	c := newComparison(f)
	var all []*fakeProgram
	c.start = func(ctx context.Context, argv ...string) (program, error) {
		p, err := f.start(ctx, argv...)
		if own, ok := p.(*fakeProgram); ok && slices.Contains(argv, "--wait") {
			all = append(all, own)
		}
		return p, err
	}
	if err := c.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(all) != 8 || slices.ContainsFunc(all, func(p *fakeProgram) bool { return !p.closed }) {
		t.Errorf("%d programs, some of which were not closed: %+v", len(all), all)
	}
}

func TestRatioIsOfMedians(t *testing.T) {
	made := func(w way, rates ...float64) *contestant {
		c := &contestant{way: w}
		for _, r := range rates {
			c.Rounds = append(c.Rounds, round{Rates: map[figure]float64{forward: r}})
		}
		return c
	}
	ours := made(way{Program: fmimgName, Precision: f32}, 30, 10, 20)
	o := &outcome{Contestants: []*contestant{ours, made(way{Program: torchName, Precision: f32}, 10, 5, 1)}}
	d := o.duel(ours, forward, "", forward)
	if d.Ratio != 4 || d.Least != 2 || d.Most != 20 || d.Letter != "B" {
		t.Errorf("got %v, want 20/5 and the rounds from 2 to 20", d)
	}
	if got := medianOf([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of an even number: %v", got)
	}
	if d := o.duel(ours, forward, bf16, forward); d != nil || d.String() != "none" {
		t.Errorf("a duel with nobody: %v", d)
	}
	c := comparison{Outcomes: []*outcome{o}}
	if got := c.unrest(); got != 10 {
		t.Errorf("unrest of %v, want 10", got)
	}
}

func TestWithoutCheckoutSaysHowToGetIt(t *testing.T) {
	t.Setenv("CFM", "")
	err := run(t.Context(), nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "git clone https://github.com/atong01/conditional-flow-matching") {
		t.Errorf("got %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-threads", "two"}, {"-rounds", "0"}, {"-rounds", "-1"}, {"-time", "0"}, {"-keep", "2"}, {"-only", "("}, {"stray"}, {"-what"},
		{"-work", "28-gray"}, {"-work", "28-blue-64"}, {"-work", "30-rgb-64"}, {"-work", "28-gray-0"}, {"-work", ""},
	} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	o, err := parse([]string{"-work", "64-rgb-32, 28-gray-128", "-threads", "1, 3"}, io.Discard)
	if err != nil || !slices.Equal(o.works, []work{{64, 3, 32}, {28, 1, 128}}) || !slices.Equal(o.threads, []int{1, 3}) {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := parse(nil, io.Discard); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// A program's output is read value by value. Its failure is told by the line of Python that names
// the exception.
func TestProcess(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell")
	}
	p, err := start(t.Context(), "/bin/sh", "-c", `echo '{"torch":"2.15"}'; read line; echo '{"images_per_s":{"forward":5}}'
		printf 'Traceback\nBackendError: no compiler\n\nSet THIS=1 to see more\n' >&2; exit 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	var a about
	var r round
	if err := errors.Join(p.read(&a), p.ask(), p.read(&r)); err != nil || a.Torch != "2.15" || r.Rates[forward] != 5 {
		t.Errorf("%+v, %+v, %v", a, r, err)
	}
	if err := p.read(&r); err == nil || !strings.HasSuffix(err.Error(), ": BackendError: no compiler") {
		t.Errorf("got %v", err)
	}
	p, err = start(t.Context(), "/bin/sh", "-c", "echo some text; echo more")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if text, err := p.text(); text != "some text\nmore\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct{ stderr, want string }{
		{"Traceback:\n  File x\nValueError: bad\n", "ValueError: bad"},
		{"torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1\n",
			"torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found"},
		{"CFM must name a checkout", "CFM must name a checkout"},
		{"", ""},
	} {
		if got := reason(c.stderr); got != c.want {
			t.Errorf("%q: got %q, want %q", c.stderr, got, c.want)
		}
	}
}
