package fmimg_test

import (
	"os"
	"slices"
	"testing"

	"github.com/fmimg/fmimg"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A model that is opened by its name draws away from the guide that its run has kept, as the
// command does, unless the options say how it is guided. A model of a file system has none.
func TestSampleTakesTheKeptGuide(t *testing.T) {
	m, err := fmimg.Open("mnist")
	if err != nil {
		t.Fatal(err)
	}
	fromFS, err := fmimg.OpenFS(os.DirFS("models/mnist"), model.File)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(m *fmimg.Model, method model.Method) []float32 {
		t.Helper()
		images, err := m.Sample(t.Context(), fmimg.SampleOptions{Class: "7", Seed: 3, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		return images.Pixels
	}
	guide, err := m.Checkpoint().OpenGuide(model.AutoGuide, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	guided, plain := draw(m, model.Method{Guide: guide}), draw(m, model.Method{Guidance: model.DefaultGuidance})
	if slices.Equal(guided, plain) {
		t.Fatal("the guide changes nothing")
	}
	if !slices.Equal(draw(m, model.Method{}), guided) {
		t.Error("a drawing by default is not that with the kept guide")
	}
	if !slices.Equal(draw(fromFS, model.Method{}), plain) {
		t.Error("a model of a file system is guided by more than no class")
	}
}
