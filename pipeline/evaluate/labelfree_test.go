package evaluate

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

const blotSide = 16

// blots returns n pictures of a distribution: a few blots of any size and place.
func blots(rng *rand.Rand, n int) []byte {
	var all []byte
	for range n {
		picture := make([]float64, blotSide*blotSide)
		for range 3 {
			cy, cx, r, v := rng.Float64()*blotSide, rng.Float64()*blotSide, 2+4*rng.Float64(), 255*rng.Float64()
			for i := range picture {
				if math.Hypot(float64(i/blotSide)-cy, float64(i%blotSide)-cx) < r {
					picture[i] = v
				}
			}
		}
		for _, v := range picture {
			all = append(all, byte(v))
		}
	}
	return all
}

// copiesOf returns n of the pictures with noise, or mirrored with noise.
func copiesOf(rng *rand.Rand, pictures []byte, n int, mirror bool) []byte {
	const size = blotSide * blotSide
	var all []byte
	for range n {
		from := rng.IntN(len(pictures)/size) * size
		picture := slices.Clone(pictures[from : from+size])
		for i := range picture {
			picture[i] = byte(min(max(float64(picture[i])+8*rng.NormFloat64(), 0), 255))
		}
		if mirror {
			for row := 0; row < size; row += blotSide {
				slices.Reverse(picture[row : row+blotSide])
			}
		}
		all = append(all, picture...)
	}
	return all
}

// asFolder writes pictures without labels as IDX files, and test images unless there are none.
func asFolder(t *testing.T, train, test []byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []struct {
		name   string
		pixels []byte
	}{{"train", train}, {"t10k", test}} {
		if n := len(part.pixels) / (blotSide * blotSide); n > 0 {
			roomtest.WriteIDX(t, filepath.Join(dir, part.name+"-images-idx3-ubyte"), part.pixels, n, blotSide, blotSide)
		}
	}
	return dir
}

// Copies of training images are found, as they are and mirrored, and fresh images are not copies.
func TestEvaluateFindsCopies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	train := blots(rng, 200)
	data := asFolder(t, train, blots(rng, 120))
	for _, c := range []struct {
		name   string
		images []byte
		want   string
	}{
		{"copies", copiesOf(rng, train, 300, false), metrics.CopiesFound},
		{"mirrored copies", copiesOf(rng, train, 300, true), metrics.CopiesFound},
		{"fresh", blots(rng, 300), metrics.CopiesNotFound},
	} {
		e := mustEvaluate(t, Options{
			Images: asFolder(t, c.images, nil), Data: data, Judges: []string{judge.RandomName},
			Sample: sample.Options{Seed: 1, Threads: 2},
		})
		if got := e.Copying; got.Verdict != c.want || got.Pixels.HeldOut != 120 || got.Pixels.Training != 200 {
			t.Errorf("%s: %+v, by pixels %+v, by features %+v", c.name, got, got.Pixels, got.Features)
		}
		if e.SelfJudge != nil || e.Halves != 0 {
			t.Errorf("%s: a judge was trained, or images were halved", c.name)
		}
	}
}

// blotRun writes a run folder with a model of blots with its first weights.
func blotRun(t *testing.T, meta model.Meta) string {
	t.Helper()
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ImageSize = [2]int{blotSide, blotSide}
	net, err := unet.New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, model.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	meta.PixelRange, meta.Path, meta.Objective = [2]float64{-1, 1}, "linear", "velocity"
	if err := model.WriteCheckpoint(file, net, net.Params().Values, safetensors.F32, meta); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A run on images without labels has a judge of its own, which its folder keeps. Scores repeat,
// for any number of threads.
func TestEvaluateTrainsJudge(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	data := asFolder(t, blots(rng, 150), blots(rng, 110))
	folder := blotRun(t, model.Meta{Data: data})
	trained := 0
	o := Options{
		Model: folder, JudgeSteps: 2, Count: 100,
		Sample:  sample.Options{Seed: 1, Threads: 2, Method: model.Method{Solver: "euler", Steps: 1}},
		OnEvent: func(e pipeline.Event) { trained += strings.Count(e.Text, "training a judge") },
	}
	first := mustEvaluate(t, o)
	kept := filepath.Join(folder, JudgeFile)
	if j := first.SelfJudge; j == nil || j.File != kept || j.Images != 75 || j.Steps != 2 || trained != 1 {
		t.Fatalf("judge %+v, trained %d times", j, trained)
	}
	if names := first.Panel.Judges; len(names) != 2 || names[0].Judge != judge.SelfName || names[1].Judge != judge.RandomName {
		t.Errorf("panel %+v", names)
	}
	o.Sample.Threads = 1
	again := mustEvaluate(t, o)
	if trained != 1 || again.SelfJudge.Hash != first.SelfJudge.Hash || *again.FID != *first.FID ||
		*again.Copying.Pixels != *first.Copying.Pixels || *again.Copying.Features != *first.Copying.Features {
		t.Errorf("trained %d times; %s, then %s", trained, asJSON(t, first), asJSON(t, again))
	}
	// A file that is spoilt is made anew in a run folder, and is a mistake where it was named.
	if err := os.WriteFile(kept, []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := o
	named.JudgeFile = kept
	_, err := Evaluate(t.Context(), named)
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "judge-file" {
		t.Errorf("a spoilt judge: %v", err)
	}
	if e := mustEvaluate(t, o); trained != 2 || e.SelfJudge.Hash != first.SelfJudge.Hash {
		t.Errorf("trained %d times, judge %+v", trained, e.SelfJudge)
	}
	// Another data set meets the judge that is named, and trains its own otherwise.
	o.Data = asFolder(t, blots(rng, 120), blots(rng, 100))
	named = o
	named.JudgeFile = kept
	if e := mustEvaluate(t, named); trained != 2 || e.SelfJudge.Hash != first.SelfJudge.Hash {
		t.Errorf("trained %d times, judge %+v", trained, e.SelfJudge)
	}
	if e := mustEvaluate(t, o); trained != 3 || e.SelfJudge.Hash == first.SelfJudge.Hash || e.SelfJudge.File != "" {
		t.Errorf("trained %d times, judge %+v", trained, e.SelfJudge)
	}
}

// Where few images are held out, training images are halved, and copies are not ruled out. Too few
// images are a mistake.
func TestEvaluateHalves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	images := asFolder(t, blots(rng, 150), nil)
	o := Options{Images: images, Sample: sample.Options{Seed: 1, Threads: 2}}
	for _, c := range []struct{ train, test, halves int }{{81, 3, 40}, {44, 0, 21}} {
		o.Data = asFolder(t, blots(rng, c.train), blots(rng, c.test))
		o.JudgeSteps = 1
		e := mustEvaluate(t, o)
		if e.Halves != c.halves || e.References != c.halves || e.Copying == nil || e.Copying.Verdict != metrics.CopiesUnknown {
			t.Errorf("%+v: %s", c, asJSON(t, e))
		}
	}
	o.Data = asFolder(t, blots(rng, 30), nil)
	_, err := Evaluate(t.Context(), o)
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "data" {
		t.Errorf("30 images: %v", err)
	}
}
