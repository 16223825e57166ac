package train

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

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// pictureFolder makes n pictures of 12x10 in two folders. Those of the two folders have different
// colours.
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
func folderRun(t testing.TB, folder string) Options {
	o := smallRun(t)
	o.Source, o.Data, o.Size, o.HoldOut = nil, folder, pipeline.Square(8), 0.25
	o.Network.InChannels = 3
	return o
}

// A run on a folder has its classes, and the model has their names. The run goes on with the same
// pictures alone.
func TestTrainOnFolder(t *testing.T) {
	folder := pictureFolder(t, 24)
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := folderRun(t, folder)
	var notes []string
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	got := mustTrain(t, o)
	if !(got.Validation > 0) {
		t.Errorf("validation loss %v", got.Validation)
	}
	const leftOut = "1 of 25 files are left out: 1 not a picture (such as notes.txt)"
	const few = "18 pictures to train on are few: each is shifted by up to 1 pixel"
	if len(notes) != 2 || !strings.Contains(notes[0], few) || !strings.Contains(notes[1], leftOut) {
		t.Errorf("notes %q", notes)
	}
	c, err := readTrainRun(o.Out)
	if err != nil || c.Data.Images != 18 || c.Data.Held != 6 || c.Resolved.Size != pipeline.Square(8) ||
		c.Resolved.ImageChannels != "rgb" || c.Resolved.Conditional != "yes" {
		t.Errorf("config %+v, %v", c, err)
	}
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || !slices.Equal(ck.Meta.Classes, []string{"left", "right"}) || ck.Meta.Validation != got.Validation {
		t.Errorf("meta %+v, %v", ck.Meta, err)
	}
	if classes, _, err := ck.ClassList().Parse("right"); err != nil || classes[0] != 1 {
		t.Errorf("--class right: %v, %v", classes, err)
	}

	// The same files in another folder are the same data.
	o.Resume, o.Steps, o.OnEvent = true, 8, nil
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	folder, o.Data, o.Given = moved, moved, []string{"data"}
	mustTrain(t, o)
	if c, err := readTrainRun(o.Out); err != nil || c.Resolved.Data != moved {
		t.Errorf("data %q, %v, want %q", c.Resolved.Data, err, moved)
	}
	o.Data, o.Given = "", nil
	if err := os.Remove(filepath.Join(folder, "left", "004.png")); err != nil {
		t.Fatal(err)
	}
	o.Steps = 9
	if _, err := Train(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "the data of this run has changed") {
		t.Errorf("with other pictures: %v", err)
	}
}

// A run of the time when files came in the order of text goes on in this order. One whose classes
// are no longer those of its data does not.
func TestResumeOlderRun(t *testing.T) {
	folder := pictureFolder(t, 24)
	for i, name := range []string{"10", "9"} {
		if err := os.Rename(filepath.Join(folder, []string{"left", "right"}[i]), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	o := folderRun(t, folder)
	o.TextOrder = true
	mustTrain(t, o)
	if err := os.Remove(filepath.Join(o.Out, run.ContentsFile)); err != nil {
		t.Fatal(err)
	}
	o.TextOrder, o.Resume, o.Steps = false, true, 8
	mustTrain(t, o)
	if c, err := readTrainRun(o.Out); err != nil || !slices.Equal(c.Data.Classes, []string{"10", "9"}) {
		t.Errorf("classes %q, %v", c.Data.Classes, err)
	}
	config := filepath.Join(o.Out, run.ConfigFile)
	data, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.Replace(data, []byte(`"10",`), []byte(`"ten",`), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.Steps = 9
	const want = "its classes were ten, 9, and now 10, 9: train anew"
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// Mirroring is keyed like every draw: it does not depend on the number of threads or on an
// interruption.
func TestFlip(t *testing.T) {
	folder := pictureFolder(t, 24)
	plain := folderRun(t, folder)
	mustTrain(t, plain)
	one := folderRun(t, folder)
	one.Flip, one.Threads = true, 1
	mustTrain(t, one)
	roomtest.DifferentRun(t, plain.Out, one.Out)
	o := folderRun(t, folder)
	o.Flip, o.Threads, o.StopAfter = true, 3, 3
	var stopped *run.InterruptedError
	if _, err := Train(context.Background(), o); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	o.Resume, o.StopAfter, o.Threads = true, 0, 2
	mustTrain(t, o)
	roomtest.SameRun(t, one.Out, o.Out)
}

// The validation loss changes no number of the training, and is the same for any number of threads.
func TestValidationChangesNothing(t *testing.T) {
	without := smallRun(t)
	mustTrain(t, without)
	var losses [2][]float64
	for k, threads := range []int{1, 3} {
		o := smallRun(t)
		held := roomtest.Digits()
		held.N = 7
		o.Validation, o.ValidateEvery, o.Threads = held, 2, threads
		mustTrain(t, o)
		roomtest.SameRun(t, without.Out, o.Out)
		for _, m := range metricLines(t, o.Out) {
			losses[k] = append(losses[k], m.Validation)
		}
		decodePNG(t, filepath.Join(o.Out, run.LossFile))
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

// A network that has not learnt anything predicts zero. Its loss is the mean of (x1 − x0)²: 1 for
// the noise, and the mean square of the pixels. 256 draws of 64 pixels have a standard error of
// 0.011.
func TestValidationLossOfZero(t *testing.T) {
	o := smallRun(t)
	held := &roomtest.Patterns{N: 300, H: 8, W: 8, C: 1, Names: roomtest.Digits().Names,
		Change: func(_ int, dst []float32) {
			for k := range dst {
				dst[k] = 0.5
			}
		}}
	o.Validation = held
	r, err := openTraining(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	loss, err := r.Validate()
	if err != nil || math.Abs(loss-1.25) > 4*0.011 {
		t.Errorf("loss %v, want 1.25; %v", loss, err)
	}
}

func TestDataOptionErrors(t *testing.T) {
	folder := pictureFolder(t, 4)
	for _, c := range []struct {
		name   string
		change func(*Options)
		err    string
	}{
		{"size", func(o *Options) { o.Size, o.Network, o.Preset = pipeline.Square(30), nil, "base" }, "size 30: the network base " +
			"halves images 2 times, which takes multiples of 4: choose size 28 or size 32"},
		{"small size", func(o *Options) { o.Size, o.Network, o.Preset = pipeline.Square(3), nil, "base" }, "choose size 4"},
		{"huge size", func(o *Options) { o.Size = pipeline.Square(5000) }, "size 5000: a number between 0 and 4096 is needed"},
		{"channels", func(o *Options) { o.ImageChannels = "cmyk" }, `image-channels "cmyk": choose one of auto, ` +
			`gray, gray-alpha, rgb, rgba`},
		{"fit", func(o *Options) { o.Fit = "squash" }, `fit "squash": choose one of crop, pad, stretch`},
		{"wide size", func(o *Options) { o.Size, o.Network, o.Preset = pipeline.Size{Width: 64, Height: 50}, nil, "base" },
			"size 64x50: the network base halves images 2 times, which takes multiples of 4: " +
				"choose size 64x48 or size 64x52"},
		{"tall size", func(o *Options) { o.Size, o.Network, o.Preset = pipeline.Size{Width: 2, Height: 49}, nil, "base" },
			"choose size 4x48 or size 4x52"},
		{"flat size", func(o *Options) { o.Size, o.Network, o.Preset = pipeline.Size{Width: 3, Height: 8}, nil, "base" },
			"which takes multiples of 4: choose size 4x8"},
		{"half a size", func(o *Options) { o.Size = pipeline.Size{Width: 8} },
			"size 8x0: both sides lie between 1 and 4096"},
		{"share", func(o *Options) { o.HoldOut = 1 }, "hold-out 1: a number between 0 and 0.9 is needed"},
		{"memory", func(o *Options) {
			o.Size, o.DataMemory, o.Network.ImageSize = pipeline.Square(4096), 1, [2]int{4096, 4096}
		},
			"more"},
		{"network of another size", func(o *Options) { o.Size = pipeline.Square(16) }, "choose size 8 image-channels rgb"},
		{"network of other channels", func(o *Options) { o.ImageChannels = "gray" },
			"choose size 8 image-channels rgb"},
		{"no file", func(o *Options) { o.Data = folder + "-not" }, "there is no such file or folder: check the " +
			"spelling"},
		{"unknown", func(o *Options) { o.Data = "mnits" },
			"no data set and no file has this name: did you mean mnist?"},
		{"run among its pictures", func(o *Options) { o.Out = filepath.Join(folder, "runs", "a") },
			"which its previews would join"},
		{"a format", func(o *Options) { o.Data = "data_test.go" }, "format not supported"},
		{"label drop", func(o *Options) {
			o.Source, o.LabelDrop = &unlabelled{roomtest.Digits()}, option.None
			o.Network.InChannels = 1
		}, "label-drop 0: 1 of 50 images of"},
		{"validation", func(o *Options) {
			o.Source, o.Validation = roomtest.Digits(), &roomtest.Patterns{N: 3, H: 4, W: 4, C: 1}
		}, "validation data patterns: it needs images like those"},
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

// unlabelled is a labelled data set with an image that has no label.
type unlabelled struct{ *roomtest.Patterns }

func (u *unlabelled) Image(i int, dst []float32) int {
	if i == 3 {
		return -1
	}
	return u.Patterns.Image(i, dst)
}
