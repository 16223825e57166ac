package sample

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// opened opens a model.
func opened(t *testing.T, path string) *model.Checkpoint {
	t.Helper()
	ck, err := model.Open(path, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return ck
}

// guidedBy makes a model and a weaker one its guide, with and without classes.
func guidedBy(t *testing.T, classes, guideClasses bool) (*model.Checkpoint, *model.Guide) {
	t.Helper()
	ck := opened(t, roomtest.SmallModel(t, classes, 0.1))
	guide, err := ck.OpenGuide(roomtest.SmallModel(t, guideClasses, 0.05), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return ck, guide
}

// pixels draws images of a model.
func pixels(t *testing.T, ck *model.Checkpoint, o Options) (x []float32, evaluations float64) {
	t.Helper()
	s, err := NewSampler(ck, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	images, err := s.Draw(t.Context(), 0, o.Count)
	if err != nil {
		t.Fatal(err)
	}
	return images.Pixels, s.Evaluations()
}

// With one step of Euler's method, a guide of weight W and of all of the share gives x + v_guide +
// W(v − v_guide), for models with and without classes, and for images of no class.
func TestGuide(t *testing.T) {
	for _, c := range []struct {
		classes, guideClasses bool
		class, guideClass     string
	}{
		{true, true, "1", "1"}, {true, true, "none", "none"}, {false, false, "", ""},
		{true, false, "2", ""}, {false, true, "", "none"},
	} {
		ck, guide := guidedBy(t, c.classes, c.guideClasses)
		one := func(ck *model.Checkpoint, class string, w float64, g *model.Guide) []float32 {
			m := model.Method{Solver: "euler", Steps: 1, Guidance: w, Guide: g}
			if g != nil {
				m.GuideShare = 1
			}
			x, _ := pixels(t, ck, Options{Count: 1, Class: class, Method: m})
			return x
		}
		own, away, guided := one(ck, c.class, 1, nil), one(guide.Checkpoint, c.guideClass, 1, nil), one(ck, c.class, 3, guide)
		for i := range guided {
			if want := away[i] + 3*(own[i]-away[i]); math.Abs(float64(guided[i]-want)) > 1e-5 {
				t.Fatalf("%+v: pixel %d is %v, want %v", c, i, guided[i], want)
			}
		}
		if slices.Equal(own, away) {
			t.Error("the guide draws as the model does: the test proves nothing")
		}
		if !slices.Equal(one(ck, c.class, 1, guide), own) || !slices.Equal(one(ck, c.class, 0, guide), one(ck, c.class, model.DefaultGuideWeight, guide)) {
			t.Errorf("%+v: the weight 1 guides, or the default is another", c)
		}
	}
}

// A guide of the share S leads away from S of it and 1 − S of no class, which is another
// evaluation. That is the default of models that were trained without a class too.
func TestGuideShare(t *testing.T) {
	ck, guide := guidedBy(t, true, true)
	one := func(ck *model.Checkpoint, class string, m model.Method) ([]float32, float64) {
		m.Solver, m.Steps = "euler", 1
		return pixels(t, ck, Options{Count: 1, Class: class, Method: m})
	}
	own, _ := one(ck, "1", model.Method{Guidance: 1})
	none, _ := one(ck, "none", model.Method{Guidance: 1})
	away, _ := one(guide.Checkpoint, "1", model.Method{Guidance: 1})
	for _, share := range []float64{0.25, 0} {
		s := share
		option.SetDefault(&s, model.DefaultGuideShare)
		guided, evaluations := one(ck, "1", model.Method{Guidance: 3, Guide: guide, GuideShare: share})
		if evaluations != 3 {
			t.Errorf("share %v: %v evaluations", share, evaluations)
		}
		for i := range guided {
			from := s*float64(away[i]) + (1-s)*float64(none[i])
			if want := from + 3*(float64(own[i])-from); math.Abs(float64(guided[i])-want) > 1e-5 {
				t.Fatalf("share %v: pixel %d is %v, want %v", share, i, guided[i], want)
			}
		}
	}
	for _, c := range []struct {
		classes bool
		m       model.Method
	}{
		{true, model.Method{GuideShare: 0.5}}, {false, model.Method{Guide: guide, GuideShare: 0.5}},
		{true, model.Method{Guide: guide, GuideShare: 1.5}}, {true, model.Method{Guide: guide, GuideShare: -1}},
	} {
		of := opened(t, roomtest.SmallModel(t, c.classes, 0.1))
		_, err := NewSampler(of, Options{Method: c.m})
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "guide-share" {
			t.Errorf("%+v: %v", c.m, err)
		}
	}
}

// A model that was trained with and without classes draws with the guide that its run has kept,
// unless something says how it is guided, the model was trained for no longer, or the guide for too
// short a time. A guide that cannot be read is an error that says how to do without.
func TestUsualGuide(t *testing.T) {
	for _, c := range []struct {
		name              string
		classes           bool
		steps, guideSteps int
		guide             string
		method            model.Method
		guided            bool
		weight, share     float64
	}{
		{name: "classes", classes: true, steps: 2700, guideSteps: 337, guided: true, weight: model.DefaultGuideWeight, share: model.DefaultGuideShare},
		{name: "no classes", steps: 2700, guideSteps: 337, weight: 1},
		{name: "another weight", classes: true, steps: 2700, guideSteps: 337, method: model.Method{Guidance: 1.3}, weight: 1.3},
		{name: "another share", classes: true, steps: 2700, guideSteps: 337, method: model.Method{Guidance: 1.3, GuideShare: 0.5}, guided: true, weight: 1.3, share: 0.5},
		{name: "an interval", classes: true, steps: 2700, guideSteps: 337, method: model.Method{Interval: model.Interval{0.2, 0.7}}, weight: model.DefaultGuidance},
		{name: "none", classes: true, steps: 2700, guideSteps: 337, guide: model.NoGuide, weight: model.DefaultGuidance},
		{name: "auto", classes: true, steps: 2700, guideSteps: 337, guide: model.AutoGuide, method: model.Method{Guidance: 1.3}, guided: true, weight: 1.3, share: model.DefaultGuideShare},
		{name: "a guide of few steps", classes: true, steps: 675, guideSteps: 84, weight: model.DefaultGuidance},
		{name: "a run that was stopped", classes: true, steps: 337, guideSteps: 337, weight: model.DefaultGuidance},
	} {
		dir := t.TempDir()
		for name, steps := range map[string]int{model.File: c.steps, model.GuideFile: c.guideSteps} {
			cp := roomtest.Checkpoint{}
			if c.classes {
				cp = roomtest.SmallCheckpoint
			}
			cp.Steps, cp.Spread = steps, float64(name[0])/1000
			if err := os.WriteFile(filepath.Join(dir, name), cp.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ck := opened(t, dir)
		g, err := ck.OpenUsualGuide(c.guide, c.method, pipeline.Arithmetic{})
		if err != nil || (g != nil) != c.guided {
			t.Errorf("%s: guide %v, %v", c.name, g, err)
			continue
		}
		c.method.Guide = g
		m, err := ck.SettleGuidance(ck.Path, c.method)
		if err != nil || m.Guidance != c.weight || m.GuideShare != c.share {
			t.Errorf("%s: weight %v, share %v, %v; want %v, %v", c.name, m.Guidance, m.GuideShare, err, c.weight, c.share)
		}
		if err := os.WriteFile(filepath.Join(dir, model.GuideFile), []byte("no model"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = ck.OpenUsualGuide("", model.Method{}, pipeline.Arithmetic{})
		if c.classes != (err != nil && strings.Contains(err.Error(), "guide none draws without it")) {
			t.Errorf("%s: a broken guide is %v", c.name, err)
		}
	}
}

// Abm2 and adams2 compute guidance in every second step where its weight is near 1 and leads away
// from no class on the linear path. Where a guide has a share of that, they do so in every third,
// and in an interval, unless the method says when or how often. What is held changes the image. A
// picture's text says how often.
func TestGuidanceEvery(t *testing.T) {
	ck, guide := guidedBy(t, true, true)
	curved, onCosine := *ck, *ck.UNet()
	onCosine.Predicts.Path = flow.Cosine{}
	curved.Network = &onCosine
	drawn := map[int][]float32{}
	for _, c := range []struct {
		ck          *model.Checkpoint
		m           model.Method
		every       int
		evaluations float64
	}{
		{ck, model.Method{Guidance: 1.15, Steps: 5}, 2, 8},
		{ck, model.Method{Guidance: 0.75, Steps: 5}, 2, 8},
		{ck, model.Method{Guidance: 1.15, Steps: 5, Solver: "adams2"}, 2, 8},
		{ck, model.Method{Guidance: 1.15, Steps: 5, GuidanceEvery: 1}, 1, 10},
		{ck, model.Method{Guidance: 1.15, Steps: 5, GuidanceEvery: 4}, 4, 7},
		{ck, model.Method{Guidance: 1.3, Steps: 5}, 1, 10},
		{ck, model.Method{Guidance: 1, Steps: 5}, 1, 5},
		{ck, model.Method{Guidance: 1.15, Steps: 5, Solver: "euler"}, 1, 10},
		{ck, model.Method{Guidance: 1.15, Steps: 5, Guide: guide, GuideShare: 1}, 1, 10},
		{ck, model.Method{Steps: 5, Guide: guide}, 3, 9},
		{ck, model.Method{Guide: guide}, 3, 12},
		{ck, model.Method{Guide: guide, Interval: model.WholeWay()}, 3, 14},
		{ck, model.Method{Guide: guide, GuidanceEvery: 3}, 3, 14},
		{ck, model.Method{Guide: guide, Solver: "midpoint"}, 1, 96},
		{ck, model.Method{Guidance: 1.6, Steps: 5, Guide: guide}, 1, 15},
		{&curved, model.Method{Guidance: 1.15, Steps: 5}, 1, 10},
	} {
		s, err := NewSampler(c.ck, Options{Method: c.m, Count: 1, Class: "1"})
		if err != nil {
			t.Fatal(err)
		}
		images, err := s.Draw(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Options().GuidanceEvery; got != c.every || s.Evaluations() != c.evaluations {
			t.Errorf("%+v: every %d, %v evaluations, want %d, %v", c.m, got, s.Evaluations(), c.every, c.evaluations)
		}
		noted := slices.Contains(s.Texts(images), picture.Text{"fmimg.guidance-every", fmt.Sprint(c.every)})
		if noted != (c.every > 1) {
			t.Errorf("%+v: texts %v", c.m, s.Texts(images))
		}
		if c.m.Guidance == 1.15 && c.m.Solver == "" && c.m.Guide == nil && c.ck == ck {
			drawn[c.every] = images.Pixels
		}
		s.Close()
	}
	if slices.Equal(drawn[1], drawn[2]) || slices.Equal(drawn[2], drawn[4]) {
		t.Error("images do not depend on how often guidance is computed")
	}
	for _, m := range []model.Method{{GuidanceEvery: -1}, {GuidanceEvery: 2, Guidance: 1}, {GuidanceEvery: 2, Solver: "dopri5"}} {
		_, err := NewSampler(ck, Options{Method: m})
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "guidance-every" {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// A guided image is the same to the bit beside any other images and for any number of threads, and
// its evaluations are counted: exactly those that the method says for solvers of fixed steps, and
// fewer than twice as many for dopri5, whose images reach the interval at times of their own.
func TestGuidedImagesAndEvaluations(t *testing.T) {
	ck, guide := guidedBy(t, true, true)
	for _, within := range []model.Interval{{}, {0.2, 0.75}} {
		for _, by := range []*model.Guide{nil, guide} {
			for _, solver := range []string{"abm2", "adams2", "heun", "sde", "dopri5"} {
				name := fmt.Sprint(solver, " within ", within, ", a guide: ", by != nil)
				m := model.Method{Solver: solver, Guidance: 3, Interval: within, Guide: by}
				m.Steps, m.GuidanceEvery = 4, 3
				if solver == "dopri5" {
					m.Steps, m.GuidanceEvery, m.Tol = 0, 1, 0.1
				}
				o := Options{Count: 7, Threads: 1, Class: "0,1,none", Method: m}
				all, evaluations := pixels(t, ck, o)
				o.Threads = 3
				again, evaluationsAgain := pixels(t, ck, o)
				if !slices.Equal(all, again) || evaluations != evaluationsAgain {
					t.Errorf("%s: other images by more threads: %v and %v evaluations", name, evaluations, evaluationsAgain)
				}
				s, err := NewSampler(ck, o)
				if err != nil {
					t.Fatal(err)
				}
				alone, err := s.Draw(t.Context(), 5, 1)
				settled := s.Options().Method
				s.Close()
				if d := len(all) / o.Count; err != nil || !slices.Equal(alone.Pixels, all[5*d:6*d]) {
					t.Errorf("%s: another image alone, %v", name, err)
				}
				if solver != "dopri5" && evaluations != float64(settled.Evaluations(settled.Steps)) {
					t.Errorf("%s: %v evaluations, want %d", name, evaluations, settled.Evaluations(settled.Steps))
				}
			}
		}
	}
}

// dopri5 runs the second network for the images inside of the interval, and for these alone.
func TestAdaptiveEvaluations(t *testing.T) {
	ck, _ := guidedBy(t, true, true)
	count := func(guidance float64, within model.Interval) float64 {
		_, n := pixels(t, ck, Options{Count: 6, Method: model.Method{Solver: "dopri5", Tol: 0.01, Guidance: guidance, Interval: within}})
		return n
	}
	plain, whole, part := count(1, model.Interval{}), count(1.0001, model.Interval{}), count(1.0001, model.Interval{0.4, 0.6})
	if whole != 2*plain || part <= plain || part >= 0.8*whole {
		t.Errorf("%v evaluations, %v with guidance, %v with guidance for a part of the way", plain, whole, part)
	}
}

// A picture says by which guide and in which interval it was drawn. Guidance of the whole way says
// no more than its weight.
func TestGuidanceIsNoted(t *testing.T) {
	modelPath, guidePath := roomtest.SmallModel(t, true, 0.1), roomtest.SmallModel(t, true, 0.05)
	texts := func(guide string, within model.Interval) map[string]string {
		var stdout bytes.Buffer
		o := GenerateOptions{Model: modelPath, Guide: guide, Out: "-", Stdout: &stdout}
		o.Sample = Options{Count: 1, Method: model.Method{Steps: 4, Guidance: 2, Interval: within}}
		if _, err := Generate(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, text := range roomtest.ReadTexts(t, stdout.Bytes()) {
			all[text[0]] = text[1]
		}
		return all
	}
	both := texts(guidePath, model.Interval{0.2, 0.75})
	if both["fmimg.guidance"] != "2" || both["fmimg.guidance-interval"] != "0.2,0.75" || both["fmimg.guide"] != roomtest.DataHash(t, guidePath) {
		t.Errorf("texts %v", both)
	}
	for key := range texts("", model.Interval{0, 1}) {
		if key == "fmimg.guidance-interval" || key == "fmimg.guide" {
			t.Errorf("guidance of the whole way has the text %s", key)
		}
	}
}

// A run folder stands for the guide that it has kept, else for its model, and so does the name of a
// model that is part of the program. auto is the guide that the run of the model has kept.
func TestOpenGuide(t *testing.T) {
	write := func(path string, spread float64) {
		c := roomtest.SmallCheckpoint
		c.Spread = spread
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, c.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write(filepath.Join(dir, "run", model.File), 0.1)
	write(filepath.Join(dir, "run", model.GuideFile), 0.05)
	write(filepath.Join(dir, "short", model.File), 0.02)
	ck := opened(t, filepath.Join(dir, "run"))
	for name, want := range map[string]string{
		"":                                      "",
		"auto":                                  filepath.Join(dir, "run", model.GuideFile),
		filepath.Join(dir, "run"):               filepath.Join(dir, "run", model.GuideFile),
		filepath.Join(dir, "short"):             filepath.Join(dir, "short", model.File),
		filepath.Join(dir, "short", model.File): filepath.Join(dir, "short", model.File),
	} {
		guide, err := ck.OpenGuide(name, pipeline.Arithmetic{})
		if got := (model.Method{Guide: guide}).GuideName(); err != nil || got != want {
			t.Errorf("%q is %q, want %q: %v", name, got, want, err)
		}
	}
	mnist := opened(t, "mnist")
	for name, want := range map[string]string{"auto": "mnist's guide", "mnist": "mnist's guide", "none": ""} {
		guide, err := mnist.OpenGuide(name, pipeline.Arithmetic{})
		if got := (model.Method{Guide: guide}).GuideName(); err != nil || got != want {
			t.Errorf("%q of mnist is %q, want %q: %v", name, got, want, err)
		}
	}
}

// A guide that does not fit to the model is an error of one line about the option.
func TestGuideErrors(t *testing.T) {
	small, none := roomtest.SmallModel(t, true, 0.1), roomtest.SmallModel(t, false, 0.1)
	for _, c := range []struct{ model, guide, want string }{
		{small, small, "is the model itself"},
		{small, "mnist", "draws 28x28 in 1 channel, and model"},
		{small, "mnist-fast", "is a flow map"},
		{small, "auto", "has kept none: name one, or train with keep-guide 0.125"},
		{"emoji", "auto", "model emoji has kept none"},
		{small, roomtest.NamedModel(t), "does not have the class 0 of model"},
		{small, roomtest.NoNullClass(t), "always needs a class, and model " + small + " draws without one too"},
		{none, roomtest.NoNullClass(t), "always needs a class, and model " + none + " takes none"},
		{"mnist-fast", "mnist", "model mnist-fast is a flow map"},
		{"mnist-fast", "auto", "model mnist-fast has kept none"},
	} {
		o := GenerateOptions{Model: c.model, Guide: c.guide, Out: filepath.Join(t.TempDir(), "a.png")}
		_, err := Generate(t.Context(), o)
		wrong, ok := errors.AsType[*pipeline.OptionError](err)
		if !ok || wrong.Option != "guide" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s by %s: %v, want %s", c.model, c.guide, err, c.want)
		}
	}
	o := GenerateOptions{Model: none, Out: filepath.Join(t.TempDir(), "a.png")}
	o.Sample.Interval = model.Interval{0.2, 0.75}
	if _, err := Generate(t.Context(), o); err == nil || !strings.Contains(err.Error(), "guidance-interval 0.2,0.75: model "+none+" has no guidance") {
		t.Errorf("an interval without guidance: %v", err)
	}
}

// Ranks that have the same model and not the same guide, such as that of a run on the disk of one
// of them alone, are an error on all.
func TestRanksOfDifferentGuides(t *testing.T) {
	ck, guide := guidedBy(t, true, true)
	for _, other := range []*model.Guide{guide, nil} {
		guides, errs := []*model.Guide{guide, other}, make([]error, 2)
		var both sync.WaitGroup
		for rank, comm := range cluster.InProcess(2) {
			both.Go(func() { errs[rank] = CompareRanks(comm, ck, guides[rank], pipeline.Arithmetic{}) })
		}
		both.Wait()
		for rank, err := range errs {
			if differ := err != nil && strings.Contains(err.Error(), "and a guide with"); differ != (other == nil) || err != nil && !differ {
				t.Errorf("rank %d: %v", rank, err)
			}
		}
	}
}
