package classify

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/run"
)

// smallClassifier returns options for a training with a few milliseconds a step. Its images differ
// in brightness alone.
func smallClassifier(t testing.TB) Options {
	var o Options
	o.Seed = 1
	o.Source = roomtest.Digits()
	o.Validation = &roomtest.Patterns{N: 20, H: 8, W: 8, C: 1, Names: roomtest.Digits().Names}
	o.Out = filepath.Join(t.TempDir(), "classifier.safetensors")
	o.Batch, o.Steps, o.Threads = 11, 6, 2 // 11: the last micro-batch is smaller
	return o
}

func mustTrainClassifier(t *testing.T, o Options) (Result, []byte) {
	t.Helper()
	result, err := Train(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	return result, file
}

// The file is the same, to the byte, for any number of threads. Another seed makes another file.
func TestClassifierThreadsChangeNothing(t *testing.T) {
	roomtest.NoLeaks(t)
	o := smallClassifier(t)
	o.Threads = 1
	want, wantFile := mustTrainClassifier(t, o)
	for _, threads := range []int{2, 3, 9} {
		o := smallClassifier(t)
		o.Threads = threads
		got, file := mustTrainClassifier(t, o)
		if !bytes.Equal(file, wantFile) || got.Loss != want.Loss || got.Accuracy != want.Accuracy {
			t.Errorf("%d threads: %+v, want %+v", threads, got, want)
		}
	}
	o = smallClassifier(t)
	o.Seed = 2
	if _, file := mustTrainClassifier(t, o); bytes.Equal(file, wantFile) {
		t.Error("another seed gives the same file")
	}
}

// A classifier that learns finds the class of all patterns. The classes differ in brightness. Norms
// remove that from all layers but the first, where it remains at the edges of the image.
func TestClassifierLearns(t *testing.T) {
	o := smallClassifier(t)
	o.Batch, o.Steps, o.EMA, o.Warp = 16, 60, 0.9, Warp{option.None, option.None, option.None, option.None}
	var kinds []pipeline.Kind
	var last pipeline.Event
	o.OnEvent = func(e pipeline.Event) {
		if len(kinds) == 0 || kinds[len(kinds)-1] != e.Kind {
			kinds = append(kinds, e.Kind)
		}
		last = e
	}
	result, _ := mustTrainClassifier(t, o)
	if result.Accuracy != 1 || result.TestImages != 20 || result.Steps != 60 || result.Images != 960 {
		t.Errorf("%+v", result)
	}
	want := []pipeline.Kind{pipeline.Started, pipeline.Stepped, pipeline.Finished}
	if !slices.Equal(kinds, want) || last.Accuracy != 1 || last.Path != o.Out || last.Step != 60 {
		t.Errorf("events %v, %+v", kinds, last)
	}
	file, err := os.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := Read(file, kernels.Best())
	if err != nil {
		t.Fatal(err)
	}
	// The reference belongs to the weights in the file.
	found, err := Classify(t.Context(), c, 20, 2, func(i int, dst []float32) { o.Validation.Image(i, dst) })
	if err != nil {
		t.Fatal(err)
	}
	statistics, err := NewReference("patterns", found.Features, metrics.Compute{})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Reference()
	if r.Data != "patterns" || r.Images != 20 ||
		!slices.Equal(r.Mean, statistics.Mean) || !slices.Equal(r.Covariance, statistics.Covariance) {
		t.Error("the reference in the file does not belong to its weights")
	}
}

// A step of classification allocates nothing once the buffers have grown.
func TestClassifierStepAllocatesNothing(t *testing.T) {
	r := &classifierRun{opt: smallClassifier(t).WithDefaults()}
	if err := r.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer r.crew.Close()
	step := 0
	run := func() {
		if _, err := r.engine.Step(t.Context(), step, 1e-3); err != nil {
			t.Fatal(err)
		}
		step++
	}
	for range 5 {
		run()
	}
	if n := testing.AllocsPerRun(20, run); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

func TestClassifierInterrupted(t *testing.T) {
	o := smallClassifier(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.OnEvent = func(e pipeline.Event) {
		if e.Step == 3 {
			cancel()
		}
	}
	_, err := Train(ctx, o)
	var stopped *run.InterruptedError
	if !errors.As(err, &stopped) || stopped.Dir != "" || stopped.Step != 3 || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := err.Error(); got != "interrupted after step 3 of 6: nothing was written: run it again" {
		t.Error(got)
	}
	if left, _ := os.ReadDir(filepath.Dir(o.Out)); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

func TestClassifierOptionErrors(t *testing.T) {
	unlabelled := roomtest.Digits()
	unlabelled.Names = nil
	for want, change := range map[string]func(o *Options){
		"data is needed":            func(o *Options) { o.Source, o.Validation = nil, nil },
		"data patterns: its images": func(o *Options) { o.Source, o.Validation = unlabelled, nil },
		"out is needed":             func(o *Options) { o.Out = "" },
		"steps 6: one budget":       func(o *Options) { o.Epochs = 1 },
		"steps -1":                  func(o *Options) { o.Steps = -1 },
		"batch -1":                  func(o *Options) { o.Batch = -1 },
		"lr NaN":                    func(o *Options) { o.LR = math.NaN() },
		"ema 1":                     func(o *Options) { o.EMA = 1 },
		"smoothing 1":               func(o *Options) { o.Smoothing = 1 },
		"shift 5000":                func(o *Options) { o.Warp.Shift = 5000 },
		"scale 2":                   func(o *Options) { o.Warp.Scale = 2 },
		"rotate 400":                func(o *Options) { o.Warp.Rotate = 400 },
		"shear 11":                  func(o *Options) { o.Warp.Shear = 11 },
		"threads -1":                func(o *Options) { o.Threads = -1 },
		"isa \"mmx\"":               func(o *Options) { o.ISA = "mmx" },
		"precision bf16: class":     func(o *Options) { o.Precision = "bf16" },
		"image-channels \"cmyk\"":   func(o *Options) { o.ImageChannels = "cmyk" },
	} {
		o := smallClassifier(t)
		change(&o)
		_, err := Train(t.Context(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A size is its width, then its height.
func TestDescribeClassifier(t *testing.T) {
	o := smallClassifier(t)
	o.Source = &roomtest.Patterns{N: 20, H: 12, W: 8, C: 3, Names: roomtest.Digits().Names}
	o.Validation = &roomtest.Patterns{N: 20, H: 12, W: 8, C: 3, Names: roomtest.Digits().Names}
	o.Steps = 1
	started := ""
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Started {
			started = e.Text
		}
	}
	mustTrainClassifier(t, o)
	if !strings.Contains(started, "20 images of 8x12, 3 channels") {
		t.Errorf("%q", started)
	}
}
