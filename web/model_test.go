package web

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// fast returns the model that the page draws with.
func fast(t *testing.T, isa kernels.ISA) *Model {
	t.Helper()
	file, err := models.Open("mnist-fast")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := Read(file, isa)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drawnBy returns what package sample draws: the states of each step, and the images.
func drawnBy(t *testing.T, isa kernels.ISA, o sample.Options) (states [][]float32, images *picture.Images) {
	t.Helper()
	ck, err := model.Open("mnist-fast", pipeline.Arithmetic{ISA: isa.String(), Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sample.NewSampler(ck, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	images, err = s.DrawFrames(t.Context(), 0, o.Count, func(_, _ int, x []float32) {
		states = append(states, slices.Clone(x))
	})
	if err != nil {
		t.Fatal(err)
	}
	return states, images
}

// The images and all states before them are those of package sample, bit for bit.
func TestDrawsAsSample(t *testing.T) {
	for _, isa := range kernels.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			m := fast(t, isa)
			for _, steps := range m.Steps() {
				o := sample.Options{Count: 2, Seed: 5, Class: "7,2", Method: model.Method{Steps: steps}, Threads: 1}
				states, images := drawnBy(t, isa, o)
				for i, class := range []int{7, 2} {
					step := 0
					got, err := m.Draw(t.Context(), Drawing{Seed: 5, Index: uint64(i), Class: class, Steps: steps},
						func(at int, x []float32) {
							if at != step || !slices.Equal(x, states[step][i*len(x):(i+1)*len(x)]) {
								t.Errorf("image %d of %d steps: other state %d", i, steps, at)
							}
							step++
						})
					if err != nil || step != steps+1 || !slices.Equal(got, images.Slice(i, i+1).Pixels) {
						t.Errorf("image %d of %d steps: another image after %d states, %v", i, steps, step, err)
					}
				}
			}
		})
	}
}

// What the page offers comes from the model.
func TestOffers(t *testing.T) {
	m := fast(t, kernels.Best())
	height, width, channels := m.Size()
	if height != 28 || width != 28 || channels != 1 {
		t.Errorf("images of %dx%dx%d", height, width, channels)
	}
	if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; !slices.Equal(m.Classes(), want) {
		t.Errorf("classes %q", m.Classes())
	}
	if !slices.Equal(m.Steps(), model.JumpCounts[:]) {
		t.Errorf("steps %v", m.Steps())
	}
	if metaKey != model.MetaKey {
		t.Errorf("models are described at %q, not at %q", model.MetaKey, metaKey)
	}
}

// A drawing that the model cannot do is refused, and one that is ended ends.
func TestDrawErrors(t *testing.T) {
	m := fast(t, kernels.Best())
	for what, d := range map[string]Drawing{
		"class 10": {Class: 10, Steps: 1}, "class -1": {Class: -1, Steps: 1}, "steps 3": {Steps: 3}, "steps 0": {},
	} {
		_, err := m.Draw(t.Context(), d, func(int, []float32) { t.Error("it draws") })
		if err == nil || !strings.HasPrefix(err.Error(), what+": choose one") {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	_, err := m.Draw(ctx, Drawing{Steps: 4}, func(int, []float32) {
		if seen++; seen == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || seen != 2 {
		t.Errorf("after %d states: %v", seen, err)
	}
}

// A file that is no flow map of classes is refused with the reason.
func TestReadErrors(t *testing.T) {
	file, err := models.Open("mnist")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := Read(file, kernels.Best()); err == nil || !strings.Contains(err.Error(), "not a flow map") {
		t.Errorf("a velocity: %v", err)
	}
	if _, err := Read(bytes.NewReader([]byte("<!doctype html>")), kernels.Best()); err == nil {
		t.Error("a page is read as a model")
	}
}

func TestBytes(t *testing.T) {
	if got := Bytes([]float32{-1, 0, 1, 3}); !bytes.Equal(got, []byte{0, 128, 255, 255}) {
		t.Errorf("%v", got)
	}
}
