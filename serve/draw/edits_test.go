package draw

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// grayPNG returns the file of a gray picture of a size.
func grayPNG(t testing.TB, w, h int, at func(x, y int) byte) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetGray(x, y, color.Gray{Y: at(x, y)})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// twoPictures are of the size of the small models.
func twoPictures(t testing.TB) [][]byte {
	return [][]byte{
		grayPNG(t, 8, 8, func(x, y int) byte { return byte(x * y * 5) }),
		grayPNG(t, 8, 8, func(x, y int) byte { return byte(255 - 16*x - y) }),
	}
}

// rightHalf is a mask.
func rightHalf(t testing.TB) []byte {
	return grayPNG(t, 8, 8, func(x, _ int) byte { return byte(255 * (x / 4)) })
}

// editedByCommand returns the bytes of the images that the command makes, without the inputs
// between them: of each row, those from first to last.
func editedByCommand(t *testing.T, out string, first, last int) []byte {
	t.Helper()
	m := roomtest.ReadPNG(t, out).(*image.Gray)
	var all []byte
	for top := 0; top < m.Rect.Dy(); top += 8 {
		for left := first * 8; left <= last*8; left += 8 {
			for y := range 8 {
				all = append(all, m.Pix[(top+y)*m.Stride+left:][:8]...)
			}
		}
	}
	return all
}

// asBytes returns the bytes of images.
func asBytes(s *picture.Images) []byte {
	var all []byte
	for _, v := range s.Pixels {
		all = append(all, dataset.ToByte(v))
	}
	return all
}

// Edits have the bytes of the command.
func TestEditsAreTheCommands(t *testing.T) {
	runs := runsFolder(t)
	roomtest.NoLeaks(t)
	s := newService(t, Options{Runs: runs})
	dir, files := t.TempDir(), twoPictures(t)
	usual := edit.Options{
		Model: filepath.Join(runs, "small"), Out: filepath.Join(dir, "out.png"), Class: "1,2", Count: 3, Seed: 5, Steps: 4,
		Padding: option.None, Scale: 1,
	}
	for i, file := range append(files, rightHalf(t)) {
		path := filepath.Join(dir, string(rune('a'+i))+".png")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			usual.In = append(usual.In, path)
		}
	}
	mask := edit.Mask(filepath.Join(dir, "c.png"))
	for _, c := range []struct {
		kind        Kind
		first, last int
		command     func() error
	}{
		{Vary, 1, 3, func() error {
			_, err := edit.Vary(t.Context(), edit.VaryOptions{Options: usual, Level: 0.7})
			return err
		}},
		{Interpolate, 1, 3, func() error {
			_, err := edit.Interpolate(t.Context(), edit.InterpolateOptions{Options: usual})
			return err
		}},
		{Inpaint, 2, 4, func() error {
			_, err := edit.Inpaint(t.Context(), edit.InpaintOptions{Options: usual, Mask: mask, Times: 3})
			return err
		}},
	} {
		if err := c.command(); err != nil {
			t.Fatal(err)
		}
		r := Request{Model: small, Kind: c.kind, Inputs: files, Sample: sample.Options{
			Count: 3, Seed: 5, Class: "1,2", Method: model.Method{Steps: 4},
		}}
		switch c.kind {
		case Vary:
			r.Level = 0.7
		case Inpaint:
			r.Mask, r.Times = rightHalf(t), 3
		}
		last := map[int]int{}
		r.Watch = func(s State) { last[s.Image] = max(last[s.Image], s.Step) }
		got, err := s.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(asBytes(got.Images), editedByCommand(t, usual.Out, c.first, c.last)) {
			t.Errorf("%s: other images than the command's", c.kind)
		}
		if n := got.Images.Len(); len(got.Images.Labels) != n || len(last) != n || last[0] != 4 || got.Evaluations < 2 {
			t.Errorf("%s: %d images of classes %v, %d of which were seen, up to step %d, in %v evaluations", c.kind, n,
				got.Images.Labels, len(last), last[0], got.Evaluations)
		}
		compareTexts(t, got.Texts, usual.Out)
	}
}

// compareTexts compares what two pictures say of their origin, but for the name of the mask.
func compareTexts(t *testing.T, got []picture.Text, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []picture.Text
	for _, text := range roomtest.ReadTexts(t, file) {
		if text[0] == "fmimg.mask" {
			text[1] = "picture"
		}
		want = append(want, picture.Text(text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("texts %q, want %q", got, want)
	}
}

// Likelihoods are those of the gauge alone, and pictures of any size are taken.
func TestLikelihoods(t *testing.T) {
	runs := runsFolder(t)
	s := newService(t, Options{Runs: runs})
	files := append(twoPictures(t), grayPNG(t, 20, 16, func(x, y int) byte { return byte(x ^ y) }))
	for _, name := range []string{small, flowed} {
		got, err := s.Do(t.Context(), Request{Model: name, Kind: Likelihood, Inputs: files, Sample: sample.Options{Seed: 4}})
		if err != nil {
			t.Fatal(err)
		}
		gauge, err := likelihood.NewGauge(aloneModel(t, runs, name), likelihood.Options{Seed: 4})
		if err != nil {
			t.Fatal(err)
		}
		reader := &edit.Reader{Shape: pipeline.Shape{Height: 8, Width: 8, Channels: 1}}
		for i, file := range files {
			pixels, err := reader.Picture("a", file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := gauge.Measure(t.Context(), likelihood.Image{Index: i, Class: -1, Set: func(x []float32) { copy(x, pixels) }})
			if err != nil || got.BitsPerDimension[i] != want.BitsPerDimension {
				t.Errorf("%s, picture %d: %v bits, want %v (%v)", name, i, got.BitsPerDimension[i], want.BitsPerDimension, err)
			}
		}
		if !slices.ContainsFunc(got.Notes, func(m pipeline.Message) bool { return strings.Contains(m.String(), "its middle is taken") }) {
			t.Errorf("%s: notes %v", name, got.Notes)
		}
	}
}

// What cannot be done is a mistake in an option of the request.
func TestRequestMistakes(t *testing.T) {
	s := newService(t, Options{Runs: runsFolder(t), Waiting: 100})
	two := twoPictures(t)
	white := grayPNG(t, 8, 8, func(int, int) byte { return 255 })
	tall := grayPNG(t, 8, 16, func(x, _ int) byte { return byte(255 * (x / 4)) })
	for _, c := range []struct {
		option string
		r      Request
	}{
		{"kind", Request{Kind: "paint"}},
		{"count", Request{Model: small, Sample: sample.Options{Count: 101}}},
		{"count", Request{Model: small, Sample: sample.Options{Count: -1}}},
		{"count", Request{Model: small, Kind: Vary, Inputs: two, Sample: sample.Options{Count: 51}}},
		{"count", Request{Model: small, Kind: Interpolate, Inputs: two, Sample: sample.Options{Count: 1}}},
		{"steps", Request{Model: small, Sample: sample.Options{Method: model.Method{Steps: -1}}}},
		{"solver", Request{Model: small, Sample: sample.Options{Method: model.Method{Solver: "magic"}}}},
		{"solver", Request{Model: flowed, Sample: sample.Options{Method: model.Method{Solver: "heun"}}}},
		{"class", Request{Model: small, Sample: sample.Options{Class: "7"}}},
		{"class", Request{Model: plain, Sample: sample.Options{Class: "0"}}},
		{"guidance", Request{Model: plain, Sample: sample.Options{Method: model.Method{Guidance: 2}}}},
		{"guide", Request{Model: plain, Guide: "auto"}},
		{"guide", Request{Model: small, Guide: "runs/none"}},
		{"guide", Request{Model: small, Guide: "mnist"}},
		{"images", Request{Model: small, Inputs: two}},
		{"images", Request{Model: small, Kind: Vary}},
		{"images", Request{Model: small, Kind: Vary, Inputs: [][]byte{[]byte("GIF87a, or not")}}},
		{"images", Request{Model: small, Kind: Interpolate, Inputs: two[:1]}},
		{"level", Request{Model: small, Kind: Vary, Inputs: two, Level: 2}},
		{"level", Request{Model: small, Level: 0.5}},
		{"times", Request{Model: small, Kind: Vary, Inputs: two, Times: 2}},
		{"times", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: rightHalf(t), Times: -2}},
		{"mask", Request{Model: small, Kind: Inpaint, Inputs: two}},
		{"mask", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: white}},
		{"mask", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: tall}},
		{"mask", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: []byte("?")}},
		{"mask", Request{Model: small, Mask: white}},
		{"fit", Request{Model: small, Kind: Vary, Inputs: two, Fit: "squeeze"}},
		{"model", Request{Model: flowed, Kind: Vary, Inputs: two}},
		{"model", Request{Model: "mnist-fast", Kind: Likelihood, Inputs: two}},
		{"guidance", Request{Model: small, Kind: Likelihood, Inputs: two, Sample: sample.Options{Method: model.Method{Guidance: 2}}}},
		{"time-shift", Request{Model: small, Kind: Vary, Inputs: two, Sample: sample.Options{Method: model.Method{TimeShift: 2}}}},
		{"guidance-every", Request{Model: small, Kind: Vary, Inputs: two, Sample: sample.Options{Method: model.Method{GuidanceEvery: 2}}}},
		{"noise-level", Request{Model: small, Kind: Vary, Inputs: two, Sample: sample.Options{Method: model.Method{NoiseLevel: 2}}}},
		{"solver", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: rightHalf(t), Sample: sample.Options{Method: model.Method{Solver: "heun"}}}},
		{"tol", Request{Model: small, Kind: Inpaint, Inputs: two, Mask: rightHalf(t), Sample: sample.Options{Method: model.Method{Tol: 0.1}}}},
		{"per-class", Request{Model: small, Kind: Vary, Inputs: two, Sample: sample.Options{PerClass: 2}}},
	} {
		_, err := s.Do(t.Context(), c.r)
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != c.option {
			t.Errorf("%s of %s: %v, want a mistake in %s", c.r.Kind, c.r.Model, err, c.option)
		}
	}
}
