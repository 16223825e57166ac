package likelihood

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// mustScore measures without an error.
func mustScore(t *testing.T, o Options) *Report {
	t.Helper()
	l, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A model whose velocity is 0 leaves images where they are, so p is the normal density of the
// dequantised image. The importance-weighted bound is the mean of such densities.
func TestLikelihoodOfStandingFlow(t *testing.T) {
	roomtest.NoLeaks(t)
	modelPath, data := roomtest.SmallModel(t, false, 0), roomtest.SmallDigits(t, 20, 1)
	set, err := dataset.Open(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	density := func(index, sample int) float64 {
		x := make([]float32, 64)
		set.Test.Image(index, x)
		var rng rand.PCG
		pipeline.Seed(&rng, 7, pipeline.StreamScoreSpread, index, sample)
		feed.Dequantize(x, &rng)
		return bijection.LogNormal(x)
	}
	for _, o := range []Options{
		{},
		{DensityMethod: model.DensityMethod{Exact: true}},
		{DensityMethod: model.DensityMethod{Probes: 3}},
		{Samples: 5, DensityMethod: model.DensityMethod{Solver: "rk4", Steps: 2}},
	} {
		o.Model, o.Data, o.Seed, o.Count = modelPath, data, 7, 6
		l := mustScore(t, o)
		var mean float64
		for _, image := range l.Images {
			var p []float64
			for s := range max(o.Samples, 1) {
				p = append(p, math.Exp(density(image.Index, s)))
			}
			want := -math.Log2(inorder.Sum(p)/float64(len(p)))/64 + 7
			mean += want / 6
			if math.Abs(image.BitsPerDimension-want) > 1e-6 || math.Abs(image.LogLikelihood+want*64*math.Ln2) > 1e-4 {
				t.Errorf("%+v: %+v, want %.8f bits", o, image, want)
			}
			if (o.Probes > 1) != (image.ProbeError != nil) {
				t.Errorf("%d probes: error %v", o.Probes, image.ProbeError)
			}
		}
		if math.Abs(l.BitsPerDimension-mean) > 1e-6 || l.Count != 6 || l.StandardError <= 0 {
			t.Errorf("%+v: mean %.8f ± %g of %d, want %.8f", o, l.BitsPerDimension, l.StandardError, l.Count, mean)
		}
	}
}

// A result depends on the image and the seed alone, not on threads and other images. p(x) is the
// mean of p(x|y) over the classes.
func TestLikelihoodOfClasses(t *testing.T) {
	roomtest.NoLeaks(t)
	o := Options{
		Model: roomtest.SmallModel(t, true, 0.1), Data: roomtest.SmallDigits(t, 30, 1), Count: 11, Seed: 3,
		Compute: pipeline.Compute{Threads: 2}, DensityMethod: model.DensityMethod{Probes: 2, Tol: 1e-3},
	}
	label := mustScore(t, o)
	if label.Class != "label" || label.Images[0].Label == "" {
		t.Errorf("%+v", label)
	}
	o.Threads, o.Count = 1, 3
	for i, image := range mustScore(t, o).Images {
		if image.BitsPerDimension != label.Images[i].BitsPerDimension || image.Index != label.Images[i].Index {
			t.Errorf("image %d: %+v among 3 on one thread, %+v among 11 on two", i, image, label.Images[i])
		}
	}
	o.Class = "none"
	none := mustScore(t, o)
	o.Class = "all"
	all := mustScore(t, o)
	for i, image := range all.Images {
		if image.BitsPerDimension == none.Images[i].BitsPerDimension {
			t.Errorf("image %d: all classes are as good as none", i)
		}
		// The best class is at least as likely as the mean, and the mean at least a third of it.
		own := label.Images[i].LogLikelihood
		if image.LogLikelihood < own-math.Log(3)-1e-9 {
			t.Errorf("image %d: log p(x) = %.4f, log p(x|y) = %.4f", i, image.LogLikelihood, own)
		}
	}
	if got := logMeanExp([]float64{-1000, -1000 + math.Log(3)}); math.Abs(got-(-1000+math.Log(2))) > 1e-12 {
		t.Errorf("log mean exp: %v", got)
	}
}

// p(x) has each class as often as the training data had it, and the images without a class too.
func TestLikelihoodOfFrequentClasses(t *testing.T) {
	data := roomtest.SmallDigits(t, 12, 1)
	score := func(class Class, unlabelled int, counts ...int) []ImageReport {
		ck := roomtest.SmallCheckpoint
		ck.Spread, ck.Counts, ck.Unlabelled = 0.1, counts, unlabelled
		return mustScore(t, Options{
			Model: ck.Save(t), Data: data, Count: 12, Class: class, Seed: 3,
			DensityMethod: model.DensityMethod{Probes: 2, Solver: "euler", Steps: 3},
		}).Images
	}
	label, none, uniform := score("label", 0), score("none", 0), score("all", 0)
	equal, last := score("all", 0, 7, 7, 7), score("all", 0, 0, 0, 5)
	unlabelled, mixed := score("all", 4, 0, 0, 0), score("all", 3, 0, 0, 1)
	for i := range label {
		of := func(from []ImageReport) float64 { return from[i].LogLikelihood }
		same := func(what string, a, b float64) {
			if math.Abs(a-b) > 1e-6 {
				t.Errorf("image %d, %s: %.8f, want %.8f", i, what, a, b)
			}
		}
		same("equal counts", of(equal), of(uniform))
		same("no image with a class", of(unlabelled), of(none))
		if label[i].Label != "2" {
			continue
		}
		same("one class", of(last), of(label))
		same("a quarter of a class", of(mixed), of(none)+math.Log(0.75+0.25*math.Exp(of(label)-of(none))))
	}
}

// Against measures other images too, and the AUROC compares the likelihoods of both.
func TestLikelihoodAgainst(t *testing.T) {
	modelPath, data := roomtest.SmallModel(t, true, 0), roomtest.SmallDigits(t, 12, 1)
	flat := t.TempDir() // gray images, likelier than all others under a velocity of 0
	roomtest.WriteIDX(t, filepath.Join(flat, "train-images-idx3-ubyte"), bytes.Repeat([]byte{128}, 12*64), 12, 8, 8)
	l := mustScore(t, Options{
		Model: modelPath, Data: data, Against: flat, Count: 10, DensityMethod: model.DensityMethod{Tol: 1e-3},
	})
	if l.Class != "none" || l.Against == nil || *l.AUROC != 0 || *l.ToldApart != 0.5 ||
		l.Against.BitsPerDimension >= l.BitsPerDimension {
		t.Errorf("%+v", l)
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"bits_per_dim"`, `"standard_error"`, `"count"`, `"auroc"`, `"against"`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("the JSON has no %s: %s", key, text)
		}
	}
	var picture, lines bytes.Buffer
	if err := errors.Join(l.WriteExtremes(&picture), l.WriteScores(&lines)); err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(&picture); err != nil || m.Bounds().Dy() != 4*(16+2)+2 || m.Bounds().Dx() != 10*(16+2)+2 {
		t.Errorf("extremes: %v, %v", m.Bounds(), err)
	}
	rows, err := csv.NewReader(&lines).ReadAll()
	if err != nil || len(rows) != 21 || rows[0][3] != "bits_per_dim" {
		t.Errorf("scores: %v, %v", rows, err)
	}
}

// Each mistake in the options is an error about that option.
func TestLikelihoodMistakes(t *testing.T) {
	modelPath, classes := roomtest.SmallModel(t, false, 0), roomtest.SmallModel(t, true, 0)
	data := roomtest.SmallDigits(t, 5, 1)
	for _, c := range []struct {
		option string
		o      Options
	}{
		{"count", Options{Model: modelPath, Data: data, Count: 6}},
		{"count", Options{Model: modelPath, Data: data, Count: -1}},
		{"probes", Options{
			Model: modelPath, Data: data, Count: 2, DensityMethod: model.DensityMethod{Exact: true, Probes: 2},
		}},
		{"samples", Options{Model: modelPath, Data: data, Count: 2, Samples: -1}},
		{"solver", Options{Model: modelPath, Data: data, Count: 2, DensityMethod: model.DensityMethod{Solver: "rk5"}}},
		{"tol", Options{Model: modelPath, Data: data, Count: 2, DensityMethod: model.DensityMethod{Tol: math.NaN()}}},
		{"class", Options{Model: modelPath, Data: data, Count: 2, Class: "label"}},
		{"class", Options{Model: classes, Data: data, Count: 2, Class: "7"}},
		{"class", Options{Model: classes, Data: data, Against: data, Count: 2, Class: "label"}},
		{"against", Options{Model: classes, Data: data, Against: "mnits", Count: 2}},
		{"data", Options{Model: modelPath, Data: "mnits", Count: 2}},
		{"isa", Options{Model: modelPath, Data: data, Count: 2, Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{ISA: "mmx"}}}},
		{"precision", Options{Model: modelPath, Data: data, Count: 2, Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{Precision: "bf16"}}}},
	} {
		_, err := Measure(t.Context(), c.o)
		wrong, ok := errors.AsType[*pipeline.OptionError](err)
		if !ok || wrong.Option != c.option {
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
}

// An interruption ends the measurement, even within an exact divergence.
func TestLikelihoodInterrupted(t *testing.T) {
	roomtest.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := Options{
		Model: roomtest.SmallModel(t, false, 0.1), Data: roomtest.SmallDigits(t, 30, 1), Count: 30,
		Compute: pipeline.Compute{Threads: 1}, DensityMethod: model.DensityMethod{Exact: true},
	}
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Sampled {
			cancel()
		}
	}
	if _, err := Measure(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
