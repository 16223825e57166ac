package pipeline

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// A model may come from a path, a reader or a file system, and draws the same images.
func TestLoadFromAnywhere(t *testing.T) {
	model := saveTrained(t)
	text, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	opened, err1 := OpenCheckpoint(model, "")
	read, err2 := ReadCheckpoint(bytes.NewReader(text), "")
	found, err3 := OpenCheckpointFS(os.DirFS(filepath.Dir(model)), filepath.Base(model), "")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	s, err := NewSampler(opened, SampleOptions{Count: 3, Steps: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, err := s.Draw(context.Background(), 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, ck := range []*Checkpoint{opened, read, found} {
		got, err := ck.Sample(context.Background(), SampleOptions{Count: 3, Steps: 2})
		if err != nil || !slices.Equal(got.Pixels, want.Pixels) {
			t.Errorf("from %q: other images, %v", ck.Path, err)
		}
	}
	_, err1 = OpenCheckpointFS(os.DirFS(filepath.Dir(model)), "none.safetensors", "")
	_, err2 = ReadCheckpoint(bytes.NewReader(text[:100]), "")
	_, err3 = ReadCheckpoint(bytes.NewReader(text), "mmx")
	if !errors.Is(err1, os.ErrNotExist) || err2 == nil || err3 == nil {
		t.Errorf("errors %v, %v, %v", err1, err2, err3)
	}
}

// One checkpoint draws for many callers at once, each as if alone.
func TestSampleSideBySide(t *testing.T) {
	noLeaks(t)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			o := SampleOptions{Count: 2 + i%3, Steps: 2, Seed: uint64(i), Threads: 1 + i%2}
			images, err := trained().Sample(context.Background(), o)
			if err != nil {
				t.Error(err)
				return
			}
			s, err := NewSampler(trained(), o)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if want, err := s.Draw(context.Background(), 0, o.Count); err != nil || !slices.Equal(images.Pixels, want.Pixels) {
				t.Errorf("caller %d: other images, %v", i, err)
			}
		})
	}
	callers.Wait()
}

// A caller who cancels has its thread back at once, even in the middle of an evaluation that takes long; no
// event comes after that, and the workers end.
func TestSampleEndsWithItsContext(t *testing.T) {
	before := runtime.NumGoroutine()
	cfg, err := unet.Preset("base")
	if err != nil {
		t.Fatal(err)
	}
	isa, err := kernels.Parse("generic") // which makes an evaluation long
	if err != nil {
		t.Fatal(err)
	}
	model, err := unet.New(cfg, isa, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	ck := &Checkpoint{Model: model}
	ctx, cancel := context.WithCancel(context.Background())
	evaluating := func() bool {
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("unet.(*Replica).Forward"))
	}
	go func() {
		defer cancel()
		for !evaluating() {
			time.Sleep(time.Millisecond)
		}
	}()
	images, err := ck.Sample(ctx, SampleOptions{Count: 1, OnEvent: func(Event) {}})
	if images != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	if !evaluating() {
		t.Error("Sample returned after the evaluation, not in the middle of it")
	}
	within(t, time.Minute, func() {
		for runtime.NumGoroutine() > before+1 { // one is this
			time.Sleep(10 * time.Millisecond)
		}
	})
	if _, err := ck.Sample(ctx, SampleOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestSampleOptionErrors(t *testing.T) {
	for option, o := range map[string]SampleOptions{
		"count": {Count: 1 << 23}, "steps": {Steps: -1}, "class": {Class: "7"}, "solver": {Solver: "rk9"},
	} {
		_, err := trained().Sample(context.Background(), o)
		if wrong, ok := errors.AsType[*OptionError](err); !ok || wrong.Option != option {
			t.Errorf("error %v, want one about %s", err, option)
		}
	}
}
