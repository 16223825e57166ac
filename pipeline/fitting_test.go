package pipeline

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
	"github.com/fmimg/fmimg/realnvp"
)

// smallFlowRun is a run of a normalizing flow at two scales, of a few milliseconds a step.
func smallFlowRun(t testing.TB) TrainOptions {
	o := smallRun(t)
	o.Network, o.Objective = nil, flowObjective
	o.Flow = &realnvp.Config{ImageSize: [2]int{8, 8}, Channels: 1, Hidden: 4, Blocks: 1, NormGroups: 2, Scales: 2, Alpha: 0.05, ScaleBound: 2}
	return o
}

// A normalizing flow's run is as exact as any: by the number of threads, over an interruption, and in what it saves.
func TestFlowRunIsExact(t *testing.T) {
	noLeaks(t)
	o := smallFlowRun(t)
	o.Validation = digits()
	whole := mustTrain(t, o)
	part := o
	part.Out, part.Threads, part.StopAfter = filepath.Join(t.TempDir(), "part"), 1, 3
	if _, err := Train(t.Context(), part); err == nil {
		t.Fatal("a run that stops early succeeded")
	}
	part.Resume, part.StopAfter, part.Threads, part.Flow = true, 0, 3, nil
	mustTrain(t, part)
	sameRun(t, whole.Dir, part.Out)
	o.Out, o.Seed = filepath.Join(t.TempDir(), "other"), 2
	differentRun(t, whole.Dir, mustTrain(t, o).Dir)
	card, err := os.ReadFile(filepath.Join(whole.Dir, cardFile))
	if err != nil || !strings.Contains(string(card), "bits per dimension") || !strings.Contains(string(card), "--objective nf") || whole.Validation <= 0 {
		t.Errorf("validation %v, card %s, %v", whole.Validation, card, err)
	}
}

// Pixels are of 12.8 equally frequent levels about their image's brightness: log2 12.8 = 3.68 bits at best, and 8 where nothing is
// known. 150 steps come most of the way.
func TestFlowLearns(t *testing.T) {
	o := smallFlowRun(t)
	o.Steps, o.Batch, o.MicroBatch, o.Optimizer, o.LR = 150, 16, 8, AdamW, 0.01
	result := mustTrain(t, o)
	if result.Loss > 4.5 || result.Loss < 3.65 {
		t.Errorf("%v bits per dimension after 150 steps", result.Loss)
	}
}

// flowModel trains a flow on the digits of a folder for a few steps.
func flowModel(t *testing.T) (run, data string) {
	t.Helper()
	o := smallFlowRun(t)
	data = smallDigits(t, 20, 1)
	o.Source, o.Data = nil, data
	return mustTrain(t, o).Dir, data
}

// What generate draws is the inverse of the flow at the noise of each image, whatever else is drawn.
func TestFlowDraws(t *testing.T) {
	noLeaks(t)
	model, _ := flowModel(t)
	ck, err := OpenCheckpoint(model, "")
	if err != nil {
		t.Fatal(err)
	}
	images, err := Draw(t.Context(), ck, SampleOptions{Count: 11, Seed: 5, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	want, replica := make([]float32, 64), flowOf(ck).NewReplica(1, false)
	for i := range 11 {
		var rng rand.PCG
		flow.Seed(&rng, 5, uint64(i))
		flow.Gaussian(want, &rng)
		replica.Sample(want, 1)
		if !slices.Equal(want, images.slice(i, i+1).Pixels) {
			t.Errorf("image %d is another", i)
		}
	}
	out := filepath.Join(t.TempDir(), "way.gif")
	result, err := Generate(t.Context(), GenerateOptions{Model: model, Out: out, Grid: GridOptions{Rows: 1, Cols: 2}, Sample: SampleOptions{Seed: 5}})
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

// Likelihood is the flow's own, of dequantised bytes. log p of pixels in [-1,1] and 7 bits a pixel for its scale.
func TestFlowLikelihood(t *testing.T) {
	noLeaks(t)
	model, data := flowModel(t)
	ck, err := OpenCheckpoint(model, "")
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := LogLikelihood(t.Context(), LikelihoodOptions{Model: model, Data: data, Seed: 7, Count: 6, Threads: 2})
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
		seedStream(&rng, 7, streamScoreSpread, image.Index, 0)
		dequantize(x, &rng)
		replica.LogProb(logp, x)
		if want := -logp[0]/(64*math.Ln2) + 7; math.Abs(image.BitsPerDimension-want) > 1e-6 {
			t.Errorf("image %d: %v bits, want %v", image.Index, image.BitsPerDimension, want)
		}
	}
}

// What only velocities can do, and options that mean nothing to a normalizing flow, are refused by name.
func TestFlowMistakes(t *testing.T) {
	model, data := flowModel(t)
	field := func() error {
		_, err := Field(t.Context(), FieldOptions{Model: model, In: "x.safetensors", Out: filepath.Join(t.TempDir(), "y.safetensors")})
		return err
	}
	draw := func(o SampleOptions) error {
		_, err := Generate(t.Context(), GenerateOptions{Model: model, Out: filepath.Join(t.TempDir(), "a.png"), Sample: o})
		return err
	}
	train := func(change func(*TrainOptions)) error {
		o := smallFlowRun(t)
		change(&o)
		_, err := Train(t.Context(), o)
		return err
	}
	score := func(o LikelihoodOptions) error {
		o.Model, o.Data, o.Count = model, data, 2
		_, err := LogLikelihood(t.Context(), o)
		return err
	}
	inpaint := InpaintOptions{}
	inpaint.Model, inpaint.Data, inpaint.Index, inpaint.Mask, inpaint.Out = model, data, []int{0}, "lower", filepath.Join(t.TempDir(), "b.png")
	_, edited := Inpaint(t.Context(), inpaint)
	_, strip := Generate(t.Context(), GenerateOptions{Model: model, Out: filepath.Join(t.TempDir(), "c.png"), Strip: 3})
	distil := DefaultDistillOptions()
	distil.Model, distil.Steps, distil.Out = model, 1, filepath.Join(t.TempDir(), "fast")
	_, distilled := Distill(t.Context(), distil)
	if err := train(func(o *TrainOptions) { o.Flow.ImageSize[0] = 4 }); err == nil || !strings.Contains(err.Error(), "takes images of 4x8") {
		t.Errorf("images of another shape: %v", err)
	}
	for option, errs := range map[string][]error{
		"model":            {field(), distilled, edited},
		"strip":            {strip},
		"label-drop":       {train(func(o *TrainOptions) { o.LabelDrop = 0.5 })},
		"dequantize":       {train(func(o *TrainOptions) { o.Given = []string{"dequantize"} })},
		"solver":           {draw(SampleOptions{Method: Method{Solver: "euler"}}), score(LikelihoodOptions{DensityMethod: DensityMethod{Solver: "rk4"}})},
		"steps":            {draw(SampleOptions{Method: Method{Steps: 4}}), score(LikelihoodOptions{DensityMethod: DensityMethod{Steps: 4}})},
		"tol":              {draw(SampleOptions{Method: Method{Tol: 1e-3}}), score(LikelihoodOptions{DensityMethod: DensityMethod{Tol: 1e-3}})},
		"noise-level":      {draw(SampleOptions{Method: Method{NoiseLevel: 2}})},
		"guidance":         {draw(SampleOptions{Method: Method{Guidance: 2}})},
		"class":            {draw(SampleOptions{Class: "1"}), score(LikelihoodOptions{Class: "all"})},
		"probes":           {score(LikelihoodOptions{DensityMethod: DensityMethod{Probes: 2}})},
		"path":             {train(func(o *TrainOptions) { o.Path = "cosine" })},
		"time-dist":        {train(func(o *TrainOptions) { o.TimeDist = "logit-normal" })},
		"coupling":         {train(func(o *TrainOptions) { o.Given = []string{"coupling"} })},
		"init":             {train(func(o *TrainOptions) { o.Init = model }), train(func(o *TrainOptions) { o.Objective, o.Flow, o.Init = "velocity", nil, model })},
		"heads":            {train(func(o *TrainOptions) { o.Heads = 2 })},
		"conditional":      {train(func(o *TrainOptions) { o.Conditional = "yes" })},
		"network":          {train(func(o *TrainOptions) { o.Network = smallNetwork() })},
		"objective":        {train(func(o *TrainOptions) { o.Objective, o.Flow = "noise-free", nil })},
		"normalizing-flow": {train(func(o *TrainOptions) { o.Objective = "velocity" })},
	} {
		for i, err := range errs {
			if wrong, ok := errors.AsType[*OptionError](err); !ok || wrong.Option != option {
				t.Errorf("%s %d: %v", option, i, err)
			}
		}
	}
}

func TestDescribeFlow(t *testing.T) {
	model, _ := flowModel(t)
	info, err := DescribeModel(model)
	if err != nil {
		t.Fatal(err)
	}
	if info.Flow == nil || info.Flow.Hidden != 4 || info.FLOPs <= 0 || info.Meta.Objective != flowObjective || !info.Meta.Dequantized {
		t.Errorf("%+v", info)
	}
	out := filepath.Join(t.TempDir(), "half.safetensors")
	if err := ExportModel(model, out, true); err != nil {
		t.Fatal(err)
	}
	if ck, err := OpenCheckpoint(out, ""); err != nil || flowOf(ck) == nil || flowOf(ck).Config() != *info.Flow {
		t.Errorf("exported: %v", err)
	}
}
