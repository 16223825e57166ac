package edit

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// cells cuts a picture of 8x8 images without padding into its images, row after row, as bytes.
func cells(t *testing.T, path string) (rows [][][]byte) {
	t.Helper()
	m, ok := roomtest.ReadPNG(t, path).(*image.Gray)
	if !ok {
		t.Fatal("no gray picture")
	}
	for top := 0; top < m.Rect.Dy(); top += 8 {
		var row [][]byte
		for left := 0; left < m.Rect.Dx(); left += 8 {
			var cell []byte
			for y := range 8 {
				cell = append(cell, m.Pix[(top+y)*m.Stride+left:][:8]...)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// differences counts the bytes that differ among those that where selects.
func differences(a, b []byte, where func(i int) bool) (n int) {
	for i := range a {
		if where(i) && a[i] != b[i] {
			n++
		}
	}
	return n
}

func everywhere(int) bool { return true }

func lower(i int) bool { return i >= 32 }

func upper(i int) bool { return i < 32 }

// smallEdit returns options for edits of two images by a small model.
func smallEdit(t *testing.T) Options {
	t.Helper()
	return Options{
		Model: roomtest.SmallModel(t, true, 0.05), Data: roomtest.SmallDigits(t, 20, 1), Index: []int{3, 17},
		Out:   filepath.Join(t.TempDir(), "edited.png"),
		Count: 3, Seed: 2, Steps: 4, Compute: pipeline.Compute{Threads: 2}, Padding: option.None, Scale: 1,
	}
}

// testBytes returns a test image of a set as bytes.
func testBytes(t *testing.T, data string, index int) []byte {
	t.Helper()
	set, err := dataset.Open(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]float32, 64)
	set.Test.Image(index, pixels)
	var out []byte
	for _, v := range pixels {
		out = append(out, dataset.ToByte(v))
	}
	return out
}

// The known part stays, to the byte. The rest is drawn differently each time. It depends neither on
// the number of threads nor on the other images.
func TestInpaint(t *testing.T) {
	roomtest.NoLeaks(t)
	for _, method := range []Method{ResampleMethod, GradientMethod} {
		o := InpaintOptions{Options: smallEdit(t), Mask: "lower", Method: method}
		if method == ResampleMethod {
			o.Times = 2
		}
		result, err := Inpaint(t.Context(), o)
		if err != nil || result.Inputs != 2 || result.Images != 6 {
			t.Fatalf("%+v, %v", result, err)
		}
		rows := cells(t, o.Out)
		for i, row := range rows {
			original := testBytes(t, o.Data, o.Index[i])
			if len(row) != 5 || differences(row[0], original, everywhere) > 0 ||
				differences(row[1], original, upper) > 0 {
				t.Fatalf("%s: row %d does not begin with the image and what is known of it", method, i)
			}
			for j := 2; j < 5; j++ {
				if differences(row[j], original, upper) > 0 {
					t.Errorf("%s: completion %d of image %d changes what is known", method, j-2, i)
				}
				if differences(row[j], original, lower) < 20 || differences(row[j], row[2+(j-1)%3], lower) < 20 {
					t.Errorf("%s: completion %d of image %d is a copy", method, j-2, i)
				}
			}
		}
		o.Threads, o.Index, o.Count = 1, o.Index[:1], 2
		if _, err := Inpaint(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		for j, cell := range cells(t, o.Out)[0] {
			if differences(cell, rows[0][j], everywhere) > 0 {
				t.Errorf("%s: cell %d is another one alone on one thread", method, j)
			}
		}
	}
}

// writeGray writes a gray picture of bytes.
func writeGray(t *testing.T, name string, side int, pix []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, &image.Gray{Pix: pix, Stride: side, Rect: image.Rect(0, 0, side, side)}); err != nil {
		t.Fatal(err)
	}
	return path
}

// Pictures of any size can be edited, and the white part of a mask is drawn anew.
func TestInpaintPictures(t *testing.T) {
	o := InpaintOptions{Options: smallEdit(t), Times: 1}
	o.Data, o.Index, o.Class = "", nil, "1"
	pix, mask := make([]byte, 16*16), make([]byte, 64)
	for i := range pix {
		pix[i] = 200
	}
	for i := range mask {
		if i%8 < 3 {
			mask[i] = 255
		}
	}
	o.In, o.Mask = []string{writeGray(t, "a.png", 16, pix)}, Mask(writeGray(t, "mask.png", 8, mask))
	if _, err := Inpaint(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	white := func(i int) bool { return i%8 < 3 }
	black := func(i int) bool { return !white(i) }
	row := cells(t, o.Out)[0]
	hidden, drawn := differences(row[0], row[1], white), differences(row[0], row[2], white)
	changed := differences(row[0], row[2], black)
	if row[0][20] != 200 || hidden != 24 || drawn < 15 || changed != 0 {
		t.Errorf("%d pixels of the mask hidden, %d drawn, %d others changed", hidden, drawn, changed)
	}
}

// The way begins and ends at the two images. The field is smooth and the steps are small, so the
// round trip changes a pixel by one byte value at most in the mean.
func TestInterpolate(t *testing.T) {
	roomtest.NoLeaks(t)
	o := InterpolateOptions{smallEdit(t)}
	o.Solver, o.Steps, o.Count = "rk4", 30, 4
	result, err := Interpolate(t.Context(), o)
	if err != nil || result.RoundTrip <= 0 || result.RoundTrip > 0.004 || result.Images != 4 {
		t.Fatalf("%+v, %v", result, err)
	}
	row := cells(t, o.Out)[0]
	a, b := testBytes(t, o.Data, 3), testBytes(t, o.Data, 17)
	if len(row) != 6 || differences(row[0], a, everywhere) != 0 || differences(row[5], b, everywhere) != 0 {
		t.Error("the images do not stand at the ends")
	}
	far := func(x, y []byte) (sum int) {
		for i := range x {
			sum += max(int(x[i])-int(y[i]), int(y[i])-int(x[i]))
		}
		return sum
	}
	if far(row[1], a) > 64 || far(row[4], b) > 64 {
		t.Errorf("the round trip changes the images by %d and %d", far(row[1], a), far(row[4], b))
	}
	if !(far(row[2], a) < far(row[3], a) && far(row[3], b) < far(row[2], b)) {
		t.Error("the way does not lead from one image to the other")
	}
	o.Index = []int{1, 2, 3}
	var wrong *pipeline.OptionError
	if _, err := Interpolate(t.Context(), o); !errors.As(err, &wrong) || wrong.Option != "in" {
		t.Errorf("three images: %v", err)
	}
}

// The more noise, the further a variation is from its image.
func TestVary(t *testing.T) {
	roomtest.NoLeaks(t)
	far := map[float64]int{}
	for _, level := range []float64{0.01, 0.3, 1} {
		o := VaryOptions{Options: smallEdit(t), Level: level}
		if _, err := Vary(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		for i, row := range cells(t, o.Out) {
			original := testBytes(t, o.Data, o.Index[i])
			if differences(row[0], original, everywhere) != 0 || differences(row[1], row[2], everywhere) < 10 {
				t.Errorf("level %v: the image is not first, or variations are equal", level)
			}
			for j := range original {
				far[level] += max(int(row[1][j])-int(original[j]), int(original[j])-int(row[1][j]))
			}
		}
	}
	if !(far[0.01] < far[0.3] && far[0.3] < far[1]) || far[0.01] > 128*5 {
		t.Errorf("distances by level: %v", far)
	}
}

func TestEditMistakes(t *testing.T) {
	unconditional := roomtest.SmallModel(t, false, 0)
	dark := writeGray(t, "dark.png", 8, make([]byte, 64))
	for _, c := range []struct {
		option string
		change func(*InpaintOptions)
	}{
		{"out", func(o *InpaintOptions) { o.Out = "" }},
		{"out", func(o *InpaintOptions) { o.Out = "a.gif" }},
		{"out", func(o *InpaintOptions) { o.Data, o.Index, o.In, o.Out = "", nil, []string{dark}, dark }},
		{"in", func(o *InpaintOptions) { o.Index, o.Data = nil, "" }},
		{"in", func(o *InpaintOptions) { o.In = []string{dark} }},
		{"in", func(o *InpaintOptions) { o.Data, o.Index, o.In = "", nil, []string{"none.png"} }},
		{"index", func(o *InpaintOptions) { o.Index = []int{20} }},
		{"index", func(o *InpaintOptions) { o.Index = []int{-1} }},
		{"data", func(o *InpaintOptions) { o.Data = "mnits" }},
		{"mask", func(o *InpaintOptions) { o.Mask = "" }},
		{"mask", func(o *InpaintOptions) { o.Mask = "middle" }},
		{"mask", func(o *InpaintOptions) { o.Mask = Mask(dark) }},
		{"method", func(o *InpaintOptions) { o.Method = "magic" }},
		{"times", func(o *InpaintOptions) { o.Times = -1 }},
		{"class", func(o *InpaintOptions) { o.Class = "7" }},
		{"class", func(o *InpaintOptions) { o.Model, o.Class = unconditional, "1" }},
		{"guidance", func(o *InpaintOptions) { o.Model, o.Guidance = unconditional, 2 }},
		{"guidance", func(o *InpaintOptions) { o.Method, o.Guidance = GradientMethod, 2 }},
		{"guidance-interval", func(o *InpaintOptions) { o.GuidanceInterval = model.Interval{0.5, 0.2} }},
		{"guide", func(o *InpaintOptions) { o.Method, o.Guide = GradientMethod, "auto" }},
		{"guide", func(o *InpaintOptions) { o.Guide = "mnist" }},
		{"guide", func(o *InpaintOptions) { o.Guide = "auto" }},
		{"count", func(o *InpaintOptions) { o.Count = 4096 }},
		{"steps", func(o *InpaintOptions) { o.Steps = -1 }},
	} {
		o := InpaintOptions{Options: smallEdit(t), Mask: "upper"}
		c.change(&o)
		_, err := Inpaint(t.Context(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option {
			t.Errorf("%v, want a mistake in %s", err, c.option)
		}
	}
	if _, err := Vary(t.Context(), VaryOptions{Options: smallEdit(t), Level: 2}); err == nil {
		t.Error("level 2: no error")
	}
}

// A guide changes what is drawn, for any solver and number of threads, and the picture says which
// guide it was, and when it acted.
func TestEditWithAGuide(t *testing.T) {
	guide := roomtest.SmallModel(t, true, 0.02)
	draw := func(guide, solver string, threads int) (file []byte) {
		o := VaryOptions{Options: smallEdit(t), Level: 1}
		o.Guide, o.Guidance, o.Solver, o.Steps, o.Threads = guide, 5, solver, 4, threads
		o.GuidanceInterval = model.Interval{0.2, 0.5}
		if guide == "" {
			o.Guidance, o.GuidanceInterval = 0, model.Interval{}
		}
		if _, err := Vary(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, solver := range []string{"midpoint", "adams2", "dopri5"} {
		guided := draw(guide, solver, 1)
		if !bytes.Equal(guided, draw(guide, solver, 3)) {
			t.Errorf("%s: another picture by more threads", solver)
		}
		if reflect.DeepEqual(decoded(t, guided), decoded(t, draw("", solver, 2))) {
			t.Errorf("%s: the guide changes nothing", solver)
		}
		texts := map[string]string{}
		for _, text := range roomtest.ReadTexts(t, guided) {
			texts[text[0]] = text[1]
		}
		if texts["fmimg.guide"] != roomtest.DataHash(t, guide) || texts["fmimg.guidance-interval"] != "0.2,0.5" || texts["fmimg.guidance"] != "5" {
			t.Errorf("%s: texts %v", solver, texts)
		}
	}
}

// decoded returns the image of a PNG.
func decoded(t *testing.T, file []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestEditInterrupted(t *testing.T) {
	roomtest.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := VaryOptions{Options: smallEdit(t)}
	o.Count, o.Threads = 40, 1
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Sampled {
			cancel()
		}
	}
	if _, err := Vary(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("a picture was written all the same")
	}
}
