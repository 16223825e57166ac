package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

// pictureFolder makes n pictures of 12x10 in two folders, whose colours tell them apart.
func pictureFolder(t testing.TB, n int) string {
	t.Helper()
	folder := t.TempDir()
	for i := range n {
		m := image.NewNRGBA(image.Rect(0, 0, 12, 10))
		for k := range 120 {
			m.SetNRGBA(k%12, k/12, color.NRGBA{uint8(20 * (k % 12)), uint8(i), uint8(255 * (i % 2)), 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, []string{"left", "right"}[i%2], fmt.Sprintf("%03d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// folderRun returns options for a short run on a folder of pictures.
func folderRun(t testing.TB, folder string) TrainOptions {
	o := smallRun(t)
	o.Source, o.Data, o.Size, o.HoldOut = nil, folder, 8, 0.25
	o.Network.InChannels = 3
	return o
}

// A folder trains with its classes, whose names reach the model; the run goes on with the same pictures
// alone.
func TestTrainOnFolder(t *testing.T) {
	folder := pictureFolder(t, 24)
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := folderRun(t, folder)
	var notes []string
	o.OnEvent = func(e Event) {
		if e.Kind == Noted {
			notes = append(notes, e.Text)
		}
	}
	got := mustTrain(t, o)
	if !(got.Validation > 0) {
		t.Errorf("validation loss %v", got.Validation)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "1 of 25 files are left out: 1 not a picture (such as notes.txt)") {
		t.Errorf("notes %q", notes)
	}
	c, err := readTrainRun(o.Out)
	if err != nil || c.Data.Images != 18 || c.Data.Held != 6 || c.Options.Size != 8 || c.Options.ImageChannels != "rgb" || c.Options.Conditional != "yes" {
		t.Errorf("config %+v, %v", c, err)
	}
	ck, err := OpenCheckpoint(o.Out, "")
	if err != nil || !slices.Equal(ck.Meta.Classes, []string{"left", "right"}) || ck.Meta.Validation != got.Validation {
		t.Errorf("meta %+v, %v", ck.Meta, err)
	}
	if classes, err := ck.ClassList().Parse("right"); err != nil || classes[0] != 1 {
		t.Errorf("--class right: %v, %v", classes, err)
	}

	// The same files in another place are the same data.
	o.Resume, o.Steps, o.OnEvent = true, 8, nil
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	folder, o.Data, o.Given = moved, moved, []string{"data"}
	mustTrain(t, o)
	if c, err := readTrainRun(o.Out); err != nil || c.Options.Data != moved {
		t.Errorf("data %q, %v, want %q", c.Options.Data, err, moved)
	}
	o.Data, o.Given = "", nil
	if err := os.Remove(filepath.Join(folder, "left", "004.png")); err != nil {
		t.Fatal(err)
	}
	o.Steps = 9
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), "the data of this run has changed") {
		t.Errorf("with other pictures: %v", err)
	}
}

// What is mirrored is keyed like every draw: no number of threads and no interruption changes it.
func TestFlip(t *testing.T) {
	folder := pictureFolder(t, 24)
	plain := folderRun(t, folder)
	mustTrain(t, plain)
	one := folderRun(t, folder)
	one.Flip, one.Threads = true, 1
	mustTrain(t, one)
	differentRun(t, plain.Out, one.Out)
	o := folderRun(t, folder)
	o.Flip, o.Threads, o.StopAfter = true, 3, 3
	var stopped *InterruptedError
	if _, err := Train(context.Background(), o); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	o.Resume, o.StopAfter, o.Threads = true, 0, 2
	mustTrain(t, o)
	sameRun(t, one.Out, o.Out)
}

func TestMirror(t *testing.T) {
	for _, c := range []struct {
		rowLen, channels int
		want             []float32
	}{
		{3, 1, []float32{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}},
		{4, 1, []float32{4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9}},
		{6, 3, []float32{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}},
	} {
		x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		mirror(x, c.rowLen, c.channels)
		if !slices.Equal(x, c.want) {
			t.Errorf("rows of %d, %d channels: %v", c.rowLen, c.channels, x)
		}
		mirror(x, c.rowLen, c.channels)
		if x[0] != 1 || x[11] != 12 {
			t.Errorf("mirrored twice: %v", x)
		}
	}
}

// The validation loss changes no number of the training, and is the same for any number of threads.
func TestValidationChangesNothing(t *testing.T) {
	without := smallRun(t)
	mustTrain(t, without)
	var losses [2][]float64
	for k, threads := range []int{1, 3} {
		o := smallRun(t)
		held := digits()
		held.n = 7
		o.Validation, o.ValidateEvery, o.Threads = held, 2, threads
		mustTrain(t, o)
		sameRun(t, without.Out, o.Out)
		for _, m := range metricLines(t, o.Out) {
			losses[k] = append(losses[k], m.Validation)
		}
		decodePNG(t, filepath.Join(o.Out, lossFile))
	}
	if !slices.Equal(losses[0], losses[1]) {
		t.Errorf("losses %v and %v", losses[0], losses[1])
	}
	for i, loss := range losses[0] {
		if (loss > 0) != (i%2 == 1) {
			t.Errorf("losses %v, want one after every second step", losses[0])
		}
	}
}

// A network that has not learnt anything answers zero, and its loss is the mean of (x1 − x0)²: 1 for the
// noise and the mean square of the pixels. 256 draws of 64 pixels have a standard error of 0.011.
func TestValidationLossOfZero(t *testing.T) {
	o := smallRun(t)
	held := &patterns{n: 300, h: 8, w: 8, c: 1, classes: digits().classes, image: func(_ int, dst []float32) {
		for k := range dst {
			dst[k] = 0.5
		}
	}}
	o.Validation = held
	r, err := openTraining(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	loss, err := r.validate()
	if err != nil || math.Abs(loss-1.25) > 4*0.011 {
		t.Errorf("loss %v, want 1.25; %v", loss, err)
	}
}

func TestHeldLine(t *testing.T) {
	const none = math.MaxFloat64
	line := heldLine([]heldLoss{{20, 3}, {40, 1}, {80, 1}}, 100, 10, 2.5)
	for i, want := range []float64{none, none, 2.5, 2, 1, 1, 1, 1, 1, none, none} {
		if line[i] != want && math.Abs(line[i]-want) > 1e-12 {
			t.Errorf("point %d is %v, want %v: %v", i, line[i], want, line)
		}
	}
}

func TestDataOptionErrors(t *testing.T) {
	folder := pictureFolder(t, 4)
	for _, c := range []struct {
		name   string
		change func(*TrainOptions)
		err    string
	}{
		{"size", func(o *TrainOptions) { o.Size, o.Network, o.Preset = 30, nil, "base" }, "size 30: the network base halves images 2 times, which takes multiples of 4: choose --size 28 or --size 32"},
		{"small size", func(o *TrainOptions) { o.Size, o.Network, o.Preset = 3, nil, "base" }, "choose --size 4"},
		{"huge size", func(o *TrainOptions) { o.Size = 5000 }, "size 5000: a number between 0 and 4096 is needed"},
		{"channels", func(o *TrainOptions) { o.ImageChannels = "cmyk" }, `image-channels "cmyk": choose one of auto, gray, rgb`},
		{"share", func(o *TrainOptions) { o.HoldOut = 1 }, "hold-out 1: a number between 0 and 0.9 is needed"},
		{"memory", func(o *TrainOptions) { o.Size, o.DataMemory, o.Network.ImageSize = 4096, 1, [2]int{4096, 4096} }, "more"},
		{"network of another size", func(o *TrainOptions) { o.Size = 16 }, "choose --size 8 --image-channels rgb"},
		{"network of other channels", func(o *TrainOptions) { o.ImageChannels = "gray" }, "choose --size 8 --image-channels rgb"},
		{"no file", func(o *TrainOptions) { o.Data = folder + "-not" }, "there is no such file or folder: check the spelling"},
		{"unknown", func(o *TrainOptions) { o.Data = "mnits" }, "no data set and no file has this name: did you mean mnist?"},
		{"run among its pictures", func(o *TrainOptions) { o.Out = filepath.Join(folder, "runs", "a") }, "which its previews would join"},
		{"a format", func(o *TrainOptions) { o.Data = "data_test.go" }, "format not supported"},
		{"label drop", func(o *TrainOptions) {
			o.Source, o.LabelDrop = &unlabelled{digits()}, 0
			o.Network.InChannels = 1
		}, "label-drop 0: some images"},
		{"validation", func(o *TrainOptions) { o.Source, o.Validation = digits(), &patterns{n: 3, h: 4, w: 4, c: 1} }, "validation data patterns: it needs images like those"},
	} {
		o := folderRun(t, folder)
		c.change(&o)
		if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: a run folder was made", c.name)
		}
	}
}

// unlabelled is a labelled set with an image that has no label.
type unlabelled struct{ *patterns }

func (u *unlabelled) Image(i int, dst []float32) int {
	if i == 3 {
		return -1
	}
	return u.patterns.Image(i, dst)
}

func TestDataGrid(t *testing.T) {
	for _, c := range []struct {
		source dataset.Source
		w, h   int
	}{
		{digits(), 2 + 12*(48+2), 2 + 3*(48+2)}, // a row for each class, 8 pixels 6 times as large
		{&patterns{n: 30, h: 32, w: 32, c: 3}, 2 + 12*34, 2 + 3*34},
	} {
		m, err := DataGrid(c.source)
		if err != nil || m.Bounds().Dx() != c.w || m.Bounds().Dy() != c.h {
			t.Errorf("picture of %v, %v, want %dx%d", m.Bounds(), err, c.w, c.h)
		}
	}
	m, err := DataGrid(&patterns{n: 5, h: 48, w: 48, c: 1, classes: []string{"a", "b", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	// Of class c there is image 2 alone: the rest of its row stays gray.
	if got := color.GrayModel.Convert(m.At(2+50+10, 2+100+10)).(color.Gray).Y; got != gutter {
		t.Errorf("a missing image is %d", got)
	}
}
