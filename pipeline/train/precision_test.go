package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// smallRunIn returns options for a small run in a precision.
func smallRunIn(t *testing.T, precision string) Options {
	o := smallRun(t)
	o.Precision = precision
	return o
}

// A run in bfloat16 has the same tensors for any number of threads, and when it was stopped and
// resumed, and others than one in float32. Resuming keeps the precision without an option.
func TestRunInBF16(t *testing.T) {
	through := smallRunIn(t, "bf16")
	through.Threads = 1
	mustTrain(t, through)
	for _, auto := range []string{"", pipeline.AutoPrecision} {
		o := smallRunIn(t, "bf16")
		o.Threads, o.StopAfter = 3, 3
		if _, err := Train(t.Context(), o); err == nil {
			t.Fatal("the run went on")
		}
		o.Precision, o.Resume, o.StopAfter, o.Threads = auto, true, 0, 2
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				t.Errorf("note %q", e.Text)
			}
		}
		mustTrain(t, o)
		roomtest.SameRun(t, through.Out, o.Out)
	}
	roomtest.DifferentRun(t, through.Out, mustTrain(t, smallRunIn(t, "f32")).Dir)
}

// A run records the precision that it used, and never auto: in its settings, its card and, unless
// it is float32, its model.
func TestPrecisionIsRecorded(t *testing.T) {
	fastest := kernels.Best().Precision().String()
	for given, want := range map[string]string{"": fastest, "auto": fastest, "f32": "f32", "bf16": "bf16"} {
		o := smallRunIn(t, given)
		var started string
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Started {
				started = e.Text
			}
		}
		mustTrain(t, o)
		if c, err := readTrainRun(o.Out); err != nil || c.Resolved.Precision != want {
			t.Errorf("%q: settings %q, %v, want %s", given, c.Resolved.Precision, err, want)
		}
		card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
		if err != nil || !strings.Contains(string(card), "| precision | "+want+" |") ||
			!strings.Contains(string(card), "precision "+want) || !strings.Contains(started, " in "+want+", ") {
			t.Errorf("%q: started by %q, %v, card\n%s", given, started, err, card)
		}
		checkModelPrecision(t, o.Out, want)
	}
}

// checkModelPrecision checks what the model of a run says of its precision.
func checkModelPrecision(t *testing.T, dir, want string) {
	t.Helper()
	info, err := model.Describe(dir)
	if err != nil {
		t.Fatal(err)
	}
	recorded := want
	if want == "f32" {
		recorded = ""
	}
	if info.Meta.Precision != recorded {
		t.Errorf("the model records %q, want %q", info.Meta.Precision, recorded)
	}
	for _, line := range info.Lines(pipeline.Plain) {
		if line[0] == "made by" && !strings.Contains(line[1], " in "+want+", ") {
			t.Errorf("made by %s, want %s", line[1], want)
		}
	}
}

// A run of a version that knew float32 alone goes on in it.
func TestOldRunsAreF32(t *testing.T) {
	through := smallRunIn(t, "f32")
	mustTrain(t, through)

	o := smallRunIn(t, "f32")
	o.StopAfter = 2
	if _, err := Train(t.Context(), o); err == nil {
		t.Fatal("the run went on")
	}
	path := filepath.Join(o.Out, run.ConfigFile)
	text, err := os.ReadFile(path)
	line := []byte(`"precision": "f32",`)
	if err != nil || !bytes.Contains(text, line) {
		t.Fatalf("no %s in %s, %v", line, text, err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, line, nil, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Precision, o.Resume, o.StopAfter = "", true, 0
	mustTrain(t, o)
	roomtest.SameRun(t, through.Out, o.Out)

	var old Options
	if err := json.Unmarshal([]byte(`{"data":"mnist"}`), &old); err != nil || old.Precision != "f32" {
		t.Errorf("an old run is in %q, %v", old.Precision, err)
	}
}

// A resumed run takes another precision, and says so. From then on it records that one.
func TestResumeInAnotherPrecision(t *testing.T) {
	o := smallRunIn(t, "f32")
	mustTrain(t, o)
	var notes []string
	o.Resume, o.Steps, o.Precision, o.Given = true, 8, "bf16", []string{"steps", "precision"}
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	mustTrain(t, o)
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "in bf16") || !strings.Contains(all, "in f32") {
		t.Errorf("notes %q", notes)
	}
	if c, err := readTrainRun(o.Out); err != nil || c.Resolved.Precision != "bf16" {
		t.Errorf("settings %q, %v", c.Resolved.Precision, err)
	}
	checkModelPrecision(t, o.Out, "bf16")
}

// A run whose arithmetic there is not here is not damaged: another goes on with it.
func TestResumeWithoutTheArithmetic(t *testing.T) {
	o := smallRunIn(t, "bf16")
	mustTrain(t, o)
	path := filepath.Join(o.Out, run.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	isa := []byte(`"isa": "` + kernels.Best().String() + `"`)
	o.Resume, o.Steps, o.Precision, o.ISA, o.Given = true, 8, "", "", []string{"steps"}
	for _, c := range []struct {
		line, other []byte
		option      string
		cure        func(*Options)
	}{
		{isa, []byte(`"isa": "nonesuch"`), "isa", func(o *Options) { o.ISA = "generic" }},
		{[]byte(`"precision": "bf16"`), []byte(`"precision": "f8"`), "precision", func(o *Options) { o.Precision = "f32" }},
	} {
		if err := os.WriteFile(path, bytes.Replace(text, c.line, c.other, 1), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Train(t.Context(), o)
		if err == nil || !strings.HasPrefix(err.Error(), path+": "+c.option+" ") ||
			!strings.HasSuffix(err.Error(), ": go on with one of them by "+c.option) {
			t.Errorf("%s: error %v", c.option, err)
		}
		cured := o
		c.cure(&cured)
		mustTrain(t, cured)
	}
}

// The message on an option of another kind names the option alone.
func TestResumeWithAnotherKind(t *testing.T) {
	o := smallRunIn(t, "bf16")
	mustTrain(t, o)
	path := filepath.Join(o.Out, run.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"precision": "bf16"`), []byte(`"precision": 16`), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Resume = true
	want := path + `: "precision" is of the wrong kind (number): restore it from a copy, or train anew`
	if _, err := Train(t.Context(), o); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// A normalizing flow computes in float32: a run says so in its settings, and refuses another
// precision when it begins and when it goes on.
func TestFlowPrecision(t *testing.T) {
	o := smallFlowRun(t)
	o.Precision = "bf16"
	_, begun := Train(context.Background(), o)
	o.Precision = pipeline.AutoPrecision
	dir := mustTrain(t, o).Dir
	if c, err := readTrainRun(dir); err != nil || c.Resolved.Precision != "f32" {
		t.Errorf("settings %q, %v", c.Resolved.Precision, err)
	}
	var again Options
	again.Out, again.Resume, again.Steps, again.Precision = dir, true, 20, "bf16"
	again.Source = o.Source
	_, resumed := Train(context.Background(), again)
	_, opened := model.Open(dir, pipeline.Arithmetic{Precision: "bf16"})
	for _, err := range []error{begun, resumed, opened} {
		wrong, ok := errors.AsType[*pipeline.OptionError](err)
		if !ok || wrong.Option != "precision" || !strings.HasSuffix(err.Error(), "computes in f32 alone: leave it out") {
			t.Errorf("error %v", err)
		}
	}
}
