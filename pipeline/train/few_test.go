package train

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// images are so many images of a shape without labels.
type images struct {
	n, side, channels int
	classes           []string
}

func (images) Name() string             { return "images" }
func (s images) Len() int               { return s.n }
func (s images) Shape() (h, w, c int)   { return s.side, s.side, s.channels }
func (s images) Classes() []string      { return s.classes }
func (images) Image(int, []float32) int { return -1 }

// negative has the images of a source with dark and bright exchanged.
type negative struct{ dataset.Source }

func (s negative) Image(i int, dst []float32) int {
	label := s.Source.Image(i, dst)
	for k := range dst {
		dst[k] = -dst[k]
	}
	return label
}

// What suits few pictures is the default for them alone, and each part can be undone.
func TestFewPicturesDefaults(t *testing.T) {
	held := images{n: 5, side: 32, channels: 3}
	for _, test := range []struct {
		name   string
		train  images
		change func(o *Options, set *dataset.Set)
		flip   bool
		shift  int
		stop   bool
		init   string
	}{
		{"colour", images{100, 32, 3, nil}, nil, true, 2, true, "emoji"},
		{"with alpha", images{500, 64, 4, nil}, nil, true, 4, true, ""},
		{"gray may be letters", images{100, 32, 1, nil}, nil, false, 2, true, ""},
		{"classes may be digits", images{100, 8, 3, []string{"a", "b"}}, nil, false, 1, true, "emoji"},
		{"clusters are no classes of a person", images{400, 32, 3, []string{"cluster 0"}},
			func(_ *Options, set *dataset.Set) { set.Clusters = &dataset.Clusters{} }, true, 2, true, "emoji"},
		{"many", images{501, 32, 3, nil}, nil, false, 0, false, ""},
		{"arrays", images{100, 32, 3, nil}, func(_ *Options, set *dataset.Set) { set.Sizes = nil }, false, 0, false, ""},
		{"none held out", images{100, 32, 3, nil}, func(_ *Options, set *dataset.Set) { set.Test = nil }, true, 2, false, "emoji"},
		{"no validation", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.ValidateEvery = -1 }, true, 2, false, "emoji"},
		{"resumed", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Resume = true }, false, 0, false, ""},
		{"a density", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Objective = model.FlowObjective }, false, 0, false, ""},
		{"undone", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) {
			o.Given, o.Shift, o.Init = []string{"flip", "shift", "early-stop"}, -1, NoInit
		}, false, 0, false, ""},
		{"another start", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Init = "mine" }, true, 2, true, "mine"},
		{"another network", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Preset = "tiny" }, true, 2, true, ""},
		{"its network by name", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Given = []string{"preset"} }, true, 2, true, ""},
		{"other heads", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Heads = 2 }, true, 2, true, ""},
		{"another path", images{100, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Path = "cosine" }, true, 2, true, ""},
		{"asked for", images{9999, 32, 3, nil}, func(o *Options, _ *dataset.Set) { o.Flip, o.Shift, o.EarlyStop = true, 3, true }, true, 3, true, ""},
	} {
		o := Options{}.WithDefaults()
		set := &dataset.Set{Train: test.train, Test: held, Sizes: []dataset.SizeCount{{Width: 32, Height: 32, Count: 100}}}
		if test.change != nil {
			test.change(&o, set)
		}
		o = o.WithDefaults()
		asked := o
		o.suitFew(set)
		if o.Flip != test.flip || o.Shift != test.shift || o.EarlyStop != test.stop || o.Init != test.init {
			t.Errorf("%s: flip %v, shift %d, early stop %v, init %q", test.name, o.Flip, o.Shift, o.EarlyStop, o.Init)
		}
		changed := o.Flip != asked.Flip || o.Init != asked.Init || o.EarlyStop != asked.EarlyStop || o.Shift > max(asked.Shift, 0)
		if len(set.Notes) > 0 != changed {
			t.Errorf("%s: notes %v", test.name, set.Notes)
		}
	}
}

// recordedOptions returns the options that a run recorded.
func recordedOptions(folder string) (Options, error) {
	c, err := run.ReadConfig(folder)
	if err != nil {
		return Options{}, err
	}
	return trainOptionsOf(&c)
}

// A run on few pictures in colour starts from the program's model of pictures, records it and its
// weights, and goes on. Its card repeats it. What it started from cannot be taken back.
func TestFewPicturesStart(t *testing.T) {
	folder := t.TempDir()
	for i := range 12 {
		picture := image.NewRGBA(image.Rect(0, 0, 8, 8))
		for p := range picture.Pix {
			picture.Pix[p] = byte(97*p*(i+3)) | 1
		}
		file, err := os.Create(filepath.Join(folder, fmt.Sprint(i, ".png")))
		if err == nil {
			err = errors.Join(png.Encode(file, picture), file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var o Options
	o.Data, o.Size, o.Seed, o.Out = folder, pipeline.Square(8), 1, filepath.Join(t.TempDir(), "run")
	o.Batch, o.MicroBatch, o.Steps, o.Threads, o.PreviewEvery, o.ValidateEvery = 4, 2, 2, 2, -1, -1
	o.LR, o.EMA = 1e-12, option.None // steps that move nothing
	mustTrain(t, o)
	emoji, err := model.Open(models.Pictures, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	const name = "middle_block.0.in_layers.2.weight"
	from, to := emoji.UNet().Params(), made.UNet().Params()
	if !near(from.Lookup(name).Of(from.Values), to.Lookup(name).Of(to.Values)) {
		t.Error("the run does not start from the weights")
	}
	recorded, err := recordedOptions(o.Out)
	if err != nil || recorded.Init != models.Pictures || recorded.InitHash != emoji.Hash {
		t.Errorf("recorded are %q and %q: %v", recorded.Init, recorded.InitHash, err)
	}
	if card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile)); err != nil || !strings.Contains(string(card), "init emoji") {
		t.Errorf("card %s, %v", card, err)
	}
	o.Resume, o.Steps = true, 3
	if result := mustTrain(t, o); result.Steps != 3 {
		t.Errorf("the run went on to step %d", result.Steps)
	}
	o.Init, o.Given, o.Steps = NoInit, []string{"init"}, 4
	_, err = Train(t.Context(), o)
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "init" {
		t.Errorf("another start: %v", err)
	}
	o.Resume, o.Given, o.Out, o.Steps = false, nil, filepath.Join(t.TempDir(), "anew"), 1
	mustTrain(t, o)
	if recorded, err := recordedOptions(o.Out); err != nil || recorded.Init != "" {
		t.Errorf("from nothing: recorded is %q, %v", recorded.Init, err)
	}
	if card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile)); err != nil || !strings.Contains(string(card), "init none") {
		t.Errorf("card %s, %v", card, err)
	}
}

// A model of the caller's own that is called as the program's is not taken unasked.
func TestFewPicturesBesideOwnModel(t *testing.T) {
	t.Chdir(t.TempDir())
	o := Options{}.WithDefaults()
	set := &dataset.Set{Train: images{100, 32, 3, nil}, Sizes: []dataset.SizeCount{{Width: 32, Height: 32, Count: 100}}}
	if err := os.WriteFile(models.Pictures, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.suitFew(set); o.Init != "" {
		t.Errorf("training starts from %s, a file of the caller", o.Init)
	}
}

// overfit returns a run whose held-out images are unlike those to train on, so that their loss
// falls while the network learns to take noise away, and rises when it knows what comes instead.
func overfit(t *testing.T) Options {
	o := smallRun(t)
	o.Source, o.Validation = roomtest.Digits(), negative{roomtest.Digits()}
	o.EarlyStop, o.ValidateEvery, o.Steps, o.LR = true, 2, 400, 0.02
	o.Given = []string{"lr"}
	return o
}

// A run stops when the validation loss has turned. Its model has the weights of the best step:
// those of a run that stops there. A run that was interrupted is the same.
func TestEarlyStopKeepsTheBest(t *testing.T) {
	o := overfit(t)
	result := mustTrain(t, o)
	if result.Steps >= o.Steps {
		t.Fatalf("the run did not stop before its end, loss %v, validation %v", result.Loss, result.Validation)
	}
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Steps >= result.Steps || ck.Meta.Steps == 0 {
		t.Fatalf("the model is of step %d of %d, %v", ck.Meta.Steps, result.Steps, err)
	}
	lines, least := metricLines(t, o.Out), 1e9
	for _, m := range lines {
		if m.Validation > 0 {
			least = min(least, m.Validation)
		}
	}
	if diff := ck.Meta.Validation - least; diff > 1e-6 || diff < -1e-6 { // metrics have 8 digits
		t.Errorf("the model's validation loss is %v, the least was %v", ck.Meta.Validation, least)
	}
	alone := o
	alone.Out, alone.EarlyStop, alone.StopAfter = filepath.Join(t.TempDir(), "alone"), false, ck.Meta.Steps
	alone.TimeDist = "uniform" // as the card says
	if _, err := Train(t.Context(), alone); err == nil {
		t.Fatal("the run did not stop")
	}
	if weightsOf(t, alone.Out) != ck.Hash {
		t.Error("the run of the card's command has other weights")
	}
	if card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile)); err != nil || !strings.Contains(string(card), "validation loss was the least") ||
		!strings.Contains(string(card), "time-dist") {
		t.Errorf("card %s, %v", card, err)
	}
	part := o
	part.Out, part.StopAfter = filepath.Join(t.TempDir(), "part"), ck.Meta.Steps+1
	if _, err := Train(t.Context(), part); err == nil {
		t.Fatal("the run did not stop")
	}
	part.StopAfter, part.Resume, part.Given = 0, true, nil
	if again := mustTrain(t, part); again.Steps != result.Steps || weightsOf(t, part.Out) != ck.Hash {
		t.Errorf("a resumed run ends at step %d, not %d, or has other weights", again.Steps, result.Steps)
	}
}

// A run that has stopped goes on where a person says so.
func TestStoppedRunGoesOn(t *testing.T) {
	o := overfit(t)
	stopped := mustTrain(t, o)
	if stopped.Steps >= o.Steps {
		t.Fatal("the run did not stop")
	}
	o.Resume, o.Given = true, nil
	if again := mustTrain(t, o); again.Steps != stopped.Steps {
		t.Errorf("the run went on to step %d", again.Steps)
	}
	o.Given, o.EarlyStop = []string{"early-stop"}, false
	if again := mustTrain(t, o); again.Steps != o.Steps {
		t.Errorf("the run ended at step %d of %d", again.Steps, o.Steps)
	}
}

func TestShiftOfSmallImages(t *testing.T) {
	o := smallRun(t)
	o.Shift = 5
	if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), "shifted by at most 4") {
		t.Errorf("error %v", err)
	}
}
