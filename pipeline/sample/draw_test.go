package sample

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

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// A model draws the same images whether it comes from a path, a reader or a file system.
func TestLoadFromAnywhere(t *testing.T) {
	modelPath := roomtest.NamedModel(t)
	text, err := os.ReadFile(modelPath)
	if err != nil {
		t.Fatal(err)
	}
	opened, err1 := model.Open(modelPath, pipeline.Arithmetic{})
	read, err2 := model.Read(bytes.NewReader(text), pipeline.Arithmetic{})
	found, err3 := model.OpenFS(os.DirFS(filepath.Dir(modelPath)), filepath.Base(modelPath), pipeline.Arithmetic{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	s, err := NewSampler(opened, Options{Count: 3, Method: model.Method{Steps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, err := s.Draw(context.Background(), 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, ck := range []*model.Checkpoint{opened, read, found} {
		got, err := Draw(context.Background(), ck, Options{Count: 3, Method: model.Method{Steps: 2}})
		if err != nil || !slices.Equal(got.Pixels, want.Pixels) {
			t.Errorf("from %q: other images, %v", ck.Path, err)
		}
	}
	_, err1 = model.OpenFS(os.DirFS(filepath.Dir(modelPath)), "none.safetensors", pipeline.Arithmetic{})
	_, err2 = model.Read(bytes.NewReader(text[:100]), pipeline.Arithmetic{})
	_, err3 = model.Read(bytes.NewReader(text), pipeline.Arithmetic{ISA: "mmx"})
	if !errors.Is(err1, os.ErrNotExist) || err2 == nil || err3 == nil {
		t.Errorf("errors %v, %v, %v", err1, err2, err3)
	}
}

// One checkpoint draws for many callers at once, and the same images as for one caller.
func TestSampleSideBySide(t *testing.T) {
	roomtest.NoLeaks(t)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			o := Options{Count: 2 + i%3, Seed: uint64(i), Threads: 1 + i%2, Method: model.Method{Steps: 2}}
			images, err := Draw(context.Background(), trained(), o)
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
			want, err := s.Draw(context.Background(), 0, o.Count)
			if err != nil || !slices.Equal(images.Pixels, want.Pixels) {
				t.Errorf("caller %d: other images, %v", i, err)
			}
		})
	}
	callers.Wait()
}

// Draw returns at once when its context ends, even in the middle of a long evaluation. No event
// comes after that, and the workers end.
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
	net, err := unet.New(cfg, isa, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	ck := &model.Checkpoint{Network: model.NewUNet(net, model.Prediction{Path: flow.Linear{}}, nil)}
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
	images, err := Draw(ctx, ck, Options{Count: 1, OnEvent: func(pipeline.Event) {}})
	if images != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	if !evaluating() {
		t.Error("Draw returned after the evaluation, not in the middle of it")
	}
	roomtest.Within(t, time.Minute, func() {
		for runtime.NumGoroutine() > before+1 { // this function is one more
			time.Sleep(10 * time.Millisecond)
		}
	})
	if _, err := Draw(ctx, ck, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestSampleOptionErrors(t *testing.T) {
	for option, o := range map[string]Options{
		"count":  {Count: 1 << 23},
		"steps":  {Method: model.Method{Steps: -1}},
		"class":  {Class: "7"},
		"solver": {Method: model.Method{Solver: "rk9"}},
	} {
		_, err := Draw(context.Background(), trained(), o)
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != option {
			t.Errorf("error %v, want one about %s", err, option)
		}
	}
}
