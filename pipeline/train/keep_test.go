package train

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A run keeps as many models as the options say and finds its last preview, also in a folder whose
// name is a glob pattern.
func TestKeepsAsManyModels(t *testing.T) {
	o := smallRun(t)
	o.Out = filepath.Join(filepath.Dir(o.Out), "run [1]")
	o.Steps, o.SaveEvery, o.Keep, o.PreviewEvery = 5, 1, 2, 2
	mustTrain(t, o)
	entries, err := os.ReadDir(filepath.Join(o.Out, run.KeptDir))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"step-000000004.safetensors", "step-000000005.safetensors"}; err != nil ||
		!slices.Equal(names, want) {
		t.Errorf("kept %v, %v, want %v", names, err, want)
	}
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil || !strings.Contains(string(card), "(samples/step-000005.png)") {
		t.Errorf("no preview in the card, %v:\n%s", err, card)
	}
}

// guided returns a small run that keeps a guide, in a folder of its own.
func guided(t *testing.T) Options {
	o := smallRun(t)
	o.Steps, o.KeepGuide, o.PreviewEvery = 9, 0.3, option.None
	return o
}

// The kept guide holds the averages after the share of the steps, rounded up: those with which a
// run that stops there would go on. A run that was stopped before it keeps the same, and one that
// was stopped behind it does not touch it.
func TestKeepsAGuide(t *testing.T) {
	whole := guided(t)
	mustTrain(t, whole)
	kept := filepath.Join(whole.Out, model.GuideFile)
	want := roomtest.DataHash(t, kept)

	stopped := guided(t)
	stopped.StopAfter = 3 // 0.3·9 = 2.7
	stopAt(t, stopped)
	if got := roomtest.DataHash(t, filepath.Join(stopped.Out, model.File)); got != want {
		t.Error("the guide has not the averages after 3 steps")
	}
	for _, stop := range []int{2, 5} {
		o := guided(t)
		o.StopAfter = stop
		stopAt(t, o)
		path := filepath.Join(o.Out, model.GuideFile)
		if _, err := os.Stat(path); (err == nil) != (stop >= 3) {
			t.Errorf("after %d steps: %v", stop, err)
		}
		if stop >= 3 && os.Remove(path) != nil {
			t.Error("cannot remove the guide")
		}
		o.Resume, o.StopAfter = true, 0
		mustTrain(t, o)
		if _, err := os.Stat(path); (err == nil) != (stop < 3) {
			t.Errorf("a run that went on after %d steps: %v", stop, err)
		} else if err == nil && roomtest.DataHash(t, path) != want {
			t.Errorf("a run that went on after %d steps keeps another guide", stop)
		}
	}
	ck, err := model.Open(kept, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Steps != 3 {
		t.Errorf("the guide's metadata %+v, %v", ck.Meta, err)
	}
	card, err := os.ReadFile(filepath.Join(whole.Out, run.CardFile))
	if err != nil || !strings.Contains(string(card), "guide.safetensors: the averages after 3 steps") ||
		!strings.Contains(string(card), "keep-guide 0.3") {
		t.Errorf("the card does not tell of the guide, %v:\n%s", err, card)
	}
}

// The share is of the steps that a run believed to have, as its schedule records: by a budget in
// time, that number changes on the way, and nothing is known of it at first.
func TestKeepsAGuideBySchedule(t *testing.T) {
	for text, want := range map[string]int{"0:9": 3, "2:4,3:9": 3, "2:9": 3, "4:9": 5, "1:20,5:9": 6, "1:3,2:9": 2} {
		o := guided(t)
		var err error
		if o.Schedule, err = engine.ParseRateSchedule(text); err != nil {
			t.Fatal(err)
		}
		mustTrain(t, o)
		ck, err := model.Open(filepath.Join(o.Out, model.GuideFile), pipeline.Arithmetic{})
		if err != nil || ck.Meta.Steps != want {
			t.Errorf("schedule %s: a guide of %d steps, want %d, %v", text, ck.Meta.Steps, want, err)
		}
	}
}

// A run whose budget is in time keeps the guide that repeating it by its schedule keeps.
func TestKeepsAGuideInTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000") // the date is in the file
	timed := guided(t)
	timed.Steps, timed.Time = 0, run.Duration(time.Second)
	result := mustTrain(t, timed)
	if result.Steps < 8 {
		t.Skipf("this machine is too busy: it took %d steps in a second", result.Steps)
	}
	again := guided(t)
	again.Steps, again.Schedule = result.Steps, result.Schedule
	mustTrain(t, again)
	a, errA := os.ReadFile(filepath.Join(timed.Out, model.GuideFile))
	b, errB := os.ReadFile(filepath.Join(again.Out, model.GuideFile))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%d steps, schedule %v: the guides differ, %v, %v", result.Steps, result.Schedule, errA, errB)
	}
}

// A share that is none, or of a run that nothing can guide, is an error. By default there is none.
func TestKeepGuideErrors(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"whole": func(o *Options) { o.KeepGuide = 1 },
		"NaN":   func(o *Options) { o.KeepGuide = math.NaN() },
		"flow":  func(o *Options) { o.KeepGuide, o.Objective = 0.25, model.FlowObjective },
	} {
		o := smallRun(t)
		change(&o)
		_, err := Train(t.Context(), o)
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "keep-guide" {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := guided(t)
	o.KeepGuide = option.None
	mustTrain(t, o)
	if _, err := os.Stat(filepath.Join(o.Out, model.GuideFile)); err == nil {
		t.Error("a run keeps a guide that nobody asked for")
	}
	o.Resume, o.KeepGuide, o.Given = true, 0.3, []string{"keep-guide"}
	if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot change") {
		t.Errorf("the share changes: %v", err)
	}
}

// stopAt trains up to the step at which the options stop the run.
func stopAt(t *testing.T, o Options) {
	t.Helper()
	_, err := Train(t.Context(), o)
	if stopped, ok := errors.AsType[*run.InterruptedError](err); !ok || stopped.Step != o.StopAfter {
		t.Fatal(err)
	}
}
