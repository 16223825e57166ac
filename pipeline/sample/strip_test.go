package sample

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// drawnStrip draws a strip of 5 images, and the same images alone.
func drawnStrip(t *testing.T, o Options, moments int) (*momentStrip, *picture.Images) {
	t.Helper()
	o.Count, o.Threads = 5, 2
	s, err := NewSampler(trained(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := newMomentStrip(s.ck.Shape(), o.Count, moments, s.opt.Times())
	images, err := s.DrawFrames(context.Background(), 0, o.Count, p.show)
	if err != nil {
		t.Fatal(err)
	}
	return p, images
}

// moment returns the pixels of moment k of image i.
func (p *momentStrip) moment(i, k int) []float32 {
	size := p.states.ImageLen()
	return p.states.Pixels[(i*p.moments+k)*size:][:size]
}

// With every solver, a strip begins with the noise of (seed, index) and ends with the image, to the
// bit. A moment at a step is the state of that step. A moment between two steps lies on the line
// between their states.
func TestStripMoments(t *testing.T) {
	roomtest.NoLeaks(t)
	for _, m := range []model.Method{
		{Solver: "euler", Steps: 2}, {Solver: "midpoint", Steps: 6}, {Solver: "rk4", Steps: 1},
		{Solver: "dopri5", Steps: 4, Tol: 1e-3},
	} {
		o := Options{Seed: 3, Method: m}
		p, images := drawnStrip(t, o, 5)
		alone := drawn(t, Options{Seed: 3, Count: 5, Method: m}, 0, 5)
		noise := make([]float32, images.ImageLen())
		for i := range 5 {
			flow.Noise(noise, o.Seed, uint64(i))
			if !slices.Equal(p.moment(i, 0), noise) {
				t.Errorf("%s: strip %d does not begin with its noise", o.Solver, i)
			}
			last := alone.Slice(i, i+1).Pixels
			if !slices.Equal(p.moment(i, 4), last) || !slices.Equal(images.Slice(i, i+1).Pixels, last) {
				t.Errorf("%s: strip %d does not end with its image", o.Solver, i)
			}
		}
	}
}

// Of a trajectory of 4 steps, 5 moments are the steps, 3 are every second step, and 9 have one
// between each two.
func TestStripBetweenSteps(t *testing.T) {
	o := Options{Method: model.Method{Solver: "midpoint", Steps: 4}}
	way, _ := drawnStrip(t, o, 5)
	few, _ := drawnStrip(t, o, 3)
	many, _ := drawnStrip(t, o, 9)
	for k := range 3 {
		if !slices.Equal(few.moment(2, k), way.moment(2, 2*k)) {
			t.Errorf("moment %d of 3 is not step %d of 4", k, 2*k)
		}
	}
	for j, got := range many.moment(2, 5) {
		a, b := way.moment(2, 2)[j], way.moment(2, 3)[j]
		// Two roundings make an error of 6e-8 each.
		if want := (a + b) / 2; math.Abs(float64(got-want)) > 1e-6*float64(max(a, b, -a, -b)) {
			t.Fatalf("number %d between steps 2 and 3 is %v, want %v", j, got, want)
		}
	}
}

// Moments are evenly spaced in time where steps are not, so a shift moves no moment.
func TestStripOfShiftedSteps(t *testing.T) {
	exact, _ := drawnStrip(t, Options{Method: model.Method{Solver: "rk4", Steps: 60}}, 4)
	shifted, _ := drawnStrip(t, Options{Method: model.Method{Solver: "midpoint", Steps: 120, TimeShift: 3}}, 4)
	for i, v := range shifted.states.Pixels {
		if math.Abs(float64(v-exact.states.Pixels[i])) > 1e-2 {
			t.Fatalf("number %d is %v, want %v", i, v, exact.states.Pixels[i])
		}
	}
}

// The moments of dopri5 are those of the exact flow, up to its tolerance: 1e-4·(1+|x|) for the root
// mean square of the error in each of about ten steps.
func TestStripOfDopri5(t *testing.T) {
	exact, _ := drawnStrip(t, Options{Method: model.Method{Solver: "rk4", Steps: 60}}, 4)
	dense, _ := drawnStrip(t, Options{Method: model.Method{Solver: "dopri5", Steps: 3, Tol: 1e-4}}, 4)
	for i, v := range dense.states.Pixels {
		if math.Abs(float64(v-exact.states.Pixels[i])) > 1e-2 {
			t.Fatalf("number %d is %v, want %v", i, v, exact.states.Pixels[i])
		}
	}
}

func TestGenerateStrip(t *testing.T) {
	modelPath := roomtest.NamedModel(t)
	for _, c := range []struct {
		class          string
		count          int
		rows           int
		solver, labels string
	}{
		{class: "0-2", rows: 3, labels: "0,1,2"},
		{class: "0-2", count: 4, rows: 4, labels: "0,1,2,0"},
		{class: "1", rows: 1, solver: "dopri5", labels: "1"},
		{rows: 8},
	} {
		var stdout bytes.Buffer
		o := GenerateOptions{Model: modelPath, Out: "-", Stdout: &stdout, Strip: 3}
		o.Grid.Padding = 1
		o.Sample = Options{Class: c.class, Count: c.count, Method: model.Method{Solver: c.solver, Tol: 0.1}}
		if c.solver == "" {
			o.Sample.Solver, o.Sample.Steps = "euler", 2
		}
		result, err := Generate(context.Background(), o)
		if err != nil || result.Images != c.rows {
			t.Fatalf("%+v: %d images, %v", c, result.Images, err)
		}
		texts := roomtest.ReadTexts(t, stdout.Bytes())
		if !slices.Contains(texts, [2]string{"fmimg.strip", "3"}) ||
			c.labels != "" && !slices.Contains(texts, [2]string{"fmimg.classes", c.labels}) {
			t.Errorf("%+v: texts %v", c, texts)
		}
		if m, err := png.Decode(&stdout); err != nil || m.Bounds() != image.Rect(0, 0, 3*9+1, c.rows*9+1) {
			t.Errorf("%+v: picture %v, %v", c, m.Bounds(), err)
		}
	}
}

func TestStripErrors(t *testing.T) {
	model, dir := roomtest.NamedModel(t), t.TempDir()
	for _, c := range []struct {
		option, out string
		change      func(*GenerateOptions)
	}{
		{"strip", "a.gif", nil},
		{"strip", "a.npy", nil},
		{"strip", "a/", nil},
		{"strip", "a.png", func(o *GenerateOptions) { o.Strip = 1 }},
		{"strip", "a.png", func(o *GenerateOptions) { o.Strip = -3 }},
		{"strip", "a.png", func(o *GenerateOptions) { o.Strip = picture.MaxGridSide + 1 }},
		{"grid", "a.png", func(o *GenerateOptions) { o.Grid.Rows, o.Grid.Cols = 1, 3 }},
		// Images of 8 rows make a picture of 8 times as many.
		{"grid", "a.png", func(o *GenerateOptions) { o.Sample.Count = picture.MaxGridSide }},
		{"strip", "a.png", func(o *GenerateOptions) {
			o.Grid.Padding, o.Strip, o.Sample.Count = option.None, 4000, 4000
		}},
	} {
		o := GenerateOptions{Model: model, Out: filepath.Join(dir, c.out), Strip: 3}
		if c.out == "a/" {
			o.Out += "/"
		}
		if c.change != nil {
			c.change(&o)
		}
		_, err := Generate(context.Background(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option {
			t.Errorf("%s, %+v: error %v, want one about %s", c.out, o.Grid, err, c.option)
		}
	}
}
