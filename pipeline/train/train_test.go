package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

func TestThreadsChangeNothing(t *testing.T) {
	for _, optimizer := range []engine.Optimizer{engine.AdamW, engine.Muon, engine.NorMuon} {
		t.Run(string(optimizer), func(t *testing.T) { threadsChangeNothing(t, optimizer) })
	}
}

func threadsChangeNothing(t *testing.T, optimizer engine.Optimizer) {
	one := smallRun(t)
	one.Threads, one.Optimizer = 1, optimizer
	want := mustTrain(t, one)
	for _, threads := range []int{2, 3, 5, 9} {
		o := smallRun(t)
		o.Threads, o.Optimizer = threads, optimizer
		got := mustTrain(t, o)
		roomtest.SameRun(t, want.Dir, got.Dir)
		if got.Loss != want.Loss {
			t.Errorf("%d threads: loss %v, want %v", threads, got.Loss, want.Loss)
		}
	}
	other := smallRun(t)
	other.Seed, other.Optimizer = 2, optimizer
	roomtest.DifferentRun(t, want.Dir, mustTrain(t, other).Dir)
}

// A run that was stopped, by its context or by StopAfter, and resumed has the same tensors as one
// that never stopped.
func TestResumeIsExact(t *testing.T) {
	roomtest.NoLeaks(t)
	t.Run("defaults", func(t *testing.T) { testResumeIsExact(t, func(*Options) {}) })
	t.Run("options", func(t *testing.T) {
		testResumeIsExact(t, func(o *Options) {
			o.Optimizer, o.TimeDist, o.Paired = engine.NorMuon, "logit-normal", 2*o.Batch
		})
	})
}

func testResumeIsExact(t *testing.T, change func(*Options)) {
	through := smallRun(t)
	change(&through)
	mustTrain(t, through)

	o := smallRun(t)
	change(&o)
	ctx, cancel := context.WithCancel(context.Background())
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Stepped && e.Step == 2 {
			cancel()
		}
	}
	_, err := Train(ctx, o)
	var stopped *run.InterruptedError
	if !errors.As(err, &stopped) || stopped.Step != 2 || stopped.Total != 6 || !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	o.OnEvent, o.Resume, o.StopAfter, o.Threads = nil, true, 4, 3
	if _, err = Train(context.Background(), o); !errors.As(err, &stopped) || stopped.Step != 4 {
		t.Fatalf("stopped: %v", err)
	}
	o.StopAfter = 0
	if got := mustTrain(t, o); got.Steps != 6 {
		t.Fatalf("%d steps", got.Steps)
	}
	roomtest.SameRun(t, through.Out, o.Out)
	if lines := metricLines(t, o.Out); len(lines) != 6 || lines[5].Step != 6 {
		t.Errorf("metrics %+v", lines)
	}
}

func metricLines(t *testing.T, dir string) (lines []run.Metric) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, run.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var m run.Metric
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

// With a constant learning rate and distribution of t, a run of N steps that is resumed to 2N is a
// run of 2N steps.
func TestLongerBudgetGoesOn(t *testing.T) {
	long := smallRun(t)
	long.Decay, long.TimeDist, long.Steps = engine.ConstantRate, "uniform", 8
	mustTrain(t, long)

	o := smallRun(t)
	o.Decay, o.TimeDist, o.Steps = engine.ConstantRate, "uniform", 4
	mustTrain(t, o)
	o.Resume, o.Steps = true, 8
	if got := mustTrain(t, o); got.Steps != 8 || got.Schedule.String() != "0:4,4:8" {
		t.Fatalf("%d steps, schedule %v", got.Steps, got.Schedule)
	}
	roomtest.SameRun(t, long.Out, o.Out)
}

func TestResumeFinished(t *testing.T) {
	o := smallRun(t)
	mustTrain(t, o)
	var events []pipeline.Event
	o.Resume, o.OnEvent = true, func(e pipeline.Event) { events = append(events, e) }
	if got := mustTrain(t, o); got.Steps != 6 {
		t.Errorf("%d steps", got.Steps)
	}
	if len(events) != 1 || events[0].Kind != pipeline.Finished ||
		!strings.Contains(events[0].Text, "finished already") {
		t.Errorf("events %+v", events)
	}
}

// A run with a budget in time ends near its budget. Its schedule repeats it without a clock.
func TestScheduleReplaysTimedRun(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000") // the date is in the file
	o := smallRun(t)
	o.Steps, o.Time = 0, run.Duration(400*time.Millisecond)
	timed := mustTrain(t, o)
	// The test may share its cores with others, so the bound is loose. TestTimeBudget has a tight
	// one.
	if timed.Steps > 20 && timed.Seconds > 2 {
		t.Errorf("%d steps in %v s", timed.Steps, timed.Seconds)
	}
	recorded, err := run.ReadOptions(timed.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if recorded.Schedule.Total() != timed.Steps {
		t.Fatalf("schedule %v of a run of %d steps", recorded.Schedule, timed.Steps)
	}
	again := smallRun(t)
	again.Steps, again.Schedule = timed.Steps, recorded.Schedule
	mustTrain(t, again)
	roomtest.SameRun(t, timed.Dir, again.Out)
	a, errA := os.ReadFile(filepath.Join(timed.Dir, model.File))
	b, errB := os.ReadFile(filepath.Join(again.Out, model.File))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the checkpoints differ outside their tensors, %v, %v", errA, errB)
	}
}

func TestResumeTimed(t *testing.T) {
	o := smallRun(t)
	o.Steps, o.Time, o.StopAfter = 0, run.Duration(time.Minute), 5
	var stopped *run.InterruptedError
	if _, err := Train(context.Background(), o); !errors.As(err, &stopped) || stopped.Total < 6 {
		t.Fatalf("stopped: %v", err)
	}
	o.Resume, o.StopAfter, o.Time = true, 0, run.Duration(time.Millisecond)
	got := mustTrain(t, o)
	if got.Steps != 5 || got.Schedule.Total() != 5 { // a shorter budget that is used up already
		t.Errorf("%d steps, schedule %v", got.Steps, got.Schedule)
	}
	o.Time = run.Duration(run.Seconds(got.Seconds + 0.1)) // a longer one
	if more := mustTrain(t, o); more.Steps <= 5 {
		t.Errorf("%d steps, schedule %v", more.Steps, more.Schedule)
	}
}

// Previews and checkpoints change no number of the training.
func TestPreviewsChangeNothing(t *testing.T) {
	plain := smallRun(t)
	mustTrain(t, plain)
	o := smallRun(t)
	o.PreviewEvery, o.SaveEvery, o.Keep = 4, 1, 2
	mustTrain(t, o)
	roomtest.SameRun(t, plain.Out, o.Out)

	previews, _ := filepath.Glob(filepath.Join(o.Out, run.SamplesDir, "*"))
	if len(previews) != 2 || filepath.Base(previews[1]) != "step-000006.png" {
		t.Errorf("previews %v", previews)
	}
	kept, _ := filepath.Glob(filepath.Join(o.Out, run.KeptDir, "*"))
	if len(kept) != 2 || filepath.Base(kept[1]) != "step-000000006.safetensors" {
		t.Errorf("kept %v", kept)
	}
	for _, name := range []string{run.LossFile, run.SamplesDir + "/step-000006.png"} {
		decodePNG(t, filepath.Join(o.Out, name))
	}
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil || !strings.Contains(string(card), "(samples/step-000006.png)") ||
		!strings.Contains(string(card), "schedule 0:6") {
		t.Errorf("card: %v\n%s", err, card)
	}
}

func decodePNG(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// A loss that is not finite ends the run. The last checkpoint stays and can be used.
func TestDivergedKeepsCheckpoint(t *testing.T) {
	roomtest.NoLeaks(t)
	o := smallRun(t)
	good, spoiled := roomtest.Digits(), 0
	good.Change = func(_ int, dst []float32) {
		if spoiled > 0 {
			dst[0] = float32(math.NaN())
		}
	}
	o.Source, o.Threads = good, 1
	o.SaveEvery = 3
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Stepped && e.Step == 4 {
			spoiled = 1
		}
	}
	_, err := Train(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "step 5") || !strings.Contains(err.Error(), "step 3 is kept") {
		t.Fatalf("error %v", err)
	}
	c, err := readTrainRun(o.Out)
	if err != nil || c.Steps != 3 || c.Finished {
		t.Errorf("config %+v, %v", c, err)
	}
	spoiled, o.Resume, o.OnEvent = 0, true, nil
	mustTrain(t, o)
	if lines := metricLines(t, o.Out); len(lines) != 6 {
		t.Errorf("%d lines of metrics, want 6: step 4 was done twice", len(lines))
	}
}

func TestPanicBecomesError(t *testing.T) {
	roomtest.NoLeaks(t)
	o := smallRun(t)
	data := roomtest.Digits()
	data.Change = func(int, []float32) { panic("unreadable") }
	o.Source, o.Threads = data, 3
	_, err := Train(context.Background(), o)
	var panicked *crew.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "unreadable" {
		t.Fatalf("error %v", err)
	}
}

func TestSecondTrainerIsRefused(t *testing.T) {
	o := smallRun(t)
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind != pipeline.Stepped || e.Step != 1 {
			return
		}
		second := o
		second.Resume, second.OnEvent = true, nil
		if _, err := Train(context.Background(), second); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second trainer on the same folder: %v", err)
		}
	}
	mustTrain(t, o)
	o.OnEvent = nil
	if _, err := Train(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "continue it with resume") {
		t.Errorf("a new run in the folder of another: %v", err)
	}
}

func TestResumeRefusesOtherNumbers(t *testing.T) {
	o := smallRun(t)
	mustTrain(t, o)
	o.Resume = true
	for _, c := range []struct {
		given   string
		change  func(*Options)
		refused bool
	}{
		{"lr", func(o *Options) { o.LR = 1 }, true},
		{"seed", func(o *Options) { o.Seed = 9 }, true},
		{"data", func(o *Options) { o.Data = "others" }, true},
		{"schedule", func(o *Options) { o.Schedule = engine.RateSchedule{{Step: 1, Total: 6}} }, true},
		{"init", func(o *Options) { o.Init = "others" }, true},
		{"lr", func(*Options) {}, false},
		{"conditional", func(*Options) {}, false}, // auto, which the run resolved
		{"threads", func(o *Options) { o.Threads = 1 }, false},
		{"save-every", func(o *Options) { o.SaveEvery = 7 }, false},
	} {
		p := o
		c.change(&p)
		p.Given = []string{c.given}
		_, err := Train(context.Background(), p)
		var wrong *pipeline.OptionError
		if errors.As(err, &wrong) != c.refused || (c.refused && wrong.Option != c.given) {
			t.Errorf("%s: error %v, want refused %t", c.given, err, c.refused)
		}
		if err != nil && strings.Contains(err.Error(), "nil") {
			t.Errorf("%s: %v", c.given, err)
		}
	}
}

func TestInitStartsFromWeights(t *testing.T) {
	first := smallRun(t)
	mustTrain(t, first)
	o := smallRun(t)
	o.Init, o.Network, o.StopAfter, o.EMA = first.Out, nil, 0, option.None
	o.LR, o.Steps = 1e-12, 1 // a step that moves nothing: AdamW's steps are as long as the rate
	mustTrain(t, o)
	a, b := roomtest.Tensors(t, first.Out, model.File), roomtest.Tensors(t, o.Out, model.File)
	for i := range a {
		for k := range a[i].F32 {
			if d := math.Abs(float64(a[i].F32[k] - b[i].F32[k])); d > 1e-7 {
				t.Fatalf("%s[%d] moved by %v", a[i].Name, k, d)
			}
		}
	}
	o.Source = &roomtest.Patterns{N: 5, H: 8, W: 8, C: 1, Names: []string{"a", "b"}}
	o.Out = filepath.Join(t.TempDir(), "run")
	mustTrain(t, o) // of two classes, and the network had three: see TestInitAdapts
}

func TestUnlabelledData(t *testing.T) {
	o := smallRun(t)
	o.Source = &roomtest.Patterns{N: 5, H: 8, W: 8, C: 3} // fewer images than a batch, in colour
	o.Network.InChannels = 3
	mustTrain(t, o)
	c, err := readTrainRun(o.Out)
	if err != nil || c.Resolved.Conditional != "no" || c.Resolved.Network.NumClasses != 0 {
		t.Errorf("config %+v, %v", c.Resolved, err)
	}
	o.Out, o.Conditional = filepath.Join(t.TempDir(), "run"), "yes"
	var wrong *pipeline.OptionError
	if _, err := Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "conditional" {
		t.Errorf("conditional without labels: %v", err)
	}
}

// An interruption abandons the current step, which may take minutes for a large network. The
// resumed run does that step again and ends with the same tensors.
func TestInterruptAbandonsStep(t *testing.T) {
	roomtest.NoLeaks(t)
	through := smallRun(t)
	through.Coupling = Independent // whose steps read their own images alone
	mustTrain(t, through)
	for _, threads := range []int{1, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		o, data, begun := smallRun(t), roomtest.Digits(), atomic.Int32{}
		o.Source, o.Threads, o.Coupling = data, threads, Independent
		data.Change = func(int, []float32) {
			if int(begun.Add(1)) == data.N+2*o.Batch+1 { // labels are read, and then two steps
				cancel()
			}
		}
		_, err := Train(ctx, o)
		if stopped, ok := errors.AsType[*run.InterruptedError](err); !ok || stopped.Step != 2 {
			t.Errorf("%d threads: error %v, want an interruption after step 2", threads, err)
		}
		o.Resume, data.Change = true, nil
		mustTrain(t, o)
		roomtest.SameRun(t, through.Out, o.Out)
	}
}

func TestTrainOptionErrors(t *testing.T) {
	for _, c := range []struct {
		option string
		change func(*Options)
	}{
		{"data", func(o *Options) { o.Source = nil }},
		{"steps", func(o *Options) { o.Steps = -1 }},
		{"steps", func(o *Options) { o.Time = run.Duration(time.Minute) }},
		{"epochs", func(o *Options) { o.Steps, o.Epochs, o.Time = 0, 1, run.Duration(time.Minute) }},
		{"epochs", func(o *Options) { o.Steps, o.Epochs = 0, math.NaN() }},
		{"time", func(o *Options) { o.Steps, o.Time = 0, -1 }},
		{"schedule", func(o *Options) { o.Schedule = engine.RateSchedule{{Step: 0, Total: 7}} }},
		{"schedule", func(o *Options) { o.Schedule = engine.RateSchedule{{Step: 5, Total: 6}, {Step: 3, Total: 6}} }},
		{"schedule", func(o *Options) {
			o.Steps, o.Time, o.Schedule = 0, 1e9, engine.RateSchedule{{Step: 0, Total: 7}}
		}},
		{"batch", func(o *Options) { o.Batch = -3 }},
		{"micro-batch", func(o *Options) { o.MicroBatch = 12 }},
		{"lr", func(o *Options) { o.LR = math.NaN() }},
		{"lr", func(o *Options) { o.LR = math.Inf(1) }},
		{"beta1", func(o *Options) { o.Beta1 = 1 }},
		{"ema", func(o *Options) { o.EMA = 1.5 }},
		{"label-drop", func(o *Options) { o.LabelDrop = 1 }},
		{"clip", func(o *Options) { o.Clip = 1e31 }},
		{"threads", func(o *Options) { o.Threads = -1 }},
		{"decay", func(o *Options) { o.Decay = "step" }},
		{"conditional", func(o *Options) { o.Conditional = "maybe" }},
		{"time-dist", func(o *Options) { o.TimeDist = "beta" }},
		{"preset", func(o *Options) { o.Preset = "huge" }},
		{"isa", func(o *Options) { o.ISA = "mmx" }},
		{"precision", func(o *Options) { o.Precision = "f16" }},
		{"data", func(o *Options) { o.Source, o.Data = nil, "mnits" }},
	} {
		o := smallRun(t)
		c.change(&o)
		_, err := Train(context.Background(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one about %s", err, c.option)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: the run folder was made before the options were checked", c.option)
		}
	}
}

func TestDataThatNoNetworkFits(t *testing.T) {
	o := smallRun(t)
	o.Source, o.Network, o.Preset = &roomtest.Patterns{N: 5, H: 30, W: 30, C: 1}, nil, "base"
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), "multiples of 4") {
		t.Errorf("error %v", err)
	}
}

func TestUnwritableOut(t *testing.T) {
	o := smallRun(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{file, filepath.Join(file, "run")} {
		o.Out = out
		if _, err := Train(context.Background(), o); err == nil {
			t.Errorf("trained into %s", out)
		}
	}
}

func TestDefaultFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, want := range []string{"runs/patterns", "runs/patterns-2", "runs/patterns-3"} {
		o := smallRun(t)
		o.Out, o.Steps = "", 1
		if got := mustTrain(t, o); filepath.ToSlash(got.Dir) != want {
			t.Errorf("run %d went to %s, want %s", i, got.Dir, want)
		}
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes("runs/patterns-2/model.safetensors", later, later); err != nil {
		t.Fatal(err)
	}
	if dir, err := model.NewestRun(model.File); err != nil || filepath.ToSlash(dir) != "runs/patterns-2" {
		t.Errorf("newest run %s, %v", dir, err)
	}
}

// A state that does not belong to the run is an error that names the file.
func TestResumeBrokenState(t *testing.T) {
	o := smallRun(t)
	mustTrain(t, o)
	o.Resume, o.Steps = true, 9
	state := filepath.Join(o.Out, run.StateFile)
	model, err := os.ReadFile(filepath.Join(o.Out, model.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{nil, []byte("not a state"), model} {
		if err := os.WriteFile(state, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), run.StateFile) ||
			!strings.HasSuffix(err.Error(), ": restore it from a copy, or train anew") {
			t.Errorf("error %v", err)
		}
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "in another folder by init ") {
		t.Errorf("without a state: error %v", err)
	}
	if err := os.WriteFile(filepath.Join(o.Out, run.ConfigFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), run.ConfigFile) {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(o.Out, run.ConfigFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "in another folder by init ") {
		t.Errorf("without settings: error %v", err)
	}
}

// A run from a machine with other instruction sets is an error that says so. It goes on with an
// instruction set of this machine.
func TestResumeOnAnotherMachine(t *testing.T) {
	o := smallRun(t)
	mustTrain(t, o)
	path := filepath.Join(o.Out, run.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	here := []byte(`"isa": "` + pipeline.ThisMachine().Best + `"`)
	if err := os.WriteFile(path, bytes.Replace(text, here, []byte(`"isa": "vmx"`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Resume, o.Steps = true, 8
	_, err = Train(context.Background(), o)
	var wrong *pipeline.OptionError
	if err == nil || errors.As(err, &wrong) || !strings.Contains(err.Error(), run.ConfigFile) ||
		!strings.Contains(err.Error(), "vmx") {
		t.Errorf("error %v", err)
	}
	o.ISA = "generic"
	if got := mustTrain(t, o); got.Steps != 8 {
		t.Errorf("%d steps", got.Steps)
	}
}

// An old run, from before the options for optimisers and pairs, goes on with AdamW and independent
// pairs. Its card says how to repeat it.
func TestResumeOfAnOlderRun(t *testing.T) {
	through := smallRun(t)
	through.Optimizer, through.LR, through.Coupling = engine.AdamW, 4e-3, Independent
	mustTrain(t, through)

	o := smallRun(t)
	o.Optimizer, o.LR, o.Coupling, o.StopAfter = engine.AdamW, 4e-3, Independent, 2
	var stopped *run.InterruptedError
	if _, err := Train(context.Background(), o); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	path := filepath.Join(o.Out, run.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`"optimizer": "adamw",`, `"coupling": "independent",`} {
		if !strings.Contains(string(text), line) {
			t.Fatalf("no %s in %s", line, text)
		}
		text = []byte(strings.Replace(string(text), line, "", 1))
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	again := smallRun(t)
	again.Out, again.Resume, again.Optimizer, again.Given = o.Out, true, engine.AdamW, []string{"optimizer"}
	mustTrain(t, again)
	roomtest.SameRun(t, through.Out, o.Out)
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil || !strings.Contains(string(card), "optimizer adamw, lr 0.004") ||
		!strings.Contains(string(card), "| optimiser | adamw |") {
		t.Errorf("%v:\n%s", err, card)
	}
}
