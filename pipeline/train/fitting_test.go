package train

import (
	"errors"
	"image/gif"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/distill"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/field"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/realnvp"
)

// smallFlowRun returns options for a run of a normalizing flow of two scales. A step takes a few
// milliseconds.
func smallFlowRun(t testing.TB) Options {
	o := smallRun(t)
	o.Network, o.Objective, o.Paired = nil, model.FlowObjective, 0
	o.Flow = &realnvp.Config{ImageSize: [2]int{8, 8}, Channels: 1, Hidden: 4, Blocks: 1, NormGroups: 2, Scales: 2,
		Alpha: 0.05, ScaleBound: 2}
	return o
}

// A run of a normalizing flow has the same tensors with any number of threads and after an
// interruption.
func TestFlowRunIsExact(t *testing.T) {
	roomtest.NoLeaks(t)
	o := smallFlowRun(t)
	o.Validation = roomtest.Digits()
	whole := mustTrain(t, o)
	part := o
	part.Out, part.Threads, part.StopAfter = filepath.Join(t.TempDir(), "part"), 1, 3
	if _, err := Train(t.Context(), part); err == nil {
		t.Fatal("a run that stops early succeeded")
	}
	part.Resume, part.StopAfter, part.Threads, part.Flow = true, 0, 3, nil
	mustTrain(t, part)
	roomtest.SameRun(t, whole.Dir, part.Out)
	o.Out, o.Seed = filepath.Join(t.TempDir(), "other"), 2
	roomtest.DifferentRun(t, whole.Dir, mustTrain(t, o).Dir)
	card, err := os.ReadFile(filepath.Join(whole.Dir, run.CardFile))
	if err != nil || !strings.Contains(string(card), "bits per dimension") ||
		!strings.Contains(string(card), "objective nf") || whole.Validation <= 0 {
		t.Errorf("validation %v, card %s, %v", whole.Validation, card, err)
	}
}

// The pixels have 12.8 equally frequent levels about the brightness of their image. So the best
// possible loss is log2 12.8 = 3.68 bits, and 8 is that of knowing nothing. 150 steps get most of
// the way.
func TestFlowLearns(t *testing.T) {
	o := smallFlowRun(t)
	o.Steps, o.Batch, o.MicroBatch, o.Optimizer, o.LR = 150, 16, 8, engine.AdamW, 0.01
	result := mustTrain(t, o)
	if result.Loss > 4.5 || result.Loss < 3.65 {
		t.Errorf("%v bits per dimension after 150 steps", result.Loss)
	}
}

// flowModel trains a normalizing flow for a few steps.
func flowModel(t *testing.T) (run, data string) {
	t.Helper()
	o := smallFlowRun(t)
	data = roomtest.SmallDigits(t, 20, 1)
	o.Source, o.Data = nil, data
	return mustTrain(t, o).Dir, data
}

// An image is the inverse of the flow at the image's noise. It does not depend on the other images.
func TestFlowDraws(t *testing.T) {
	roomtest.NoLeaks(t)
	modelPath, _ := flowModel(t)
	ck, err := model.Open(modelPath, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	images, err := sample.Draw(t.Context(), ck, sample.Options{Count: 11, Seed: 5, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	want, replica := make([]float32, 64), flowOf(ck).NewReplica(1, false)
	for i := range 11 {
		var rng rand.PCG
		flow.Seed(&rng, 5, uint64(i))
		flow.Gaussian(want, &rng)
		replica.Sample(want, 1)
		if !slices.Equal(want, images.Slice(i, i+1).Pixels) {
			t.Errorf("image %d is another", i)
		}
	}
	out := filepath.Join(t.TempDir(), "way.gif")
	result, err := sample.Generate(t.Context(), sample.GenerateOptions{Model: modelPath, Out: out,
		Grid: picture.GridOptions{Rows: 1, Cols: 2}, Sample: sample.Options{Seed: 5}})
	if err != nil || result.Evaluations != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if movie, err := gif.DecodeAll(file); err != nil || len(movie.Image) != 2 {
		t.Errorf("a GIF of noise and image: %v", err)
	}
}

// The measured likelihood is the flow's own log p of dequantised pixels in [-1, 1], and 7 bits a
// pixel for their scale.
func TestFlowLikelihood(t *testing.T) {
	roomtest.NoLeaks(t)
	modelPath, data := flowModel(t)
	ck, err := model.Open(modelPath, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := likelihood.Measure(t.Context(), likelihood.Options{Model: modelPath, Data: data, Seed: 7, Count: 6,
		Compute: pipeline.Compute{Threads: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if l.Divergence != "exact" || l.Evaluations != 1 || l.Probes != 0 {
		t.Errorf("%+v", l)
	}
	replica, logp, x := flowOf(ck).NewReplica(1, false), make([]float64, 1), make([]float32, 64)
	for _, image := range l.Images {
		set.Test.Image(image.Index, x)
		var rng rand.PCG
		pipeline.Seed(&rng, 7, pipeline.StreamScoreSpread, image.Index, 0)
		feed.Dequantize(x, &rng)
		replica.LogProb(logp, x)
		if want := -logp[0]/(64*math.Ln2) + 7; math.Abs(image.BitsPerDimension-want) > 1e-6 {
			t.Errorf("image %d: %v bits, want %v", image.Index, image.BitsPerDimension, want)
		}
	}
}

// checkRefusals expects each error to be about the option of its name.
func checkRefusals(t *testing.T, refusals map[string][]error) {
	t.Helper()
	for option, errs := range refusals {
		for i, err := range errs {
			if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != option {
				t.Errorf("%s %d: %v", option, i, err)
			}
		}
	}
}

// A normalizing flow refuses what needs a velocity, and options of drawing and of likelihoods that
// have no effect on it.
func TestFlowRefusesVelocities(t *testing.T) {
	path, data := flowModel(t)
	dir := t.TempDir()
	draw := func(o sample.Options, strip int) error {
		g := sample.GenerateOptions{Model: path, Out: filepath.Join(dir, "a.png"), Sample: o, Strip: strip}
		_, err := sample.Generate(t.Context(), g)
		return err
	}
	drawBy := func(m model.Method) error { return draw(sample.Options{Method: m}, 0) }
	score := func(o likelihood.Options) error {
		o.Model, o.Data, o.Count = path, data, 2
		_, err := likelihood.Measure(t.Context(), o)
		return err
	}
	scoreBy := func(m model.DensityMethod) error { return score(likelihood.Options{DensityMethod: m}) }
	_, evaluated := field.Evaluate(t.Context(), field.Options{Model: path, In: "x.safetensors",
		Out: filepath.Join(dir, "y.safetensors")})
	var inpaint edit.InpaintOptions
	inpaint.Model, inpaint.Data, inpaint.Index, inpaint.Mask = path, data, []int{0}, "lower"
	inpaint.Out = filepath.Join(dir, "b.png")
	_, edited := edit.Inpaint(t.Context(), inpaint)
	var distil distill.Options
	distil.Model, distil.Steps, distil.Out = path, 1, filepath.Join(dir, "fast")
	_, distilled := distill.Distill(t.Context(), distil)
	checkRefusals(t, map[string][]error{
		"model":       {evaluated, distilled, edited},
		"strip":       {draw(sample.Options{}, 3)},
		"solver":      {drawBy(model.Method{Solver: "euler"}), scoreBy(model.DensityMethod{Solver: "rk4"})},
		"steps":       {drawBy(model.Method{Steps: 4}), scoreBy(model.DensityMethod{Steps: 4})},
		"tol":         {drawBy(model.Method{Tol: 1e-3}), scoreBy(model.DensityMethod{Tol: 1e-3})},
		"noise-level": {drawBy(model.Method{NoiseLevel: 2})},
		"guidance":    {drawBy(model.Method{Guidance: 2})},
		"class":       {draw(sample.Options{Class: "1"}, 0), score(likelihood.Options{Class: "all"})},
		"probes":      {scoreBy(model.DensityMethod{Probes: 2})},
	})
}

// Training a normalizing flow refuses options of flow matching, which would have no effect.
func TestFlowMistakes(t *testing.T) {
	path, _ := flowModel(t)
	train := func(change func(*Options)) error {
		o := smallFlowRun(t)
		change(&o)
		_, err := Train(t.Context(), o)
		return err
	}
	err := train(func(o *Options) { o.Flow.ImageSize[0] = 4 })
	if err == nil || !strings.Contains(err.Error(), "takes images of 8x4") {
		t.Errorf("images of another shape: %v", err)
	}
	checkRefusals(t, map[string][]error{
		"label-drop": {train(func(o *Options) { o.LabelDrop = 0.5 })},
		"dequantize": {train(func(o *Options) { o.Given = []string{"dequantize"} })},
		"path":       {train(func(o *Options) { o.Path = "cosine" })},
		"time-dist":  {train(func(o *Options) { o.TimeDist = "logit-normal" })},
		"coupling":   {train(func(o *Options) { o.Given = []string{"coupling"} })},
		"init": {
			train(func(o *Options) { o.Init = path }),
			train(func(o *Options) { o.Objective, o.Flow, o.Init = "velocity", nil, path }),
		},
		"heads":            {train(func(o *Options) { o.Heads = 2 })},
		"conditional":      {train(func(o *Options) { o.Conditional = "yes" })},
		"network":          {train(func(o *Options) { o.Network = roomtest.SmallNetwork() })},
		"objective":        {train(func(o *Options) { o.Objective, o.Flow = "noise-free", nil })},
		"normalizing-flow": {train(func(o *Options) { o.Objective = "velocity" })},
	})
}

func TestDescribeFlow(t *testing.T) {
	modelPath, _ := flowModel(t)
	info, err := model.Describe(modelPath)
	if err != nil {
		t.Fatal(err)
	}
	if info.Flow == nil || info.Flow.Hidden != 4 || info.FLOPs <= 0 || info.Meta.Objective != model.FlowObjective ||
		!info.Meta.Dequantized {
		t.Errorf("%+v", info)
	}
	out := filepath.Join(t.TempDir(), "half.safetensors")
	if err := model.Export(modelPath, out, true); err != nil {
		t.Fatal(err)
	}
	if ck, err := model.Open(out, pipeline.Arithmetic{}); err != nil || flowOf(ck) == nil || flowOf(ck).Config() != *info.Flow {
		t.Errorf("exported: %v", err)
	}
}

// The curve of losses says what was trained and which loss it shows.
func TestLossPlotSaysWhatWasTrained(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want picture.LossPlot
	}{
		{smallRun(t), picture.LossPlot{Title: "Flow matching on patterns", Loss: "mean squared error of the velocity"}},
		{smallFlowRun(t), picture.LossPlot{Title: "Maximum likelihood on patterns",
			Loss: "bits per dimension of dequantised images"}},
	} {
		r, err := openTraining(t.Context(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.LossPlot(); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
		r.Close()
	}
}
