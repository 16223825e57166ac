package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/distill"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/field"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
)

// shapedRun returns options for a run on images of a shape, by the preset tiny, which halves them.
func shapedRun(t *testing.T, h, w, c int) Options {
	o := smallRun(t)
	o.Source, o.Network, o.Preset = &roomtest.Patterns{N: 40, H: h, W: w, C: c, Names: []string{"a", "b"}}, nil, "tiny"
	o.Flip, o.Steps, o.PreviewEvery = true, 4, 4
	return o
}

// Images of any shape, with or without alpha, are learned: an interrupted run goes on to the same
// bytes, previews are opaque, and what the model draws has its shape in every form.
func TestShapes(t *testing.T) {
	for _, s := range []pipeline.Shape{
		{Height: 12, Width: 20, Channels: 4}, {Height: 20, Width: 6, Channels: 2},
		{Height: 8, Width: 18, Channels: 3},
	} {
		t.Run(fmt.Sprintf("%sx%d", s.Sides(), s.Channels), func(t *testing.T) {
			whole := shapedRun(t, s.Height, s.Width, s.Channels)
			mustTrain(t, whole)
			o := shapedRun(t, s.Height, s.Width, s.Channels)
			var stopped *run.InterruptedError
			o.StopAfter = 2
			if _, err := Train(context.Background(), o); !errors.As(err, &stopped) {
				t.Fatal(err)
			}
			o.StopAfter, o.Resume = 0, true
			mustTrain(t, o)
			roomtest.SameRun(t, whole.Out, o.Out)
			preview := roomtest.ReadPNG(t, filepath.Join(o.Out, "samples", "step-000004.png"))
			if _, hasAlpha := preview.(*image.NRGBA); hasAlpha {
				t.Errorf("the preview is a %T", preview)
			}
			drawAll(t, o.Out, s)
		})
	}
}

// drawAll draws a model's images in every form, and checks their shape.
func drawAll(t *testing.T, dir string, s pipeline.Shape) {
	t.Helper()
	draw := func(out string, change func(*sample.GenerateOptions)) string {
		o := sample.GenerateOptions{Model: dir, Out: t.TempDir() + "/" + out}
		o.Sample.Method, o.Sample.Count = model.Method{Solver: "euler", Steps: 2}, 6
		o.Grid = picture.GridOptions{Padding: option.None, Scale: 2}
		if change != nil {
			change(&o)
		}
		if _, err := sample.Generate(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return o.Out
	}
	alpha := s.Channels == 2 || s.Channels == 4
	check := func(what, path string, cols, rows int) {
		m := roomtest.ReadPNG(t, path)
		if _, is := m.(*image.NRGBA); is != alpha || m.Bounds() != image.Rect(0, 0, cols*2*s.Width, rows*2*s.Height) {
			t.Errorf("%s: a %T of %v", what, m, m.Bounds())
		}
	}
	check("grid", draw("a.png", nil), 3, 2)
	check("strip", draw("s.png", func(o *sample.GenerateOptions) { o.Strip = 5 }), 5, 6)
	check("one of a folder", filepath.Join(draw("d/", nil), "000005.png"), 1, 1)
	checkGIF(t, draw("a.gif", nil), alpha)
	info, err := os.Stat(draw("a.npy", nil))
	if err != nil || info.Size() != int64(128+4*6*s.Len()) {
		t.Errorf("array: %v, %v", info, err)
	}
}

// checkGIF checks that a frame with transparent pixels is cleared before the next one.
func checkGIF(t *testing.T, path string, alpha bool) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	movie, err := gif.DecodeAll(file)
	if err != nil || len(movie.Image) != 3 {
		t.Fatalf("%v", err)
	}
	for i := range movie.Image {
		if cleared := movie.Disposal[i] == gif.DisposalBackground; cleared != alpha {
			t.Errorf("frame %d is cleared: %v", i, cleared)
		}
	}
}

// A model of images that are not square can be measured, distilled, changed by, and asked for its
// velocity.
func TestWorkOnWideImages(t *testing.T) {
	const n, h, w = 30, 12, 20
	data := t.TempDir()
	pixels := make([]byte, n*h*w)
	for i := range pixels {
		pixels[i] = byte(i * 7)
	}
	for _, part := range []string{"train", "t10k"} {
		roomtest.WriteIDX(t, filepath.Join(data, part+"-images-idx3-ubyte"), pixels, n, h, w)
		roomtest.WriteIDX(t, filepath.Join(data, part+"-labels-idx1-ubyte"), make([]byte, n), n)
	}
	o := shapedRun(t, h, w, 1)
	o.Source, o.Data, o.Size, o.Dequantize = nil, data, pipeline.Size{Width: w, Height: h}, true
	mustTrain(t, o)
	if c, err := readTrainRun(o.Out); err != nil || c.Resolved.Size != o.Size || c.Data.Width != w || c.Data.Height != h {
		t.Errorf("config %+v, %v", c, err)
	}

	scores, err := likelihood.Measure(t.Context(), likelihood.Options{
		Model: o.Out, Count: 2, DensityMethod: model.DensityMethod{Solver: "euler", Steps: 2},
	})
	if err != nil || !(scores.BitsPerDimension > 0) {
		t.Errorf("likelihood: %v", err)
	}
	e := edit.Options{Model: o.Out, Index: []int{0, 1}, Count: 2, Steps: 2, Scale: 1, Padding: option.None}
	for _, c := range []struct {
		name string
		cols int
		rows int
		do   func() (*edit.Result, error)
	}{
		{"inpaint", 4, 2, func() (*edit.Result, error) {
			return edit.Inpaint(t.Context(), edit.InpaintOptions{Options: e, Mask: "left", Times: 1})
		}},
		{"interpolate", 4, 1, func() (*edit.Result, error) {
			return edit.Interpolate(t.Context(), edit.InterpolateOptions{Options: e})
		}},
		{"vary", 3, 2, func() (*edit.Result, error) { return edit.Vary(t.Context(), edit.VaryOptions{Options: e}) }},
	} {
		e.Out = filepath.Join(t.TempDir(), "e.png")
		if _, err := c.do(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, want := roomtest.ReadPNG(t, e.Out).Bounds(), image.Rect(0, 0, c.cols*w, c.rows*h); got != want {
			t.Errorf("%s: a picture of %v, want %v", c.name, got, want)
		}
	}

	d := distill.Options{Model: o.Out}
	d.Out, d.Steps, d.Batch, d.Pool, d.PreviewEvery = filepath.Join(t.TempDir(), "fast"), 2, 4, 8, -1
	if _, err := distill.Distill(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if fast, err := model.Open(d.Out, pipeline.Arithmetic{}); err != nil || fast.Shape() != (pipeline.Shape{Height: h, Width: w, Channels: 1}) {
		t.Errorf("distilled: %v", err)
	}
	velocityOf(t, o.Out, []int{2, 1, h, w})
}

// velocityOf evaluates a model's velocity at numbers of a shape [N, C, H, W].
func velocityOf(t *testing.T, dir string, shape []int) {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in.safetensors"), filepath.Join(t.TempDir(), "v.safetensors")
	file, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	x := roomtest.RandomPixels(shape[0] * shape[1] * shape[2] * shape[3])
	if err := safetensors.Write(file, &safetensors.File{Tensors: []safetensors.Tensor{
		{Name: "x", DType: safetensors.F32, Shape: shape, F32: x},
		{Name: "t", DType: safetensors.F32, Shape: []int{2}, F32: []float32{0.2, 0.7}},
		{Name: "y", DType: safetensors.I64, Shape: []int{2}, I64: []int64{0, 0}},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := field.Evaluate(t.Context(), field.Options{Model: dir, In: in, Out: out}); err != nil {
		t.Fatal(err)
	}
	if v := roomtest.Tensors(t, out); len(v) != 1 || !slices.Equal(v[0].Shape, shape) {
		t.Errorf("velocity %v", v)
	}
}

// Options that were recorded before a size had two sides are read as they were meant.
func TestOldConfigsHaveSquares(t *testing.T) {
	var o Options
	if err := o.UnmarshalJSON([]byte(`{"data":"photos","size":32,"image_channels":"rgb","hold_out":0.05}`)); err != nil {
		t.Fatal(err)
	}
	if o = o.WithDefaults(); o.Size != pipeline.Square(32) || o.Fit != "crop" || o.Labels != "" {
		t.Errorf("%+v", o.DataOptions)
	}
}
