package pipeline

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/unet"
)

// smallDigits writes a set of n images of 8x8 to train on and as many others, random bytes of three classes.
func smallDigits(t *testing.T, n int, seed uint64) string {
	t.Helper()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seed, 2))
	for _, part := range []string{"train", "t10k"} {
		pixels, labels := make([]byte, n*64), make([]byte, n)
		for i := range pixels {
			pixels[i] = byte(rng.Uint32())
		}
		for i := range labels {
			labels[i] = byte(i % 3)
		}
		writeIDX(t, filepath.Join(dir, part+"-images-idx3-ubyte"), pixels, n, 8, 8)
		writeIDX(t, filepath.Join(dir, part+"-labels-idx1-ubyte"), labels, n)
	}
	return dir
}

func mustScore(t *testing.T, o LikelihoodOptions) *Likelihood {
	t.Helper()
	l, err := LogLikelihood(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The exact divergence of a network is the sum of central differences of its velocity. With steps of 1/64 their error is
// that of float32's rounding, 1e-6/(1/32) = 3e-5 a dimension, and of the third derivative, h²/6 of it: below 1e-4 for
// these weights. 64 such errors of either sign add up to less than 1e-2, beside divergences of several units.
func TestExactDivergence(t *testing.T) {
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ImageSize = [2]int{8, 8}
	rng := rand.New(rand.NewPCG(3, 1))
	model, err := unet.New(cfg, kernels.Best(), rng)
	if err != nil {
		t.Fatal(err)
	}
	for i := range model.Params().Values {
		model.Params().Values[i] += float32(0.05 * rng.NormFloat64())
	}
	model.Repack(0, 1)
	const n, d, h = 2, 64, float32(1) / 64
	x, times := randomPixels(n*8*8*1), []float32{0.3, 0.9}
	g := newDiverger(model.NewReplica(n, true), n, d, 0)
	v, div := make([]float32, n*d), make([]float64, n)
	g.Divergence(v, div, x, times, []int{0, 1})
	checkDivergence(t, g, Prediction{flow.Linear{}, flow.PredictVelocity}, div, x, times, h)
	// Of a network that predicts data, the velocity that follows.
	flow.DivergenceOf(g, flow.Linear{}, flow.PredictData).Divergence(v, div, x, times, []int{0, 1})
	checkDivergence(t, g, Prediction{flow.Linear{}, flow.PredictData}, div, x, times, h)
}

// checkDivergence compares the divergences of states with differences of ± h.
func checkDivergence(t *testing.T, g *diverger, p Prediction, div []float64, x, times []float32, h float32) {
	t.Helper()
	n, d := len(times), g.imageLen
	velocity := p.Velocity(ode.FieldFunc(func(v, x, t []float32, _ []int) { g.net.Forward(v, x, t, nil) }))
	want, up, down := make([]float64, n), make([]float32, n*d), make([]float32, n*d)
	for j := range d {
		moved := slices.Clone(x)
		for i := range n {
			moved[i*d+j] = x[i*d+j] + h
		}
		velocity.Velocity(up, moved, times, nil)
		for i := range n {
			moved[i*d+j] = x[i*d+j] - h
		}
		velocity.Velocity(down, moved, times, nil)
		for i := range n {
			want[i] += float64(up[i*d+j]-down[i*d+j]) / (2 * float64(h))
		}
	}
	for i := range n {
		if math.Abs(div[i]-want[i]) > 1e-2*max(1, math.Abs(want[i])/100) || math.Abs(want[i]) < 0.5 {
			t.Errorf("state %d: divergence %.5f, by differences %.5f", i, div[i], want[i])
		}
	}
}

// Hutchinson's estimates have the exact divergence as their mean: 256 of them are within four standard errors. The signs
// are ±1, as often, and those of another image are others.
func TestHutchinson(t *testing.T) {
	ck, err := OpenCheckpoint(smallModel(t, true, 0.1), "")
	if err != nil {
		t.Fatal(err)
	}
	const n, d, probes = 2, 64, 256
	x, times, y := randomPixels(n*8*8*1), []float32{0.2, 0.7}, []int32{1, 3}
	exact, estimate := newDiverger(ck.UNet().NewReplica(n, true), n, d, 0), newDiverger(ck.UNet().NewReplica(n, true), n, d, probes)
	exact.y, estimate.y = y, y
	for i := range n {
		estimate.draw(i, 1, 10+i)
	}
	v, w, want, got := make([]float32, n*d), make([]float32, n*d), make([]float64, n), make([]float64, n*probes)
	exact.Divergence(v, want, x, times, []int{0, 1})
	estimate.Divergence(w, got, x, times, []int{0, 1})
	if !slices.Equal(v, w) {
		t.Error("the velocity depends on how the divergence is found")
	}
	for i := range n {
		mean, e := inorder.MeanAndError(got[i*probes : (i+1)*probes])
		if math.Abs(mean-want[i]) > 4*e || e == 0 {
			t.Errorf("state %d: %.4f ± %.4f, exactly %.4f", i, mean, e, want[i])
		}
	}
	plus := 0
	for _, s := range estimate.probes {
		switch s {
		case 1:
			plus++
		case -1:
		default:
			t.Fatalf("a sign of %v", s)
		}
	}
	// Of 32,768 fair signs half are 1, ±4·√32768/2 = 362.
	if m := len(estimate.probes) / 2; plus < m-362 || plus > m+362 {
		t.Errorf("%d of %d signs are 1", plus, 2*m)
	}
	if slices.Equal(estimate.probe(0, 0), estimate.probe(1, 0)) || slices.Equal(estimate.probe(0, 0), estimate.probe(0, 1)) {
		t.Error("images or probes share their signs")
	}
}

// A model whose velocity is 0 leaves images where they are: p is the normal density of the dequantised image, and an
// importance-weighted bound the mean of those of several.
func TestLikelihoodOfStandingFlow(t *testing.T) {
	noLeaks(t)
	model, data := smallModel(t, false, 0), smallDigits(t, 20, 1)
	set, err := dataset.Open(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	density := func(index, sample int) float64 {
		x := make([]float32, 64)
		set.Test.Image(index, x)
		var rng rand.PCG
		seedStream(&rng, 7, streamScoreSpread, index, sample)
		dequantize(x, &rng)
		return bijection.LogNormal(x)
	}
	for _, o := range []LikelihoodOptions{{}, {DensityMethod: DensityMethod{Exact: true}}, {DensityMethod: DensityMethod{Probes: 3}}, {Samples: 5, DensityMethod: DensityMethod{Solver: "rk4", Steps: 2}}} {
		o.Model, o.Data, o.Seed, o.Count = model, data, 7, 6
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

// What is measured depends on the image and the seed alone: on no thread, and on no other image; log p(x) is the mean of
// p(x|y) over the classes.
func TestLikelihoodOfClasses(t *testing.T) {
	noLeaks(t)
	o := LikelihoodOptions{Model: smallModel(t, true, 0.1), Data: smallDigits(t, 30, 1), Count: 11, Seed: 3, Threads: 2, DensityMethod: DensityMethod{Probes: 2, Tol: 1e-3}}
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

// Other images are set beside the first, and the area is that of their likelihoods.
func TestLikelihoodAgainst(t *testing.T) {
	model, data := smallModel(t, true, 0), smallDigits(t, 12, 1)
	flat := t.TempDir() // gray images: likelier than any others under a flow that stands
	writeIDX(t, filepath.Join(flat, "train-images-idx3-ubyte"), bytes.Repeat([]byte{128}, 12*64), 12, 8, 8)
	l := mustScore(t, LikelihoodOptions{Model: model, Data: data, Against: flat, Count: 10, DensityMethod: DensityMethod{Tol: 1e-3}})
	if l.Class != "none" || l.Against == nil || *l.AUROC != 0 || *l.ToldApart != 0.5 || l.Against.BitsPerDimension >= l.BitsPerDimension {
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

func TestLikelihoodMistakes(t *testing.T) {
	model, classes, data := smallModel(t, false, 0), smallModel(t, true, 0), smallDigits(t, 5, 1)
	for _, c := range []struct {
		option string
		o      LikelihoodOptions
	}{
		{"count", LikelihoodOptions{Model: model, Data: data, Count: 6}},
		{"count", LikelihoodOptions{Model: model, Data: data, Count: -1}},
		{"probes", LikelihoodOptions{Model: model, Data: data, Count: 2, DensityMethod: DensityMethod{Exact: true, Probes: 2}}},
		{"samples", LikelihoodOptions{Model: model, Data: data, Count: 2, Samples: -1}},
		{"solver", LikelihoodOptions{Model: model, Data: data, Count: 2, DensityMethod: DensityMethod{Solver: "rk5"}}},
		{"tol", LikelihoodOptions{Model: model, Data: data, Count: 2, DensityMethod: DensityMethod{Tol: math.NaN()}}},
		{"class", LikelihoodOptions{Model: model, Data: data, Count: 2, Class: "label"}},
		{"class", LikelihoodOptions{Model: classes, Data: data, Count: 2, Class: "7"}},
		{"class", LikelihoodOptions{Model: classes, Data: data, Against: data, Count: 2, Class: "label"}},
		{"against", LikelihoodOptions{Model: classes, Data: data, Against: "mnits", Count: 2}},
		{"data", LikelihoodOptions{Model: model, Data: "mnits", Count: 2}},
		{"isa", LikelihoodOptions{Model: model, Data: data, Count: 2, ISA: "mmx"}},
	} {
		_, err := LogLikelihood(t.Context(), c.o)
		if wrong, ok := err.(*OptionError); !ok || wrong.Option != c.option { //nolint:errorlint // as it is returned
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
}

// An interruption ends the measurement, also within an exact divergence.
func TestLikelihoodInterrupted(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := LikelihoodOptions{Model: smallModel(t, false, 0.1), Data: smallDigits(t, 30, 1), Count: 30, Threads: 1, DensityMethod: DensityMethod{Exact: true}}
	o.OnEvent = func(e Event) {
		if e.Kind == Sampled {
			cancel()
		}
	}
	if _, err := LogLikelihood(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Training on dequantised data says so in the checkpoint, and sees other numbers, the same for any number of threads.
func TestTrainDequantized(t *testing.T) {
	o := smallRun(t)
	plain := mustTrain(t, o)
	o.Dequantize, o.Out = true, filepath.Join(t.TempDir(), "run")
	spread := mustTrain(t, o)
	o.Threads, o.Out = 1, filepath.Join(t.TempDir(), "run")
	again := mustTrain(t, o)
	a, b, c := dataHash(t, filepath.Join(plain.Dir, modelFile)), dataHash(t, filepath.Join(spread.Dir, modelFile)), dataHash(t, filepath.Join(again.Dir, modelFile))
	if a == b || b != c {
		t.Errorf("weights %.8s, dequantised %.8s, on one thread %.8s", a, b, c)
	}
	ck, err := OpenCheckpoint(spread.Dir, "")
	if err != nil || !ck.Meta.Dequantized {
		t.Errorf("%+v, %v", ck.Meta, err)
	}
	text, err := os.ReadFile(filepath.Join(spread.Dir, cardFile))
	if err != nil || !strings.Contains(string(text), " --dequantize ") {
		t.Errorf("the card repeats the run without --dequantize: %v", err)
	}
	o.Resume, o.Given, o.Dequantize = true, []string{"dequantize"}, false
	var wrong *OptionError
	if _, err := Train(t.Context(), o); !errors.As(err, &wrong) || wrong.Option != "dequantize" {
		t.Errorf("resumed without: %v", err)
	}
}

// A dequantised byte lies in its own bin: it gives the byte back.
func TestDequantizeKeepsBytes(t *testing.T) {
	x := make([]float32, 256)
	for b := range x {
		x[b] = dataset.FromByte(uint8(b))
	}
	var rng rand.PCG
	seedStream(&rng, 1, streamSpread, 0, 0)
	dequantize(x, &rng)
	different := 0
	for b, v := range x {
		if got := math.Floor((float64(v) + 1) * 128); got != float64(b) {
			t.Errorf("byte %d became %v, which is byte %v", b, v, got)
		}
		if v != dataset.Dequantize(uint8(b), 0.5) {
			different++
		}
	}
	if different < 250 {
		t.Error("no noise")
	}
}
