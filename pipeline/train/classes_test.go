package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// withLabels are patterns with labels of their own, which repeat.
type withLabels struct {
	*roomtest.Patterns
	labels []int
}

// Image implements [dataset.Source].
func (s *withLabels) Image(i int, dst []float32) int {
	s.Patterns.Image(i, dst)
	return s.labels[i%len(s.labels)]
}

// labelled returns 40 digits with the given labels in turn, of the classes zero, one and two.
func labelled(labels ...int) *withLabels {
	p := roomtest.Digits()
	p.N = 40
	return &withLabels{p, labels}
}

// notedRun trains and returns the notes that it sent.
func notedRun(t *testing.T, o Options) (notes []string, err error) {
	t.Helper()
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	_, err = Train(context.Background(), o)
	return notes, err
}

// The model knows how often each class was trained, and a person is told of classes that were not,
// and of images without a class. Random images have the trained classes alone.
func TestClassCounts(t *testing.T) {
	for _, c := range []struct {
		labels     []int
		counts     []int
		unlabelled int
		notes      []string
	}{
		{[]int{0, 1, 2, 0}, []int{20, 10, 10}, 0, nil},
		{[]int{0, 2}, []int{20, 0, 20}, 0, []string{"classes without a picture to train on: one: they cannot be drawn"}},
		{[]int{1, -1, -1, -1}, []int{0, 10, 0}, 30, []string{
			"classes without a picture to train on: zero, two: they cannot be drawn",
			"30 of 40 images to train on have no class: they train class none, which is drawn as often " +
				"where no class is asked for"}},
	} {
		o := smallRun(t)
		o.Source, o.Steps, o.PreviewEvery = labelled(c.labels...), 2, 1
		notes, err := notedRun(t, o)
		if err != nil || !slices.Equal(notes, c.notes) {
			t.Errorf("labels %v: notes %q, %v, want %q", c.labels, notes, err, c.notes)
		}
		ck, err := model.Open(o.Out, pipeline.Arithmetic{})
		if err != nil || !slices.Equal(ck.Meta.ClassCounts, c.counts) || ck.Meta.Unlabelled != c.unlabelled {
			t.Fatalf("labels %v: meta %+v, %v", c.labels, ck.Meta, err)
		}
		random := sample.Options{Count: 60, Seed: 3, Method: model.Method{Steps: 1, Solver: "euler"}}
		images, err := sample.Draw(context.Background(), ck, random)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range images.Labels {
			label := int(row)
			if row == ck.Labels().NullRow() {
				label = -1
			}
			if !slices.Contains(c.labels, label) {
				t.Errorf("labels %v: class %d was drawn", c.labels, row)
			}
		}
	}
}

// Where no image to train on has a class, the network learns none.
func TestNoImageHasAClass(t *testing.T) {
	o := smallRun(t)
	o.Source, o.Steps = labelled(-1), 1
	notes, err := notedRun(t, o)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "no picture of patterns to train on has a class") {
		t.Errorf("notes %q, %v", notes, err)
	}
	if ck, err := model.Open(o.Out, pipeline.Arithmetic{}); err != nil || ck.Labels().Rows() != 0 || ck.Meta.ClassCounts != nil {
		t.Errorf("%+v, %v", ck.Meta, err)
	}
}

// A network that always needs a class gets none of images without one, not even of those that are
// held out.
func TestImagesNeedAClass(t *testing.T) {
	always := smallRun(t)
	always.Source, always.LabelDrop, always.Steps = labelled(0, 1, 2), option.None, 1
	mustTrain(t, always)
	for want, change := range map[string]func(o *Options){
		"conditional yes: the images of patterns have no labels": func(o *Options) {
			o.Source, o.Conditional = labelled(-1), ConditionalYes
		},
		"label-drop 0: 20 of 40 images of patterns have no class": func(o *Options) {
			o.Source, o.LabelDrop = labelled(0, -1), option.None
		},
		"label-drop 0: 40 held-out images of patterns have no class": func(o *Options) {
			o.Source, o.Validation, o.LabelDrop = labelled(0, 1), labelled(-1), option.None
		},
		"its network always needs a class, and 20 of 40 images of patterns have none": func(o *Options) {
			o.Source, o.Init, o.Network = labelled(1, -1), always.Out, nil
		},
	} {
		o := smallRun(t)
		change(&o)
		if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A model that was trained on from another one may draw classes that the last data lacked.
func TestInitKeepsClasses(t *testing.T) {
	first := smallRun(t)
	first.Source, first.Steps = labelled(0, 1, 2), 1
	mustTrain(t, first)
	o := smallRun(t)
	o.Source, o.Steps, o.Init, o.Network = labelled(0, 1), 1, first.Out, nil
	mustTrain(t, o)
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Init == "" || !slices.Equal(ck.Meta.ClassCounts, []int{20, 20, 0}) {
		t.Fatalf("meta %+v, %v", ck.Meta, err)
	}
	if rows, _, err := ck.RequestedClasses("two", model.Method{}); err != nil || !slices.Equal(rows, []int32{2}) {
		t.Errorf("class two is %v, %v", rows, err)
	}
}

// A run that held out the last picture of a class, as older ones did, goes on with the images that
// it had.
func TestOldSplitGoesOn(t *testing.T) {
	folder := pictureFolder(t, 24)
	for i := range 11 { // leaves one picture on the left
		if err := os.Remove(filepath.Join(folder, "left", fmt.Sprintf("%03d.png", 2*i))); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(20) {
		o := folderRun(t, folder)
		o.Seed, o.HoldOut, o.Steps, o.StopAfter = seed, 0.5, 4, 2
		o.SplitAny = true
		old, err := o.DataOptions.Open(context.Background(), o.Reader())
		if err != nil {
			t.Fatal(err)
		}
		if old.Train.Len() != 7 {
			t.Fatalf("%d images to train on", old.Train.Len())
		}
		o.SplitAny = false
		now, err := o.DataOptions.Open(context.Background(), o.Reader())
		if err != nil {
			t.Fatal(err)
		}
		if now.Train.Len() == old.Train.Len() {
			continue // the picture is not held out
		}
		through := o
		through.SplitAny, through.StopAfter = true, 0
		mustTrain(t, through)
		o.SplitAny, o.Out = true, filepath.Join(t.TempDir(), "run")
		_, _ = Train(context.Background(), o) // ends with an interruption
		o.SplitAny, o.StopAfter, o.Resume = false, 0, true
		mustTrain(t, o)
		roomtest.SameRun(t, through.Out, o.Out)
		return
	}
	t.Error("no seed holds the picture out: the test proves nothing")
}
