package draw

import (
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// mixed are requests of all kinds of networks and solvers.
func mixed() []Request {
	options := func(count int, seed uint64, class string, m model.Method) sample.Options {
		return sample.Options{Count: count, Seed: seed, Class: class, Method: m}
	}
	return []Request{
		{Model: small, Sample: options(5, 1, "", model.Method{})},
		{Model: small, Sample: options(3, 2, "0-2", model.Method{Solver: "dopri5", Tol: 1e-3, Guidance: 3})},
		{Model: small, Sample: options(4, 3, "1", model.Method{Solver: "sde", Steps: 9})},
		{Model: small, Sample: options(9, 4, "none", model.Method{Solver: "heun", Steps: 5})},
		{Model: small, Sample: options(6, 5, "1,2", model.Method{Guidance: 4, Interval: model.Interval{0.2, 0.7}})},
		{Model: small, Guide: "auto", Sample: options(4, 6, "", model.Method{Guidance: 2, Solver: "midpoint", Steps: 4})},
		{Model: small, Sample: options(5, 7, "0", model.Method{Guidance: 3, GuidanceEvery: 3})},
		{Model: small, Guide: plain, Sample: options(4, 6, "2", model.Method{Interval: model.Interval{0.3, 1}})},
		{Model: plain, Sample: options(7, 7, "", model.Method{Solver: "rk4", Steps: 3})},
		{Model: plain, Sample: options(2, 8, "", model.Method{Solver: "ddim", Steps: 6})},
		{Model: flowed, Sample: options(11, 9, "", model.Method{})},
		{Model: "mnist-fast", Sample: options(3, 10, "7", model.Method{})},
		{Model: "mnist-fast", Sample: options(2, 11, "", model.Method{Steps: 1})},
	}
}

// Images have the bytes that they have alone, whatever else is drawn at the same time.
func TestSameBytes(t *testing.T) {
	runs := runsFolder(t)
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runs})
	var all sync.WaitGroup
	for _, r := range mixed() {
		want, texts := drawnAlone(t, runs, r)
		for range 2 {
			all.Go(func() {
				got, err := s.Do(t.Context(), r)
				if err != nil {
					t.Errorf("%s %+v: %v", r.Model, r.Sample.Method, err)
					return
				}
				if !slices.Equal(got.Images.Pixels, want) || !slices.Equal(got.Texts, texts) {
					t.Errorf("%s %+v: other images than alone, or other texts: %v", r.Model, r.Sample.Method, got.Texts)
				}
			})
		}
	}
	all.Wait()
}

// drawnAlone draws what a request asks for as the command does.
func drawnAlone(t *testing.T, runs string, r Request) (pixels []float32, texts []picture.Text) {
	t.Helper()
	ck := aloneModel(t, runs, r.Model)
	o := r.Sample
	if r.Guide != "" {
		name := r.Guide
		if run, ok := cutRun(name); ok {
			name = runs + "/" + run
		}
		var err error
		if o.Guide, err = ck.OpenGuide(name, pipeline.Arithmetic{}); err != nil {
			t.Fatal(err)
		}
	}
	o.Threads = 2
	sampler, err := sample.NewSampler(ck, o)
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Close()
	images, err := sampler.Draw(t.Context(), 0, sampler.Options().Count)
	if err != nil {
		t.Fatal(err)
	}
	return images.Pixels, sampler.Texts(images)
}

// A model draws with the guide that its run has kept, and is listed with its weight, as by the
// command. So does a model that is part of the program and has a guide. A weight of guidance does
// without.
func TestKeptGuide(t *testing.T) {
	runs := runsFolder(t)
	for name, steps := range map[string]int{model.File: 2700, model.GuideFile: 337} {
		c := roomtest.SmallCheckpoint
		c.Steps, c.Spread = steps, float64(steps)/30000
		writeRun(t, c.Bytes(), runs, "trained", name)
	}
	s := newService(t, Options{Runs: runs})
	for _, name := range []string{"runs/trained", "mnist"} {
		at := slices.IndexFunc(s.Models(), func(m Model) bool { return m.Name == name })
		if got := s.Models()[at].Guidance; got != model.DefaultGuideWeight {
			t.Errorf("%s is listed with guidance %v", name, got)
		}
		for guide, m := range map[string]model.Method{model.AutoGuide: {}, "": {Guidance: 1.2}} {
			r := Request{Model: name, Sample: sample.Options{Count: 3, Seed: 5, Class: "1", Method: m}}
			alone := r
			alone.Guide = guide
			want, texts := drawnAlone(t, runs, alone)
			got, err := s.Do(t.Context(), r)
			if err != nil || !slices.Equal(got.Images.Pixels, want) || !slices.Equal(got.Texts, texts) {
				t.Errorf("%s, %+v: other images than with the guide %q, %v", name, m, guide, err)
			} else if noted := len(got.Notes) > 0; noted != (guide != "") {
				t.Errorf("%s, %+v: notes %v", name, m, got.Notes)
			}
		}
	}
}
