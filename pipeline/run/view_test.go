package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// viewOf opens a view of a new folder of a test, which files are written into.
func viewOf(t *testing.T, files map[string]string) *View {
	t.Helper()
	runs := t.TempDir()
	for name, text := range files {
		path := filepath.Join(runs, "a", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(runs)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	v, err := OpenView(root, "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// lines returns the log of some steps.
func lines(from, to int) string {
	var text []byte
	for step := from; step <= to; step++ {
		text = Metric{Step: step, Loss: 1 / float64(step)}.appendJSON(text)
	}
	return string(text)
}

// A reader of a growing log gets each whole line once, whatever the writer had written when it
// looked, and begins anew where the log was replaced.
func TestMetricsReader(t *testing.T) {
	v := viewOf(t, map[string]string{MetricsFile: ""})
	var r MetricsReader
	var got []int
	restarts := 0
	read := func(text string) []int {
		t.Helper()
		if err := os.WriteFile(filepath.Join(v.Path, MetricsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := r.Read(v, func() { restarts++; got = nil }, func(m Metric) { got = append(got, m.Step) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	text := lines(1, 50)
	rng := rand.New(rand.NewPCG(3, 4))
	for at := 0; at < len(text); at = min(at+rng.IntN(200), len(text)) {
		if steps := read(text[:at]); len(steps) != strings.Count(text[:at], "\n") {
			t.Fatalf("%d bytes have the steps %v", at, steps)
		}
	}
	if read(text); restarts != 0 || len(got) != 50 {
		t.Errorf("%d restarts, steps %v", restarts, got)
	}
	for name, c := range map[string]struct {
		text string
		want []int
	}{
		"shorter":     {lines(1, 3), []int{1, 2, 3}},
		"others":      {lines(7, 60), nil},
		"empty":       {"", nil},
		"junk":        {"junk\n" + lines(1, 2) + "\n{\"step\":0}\n{}\n" + lines(3, 3) + "{", []int{1, 2, 3}},
		"a huge line": {strings.Repeat("x", 1<<18) + "\n" + lines(1, 1), []int{1}},
		// As a power cut may leave it.
		"zeros at last": {lines(1, 2) + string(make([]byte, 1000)), []int{1, 2}},
	} {
		read(text)
		if steps := read(c.text); c.want != nil && !slices.Equal(steps, c.want) {
			t.Errorf("%s: steps %v", name, steps)
		}
	}
	if err := os.Remove(filepath.Join(v.Path, MetricsFile)); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(v, func() {}, func(Metric) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
}

// The lines that a run writes are read as package json reads them, and so is what only it can read.
func TestParseMetric(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for step := 1; step < 2000; step++ {
		m := Metric{
			Step: step * step, Images: step << 20, Loss: rng.NormFloat64() * 1e-7, Norm: rng.ExpFloat64() * 1e9,
			LR: 1 / float64(step), Seconds: rng.Float64() * 1e6, Validation: float64(step % 3),
		}
		line := m.appendJSON(nil)
		var want Metric
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := parseWritten(string(line)); !ok || got != want {
			t.Fatalf("%s is read as %+v, %v", line, got, ok)
		}
	}
	for line, want := range map[string]int{
		`{"loss": 1, "step": 7}`: 7, `{"step":7,"images":1,"loss":1,"grad_norm":1,"lr":1,"seconds":1,"more":[1]}`: 7,
		`{"step":7,"images":1,"loss":NaN,"grad_norm":1,"lr":1,"seconds":1}`: 0,
		`{"step":7,"images":1,"loss":1,"grad_norm":1,"lr":1,"seconds":1`:    0,
		`{"step":7,"images":1,"loss":1,"grad_norm":1,"lr":1,"seconds":1}}`:  0,
		`{"step":7,"images":1,"loss":,"grad_norm":1,"lr":1,"seconds":1}`:    0, ``: 0, `{}`: 0, `{"step":-7}`: 0,
	} {
		if m, ok := parseMetric([]byte(line)); ok != (want > 0) || m.Step != want && ok {
			t.Errorf("%s is read as %+v, %v", line, m, ok)
		}
	}
}

// The tail has the last whole lines, of any log.
func TestTail(t *testing.T) {
	for _, c := range []struct {
		text  string
		bytes int64
		want  []int
	}{
		{lines(1, 3), 1 << 20, []int{1, 2, 3}}, {lines(1, 3), int64(len(lines(2, 3))), []int{3}},
		{lines(1, 3), int64(len(lines(2, 3))) + 1, []int{2, 3}}, {lines(1, 3) + "{", 1 << 20, []int{1, 2, 3}},
		{lines(1, 3), 10, nil}, {"", 10, nil}, {"no line", 100, nil},
	} {
		v := viewOf(t, map[string]string{MetricsFile: c.text})
		last, err := v.Tail(c.bytes)
		var got []int
		for _, m := range last {
			got = append(got, m.Step)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q, %d bytes: steps %v, %v", c.text, c.bytes, got, err)
		}
	}
}

// The smoothed loss is that of the run: exactly from its start, and closely from its last steps.
func TestSmoothLoss(t *testing.T) {
	var p Progress
	var all []Metric
	rng := rand.New(rand.NewPCG(1, 2))
	for step := 1; step <= 2000; step++ {
		loss := rng.Float64()
		p.Step++
		p.Smooth += smoothing(p.Step) * (loss - p.Smooth)
		all = append(all, Metric{Step: step, Loss: loss})
		if got := SmoothLoss(all); got != p.Smooth {
			t.Fatalf("step %d: %v, and the run has %v", step, got, p.Smooth)
		}
	}
	// Of 400 steps, older ones have a weight of 0.98^400 < 4e-4, and losses lie in [0, 1].
	if got := SmoothLoss(all[1600:]); math.Abs(got-p.Smooth) > 4e-4 {
		t.Errorf("the last 400 steps have %v, and the run %v", got, p.Smooth)
	}
}

// A view sees who trains in the folder, and does not stand in the way of one who begins to.
func TestLocked(t *testing.T) {
	v := viewOf(t, map[string]string{ConfigFile: "{}"})
	if v.Locked() {
		t.Error("a folder without a lock file is locked")
	}
	if _, err := os.Stat(filepath.Join(v.Path, LockFile)); err == nil {
		t.Error("looking made a lock file")
	}
	d, err := lockFolder(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Locked() {
		t.Error("the lock is not seen")
	}
	if _, ok := v.TryLock(); ok {
		t.Error("a locked folder was locked again")
	}
	d.close()
	if v.Locked() {
		t.Error("the lock is seen after its end")
	}
	look := flock.New(filepath.Join(v.Path, LockFile)) // as Locked looks
	if ok, err := look.TryRLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v.Locked() {
		t.Error("who looks is taken for one who trains")
	}
	if err := look.Unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, ok := v.TryLock()
	if !ok || !v.Locked() {
		t.Errorf("locked: %v, seen: %v", ok, v.Locked())
	}
	unlock()
}

// A view opens regular files of the folder alone, and refuses what is too large.
func TestViewFollowsNoLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	v := viewOf(t, map[string]string{"samples/step-000001.png": "p"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ConfigFile, CardFile, MetricsFile, LockFile, "samples/step-000002.png"} {
		if err := os.Symlink(secret, filepath.Join(v.Path, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Config(); err == nil || v.Card() != "" || v.Locked() {
		t.Errorf("links were followed: %v, %q", err, v.Card())
	}
	if _, err := v.Tail(10); err == nil {
		t.Error("the log is a link")
	}
	if steps := v.Previews(); !slices.Equal(steps, []int{1}) {
		t.Errorf("previews %v", steps)
	}
	if _, err := v.OpenPreview(2); err == nil {
		t.Error("a preview is a link")
	}
	if err := os.Remove(filepath.Join(v.Path, CardFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.Path, CardFile), make([]byte, maxCard+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if v.Card() != "" {
		t.Error("a huge card was read")
	}
}

// The steps of previews are read from names that a run writes, and from no others.
func TestPreviewStep(t *testing.T) {
	for _, step := range []int{0, 7, 999_999, 1_000_000} {
		if got, ok := previewStep(filepath.Base(previewFile(step))); !ok || got != step {
			t.Errorf("step %d: %d, %v", step, got, ok)
		}
	}
	for _, name := range []string{"step-1.png", "step-.png", "step-000001.jpg", "step-+00001.png", "000001", "step--00001.png", ""} {
		if step, ok := previewStep(name); ok {
			t.Errorf("%q has step %d", name, step)
		}
	}
}

// A run that needs more memory than there is leaves a note, or with the option Bounded is refused.
func TestCheckMemory(t *testing.T) {
	for _, bounded := range []bool{false, true} {
		notes := 0
		o := Options{Bounded: bounded}.WithDefaults()
		o.OnEvent = func(pipeline.Event) { notes++ }
		r := Run{Settings: &o, DataMemory: 1 << 40}
		err := r.checkMemory(bound{bytes: 1 << 30})
		if (err != nil) != bounded || (notes == 0) != bounded {
			t.Errorf("bounded %v: error %v, %d notes", bounded, err, notes)
		}
		if _, fault := errors.AsType[*option.FaultError](err); bounded && !fault {
			t.Errorf("the error is %s", fmt.Sprintf("%T", err))
		}
		if err := r.checkMemory(bound{}); err != nil {
			t.Errorf("without a bound: %v", err)
		}
	}
}
