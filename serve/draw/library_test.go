package draw

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// one asks for an image of a model.
func one(name string) Request { return Request{Model: name, Sample: sample.Options{Seed: 2}} }

// names returns the names of the models of a service.
func names(s *Service) []string {
	var list []string
	for _, m := range s.Models() {
		list = append(list, m.Name)
	}
	return list
}

// Runs come first, the newest before the others, then the models of the program. A file that is not
// a model, and what is not a run, are left out.
func TestModels(t *testing.T) {
	runs := runsFolder(t)
	writeRun(t, []byte("nothing"), runs, "broken", model.File)
	writeRun(t, []byte("{}"), runs, "empty", "config.json")
	writeRun(t, []byte("text"), runs, ".", "notes.txt")
	for i, run := range []string{"flowed", "plain", "small"} {
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(filepath.Join(runs, run, model.File), at, at); err != nil {
			t.Fatal(err)
		}
	}
	named := roomtest.NamedModel(t)
	s := newService(t, Options{Runs: runs, Models: []string{named, "mnist-fast"}})
	if got, want := names(s), []string{named, "mnist-fast", small, plain, flowed, "mnist", "emoji"}; !slices.Equal(got, want) {
		t.Errorf("models %q, want %q", got, want)
	}
	for _, name := range []string{"runs/broken", "runs/empty", "runs/none", "runs/../runs/small", filepath.Join(runs, "small"), "."} {
		if _, err := s.Model(name); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := s.Do(t.Context(), one(name)); err == nil || name != "runs/broken" && !errors.Is(err, ErrNoModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A model is described by the header of its file.
func TestDescription(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t)})
	find := func(name string) Model {
		m, err := s.Model(name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := find(small); m.Kind != "velocity" || !slices.Equal(m.Classes, []string{"0", "1", "2"}) || !m.NoClass ||
		m.Guidance != model.DefaultGuidance || m.Solver != "abm2" || m.Steps != 8 || !m.Edits || !m.Likelihood ||
		!m.Trajectory || m.StepChoices != nil || m.Shape.Len() != 64 || m.Embedded || m.Loaded || m.Hash != "" {
		t.Errorf("%+v", m)
	}
	if m := find(plain); m.Classes != nil || m.NoClass || m.Guidance != 0 {
		t.Errorf("%+v", m)
	}
	if m := find(flowed); m.Kind != "normalizing-flow" || m.Edits || !m.Likelihood || m.Trajectory || m.Solvers != nil || m.Steps != 0 {
		t.Errorf("%+v", m)
	}
	if m := find("mnist-fast"); m.Kind != "flow-map" || m.Edits || m.Likelihood || !m.Embedded || m.Solver != "" ||
		!slices.Contains(m.StepChoices, m.Steps) || len(m.Classes) != 10 {
		t.Errorf("%+v", m)
	}
	got, err := s.Do(t.Context(), one(small))
	if err != nil {
		t.Fatal(err)
	}
	if m := find(small); !m.Loaded || m.Hash != got.Texts[2][1] || got.Model.Name != small {
		t.Errorf("loaded %v, hash %s, of %q", m.Loaded, m.Hash, got.Texts)
	}
}

// Of the models that nobody uses, those that were used last stay in memory. One in use stays, too.
func TestMemory(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t), Memory: 1})
	for _, name := range []string{small, plain, small} {
		if _, err := s.Do(t.Context(), one(name)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "one model in memory", func() bool { return s.Stats().Loaded == 1 })
		if m, err := s.Model(name); err != nil || !m.Loaded {
			t.Errorf("%s was let go: %v", name, err)
		}
	}
	if n := s.Stats().Loads; n != 3 {
		t.Errorf("%d loads, want 3", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := s.Do(ctx, long(2)); done <- err }()
	eventually(t, "two images", func() bool { return s.Stats().Waiting == 2 })
	if _, err := s.Do(t.Context(), one(plain)); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Model(small); err != nil || !m.Loaded {
		t.Errorf("a model in use was let go: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "one model in memory", func() bool { return s.Stats().Loaded == 1 })
}

// A model is loaded once for all who ask at the same time.
func TestLoadedOnce(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t)})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.Do(t.Context(), one(small)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if stats := s.Stats(); stats.Loads != 1 || stats.Loaded != 1 || stats.Bytes < 1000 {
		t.Errorf("%+v", stats)
	}
}

// A file that has changed is loaded anew, and one that is broken meanwhile is an error.
func TestChangedFile(t *testing.T) {
	runs := runsFolder(t)
	s := newService(t, Options{Runs: runs})
	draw := func() []float32 {
		got, err := s.Do(t.Context(), one(small))
		if err != nil {
			t.Fatal(err)
		}
		return got.Images.Pixels
	}
	first := draw()
	writeRun(t, []byte("half of it"), runs, "small", model.File)
	if _, err := s.Do(t.Context(), one(small)); err == nil {
		t.Error("a broken file: no error")
	}
	if _, err := s.Do(t.Context(), one(plain)); err != nil {
		t.Errorf("another model: %v", err)
	}
	copyRun(t, roomtest.SmallModel(t, true, 0.08), runs, "small", model.File)
	second := draw()
	want, _ := drawnAlone(t, runs, one(small))
	if slices.Equal(first, second) || !slices.Equal(second, want) {
		t.Error("the old model draws on")
	}
	if n := s.Stats().Loaded; n != 2 {
		t.Errorf("%d models in memory, want plain and the new small", n)
	}
}
