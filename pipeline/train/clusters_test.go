package train

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// clusterRun returns options for a short run with clusters of a folder of pictures.
func clusterRun(t *testing.T, folder string) Options {
	o := folderRun(t, folder)
	o.Labels = "clusters:3"
	return o
}

// weightsOf returns the bytes of the model of a run folder.
func weightsOf(t *testing.T, dir string) string {
	t.Helper()
	ck, err := model.Open(dir, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return ck.Hash
}

// A run on clusters says so in its files, counts their images, and goes on with the same labels,
// whether it has saved a model or not: with those of the model, even if other ones would be found
// now.
func TestTrainOnClusters(t *testing.T) {
	o := clusterRun(t, pictureFolder(t, 90))
	var notes []string
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	whole := mustTrain(t, o)
	if !strings.Contains(strings.Join(notes, "\n"), "the classes are 3 clusters") {
		t.Errorf("notes %q", notes)
	}
	ck, err := model.Open(whole.Dir, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	names, m := []string{"cluster 0", "cluster 1", "cluster 2"}, ck.Meta
	sum := 0
	for _, n := range m.ClassCounts {
		sum += n
	}
	if m.Labels != "clusters:3" || !slices.Equal(m.Classes, names) || sum != 68 || m.Clusters == nil || m.Clusters.Count() != 3 {
		t.Errorf("labels %q, classes %v of %v images, clusters %v", m.Labels, m.Classes, m.ClassCounts, m.Clusters)
	}
	if m, err := ck.SettleGuidance(ck.Path, model.Method{}); err != nil || m.Guidance != model.DefaultClusterGuidance {
		t.Errorf("it draws by guidance %v: %v", m.Guidance, err)
	}
	guide, err := ck.OpenGuide(model.AutoGuide, pipeline.Arithmetic{})
	if err != nil || guide == nil {
		t.Fatalf("the run keeps the guide %v: %v", guide, err)
	}
	led, err := ck.SettleGuidance(ck.Path, model.Method{Guide: guide})
	if err != nil || led.Guidance != model.DefaultClusterGuideWeight || led.GuideShare != model.DefaultGuideShare {
		t.Errorf("with a guide it draws by guidance %v, share %v: %v", led.Guidance, led.GuideShare, err)
	}
	if c, err := readTrainRun(whole.Dir); err != nil || c.Resolved.Labels != "clusters:3" || !slices.Equal(c.Data.Classes, names) {
		t.Errorf("config: labels %q, classes %v, %v", c.Resolved.Labels, c.Data.Classes, err)
	}
	for _, forget := range []bool{false, true} {
		part := o
		part.Out, part.StopAfter = filepath.Join(t.TempDir(), "part"), 3
		if _, err := Train(t.Context(), part); err == nil {
			t.Fatal("the run did not stop")
		}
		if forget {
			if err := os.Remove(filepath.Join(part.Out, model.File)); err != nil {
				t.Fatal(err)
			}
		}
		part.StopAfter, part.Resume, part.Labels = 0, true, ""
		mustTrain(t, part)
		if weightsOf(t, part.Out) != weightsOf(t, whole.Dir) {
			t.Errorf("other weights after the run went on, without its model: %v", forget)
		}
	}
}

func TestResumedRunKeepsItsClusters(t *testing.T) {
	o := clusterRun(t, pictureFolder(t, 90))
	o.Labels, o.Conditional = "clusters:4", ConditionalYes
	mustTrain(t, o)
	o.Resume, o.Steps = true, 8
	for _, test := range []struct{ labels, wrong string }{
		{"clusters:4", ""}, {"clusters", ""}, {"clusters:3", "clusters:4"}, {"none", "clusters:4"},
	} {
		o.Labels, o.Given = test.labels, []string{"labels"}
		o.Conditional = ConditionalAuto
		_, err := Train(t.Context(), o)
		if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%s: %v", test.labels, err)
		}
	}
}

// Data that changed is refused, whatever its clusters would be.
func TestResumeRefusesOtherPicturesOfClusters(t *testing.T) {
	folder := pictureFolder(t, 90)
	o := clusterRun(t, folder)
	o.StopAfter = 3
	if _, err := Train(t.Context(), o); err == nil {
		t.Fatal("the run did not stop")
	}
	if err := os.Remove(filepath.Join(folder, "left", "000.png")); err != nil {
		t.Fatal(err)
	}
	o.StopAfter, o.Resume = 0, true
	if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), "left/000.png is gone") {
		t.Errorf("error %v", err)
	}
}

// Too few pictures train without classes, and such a run goes on.
func TestTooFewForClusters(t *testing.T) {
	o := clusterRun(t, pictureFolder(t, 30))
	o.StopAfter = 3
	if _, err := Train(t.Context(), o); err == nil {
		t.Fatal("the run did not stop")
	}
	if c, err := readTrainRun(o.Out); err != nil || c.Resolved.Labels != "none" || c.Resolved.Conditional != ConditionalNo {
		t.Errorf("labels %q, conditional %s, %v", c.Resolved.Labels, c.Resolved.Conditional, err)
	}
	o.StopAfter, o.Resume, o.Labels = 0, true, ""
	mustTrain(t, o)
}

func TestClustersThatNoNetworkTakes(t *testing.T) {
	for _, test := range []struct {
		change func(o *Options)
		want   string
	}{
		{func(o *Options) { o.Conditional = ConditionalNo }, "leave one of the two out"},
		{func(o *Options) { o.Objective, o.Network = model.FlowObjective, nil }, "takes no class"},
		{func(o *Options) { o.Labels = "clusters:1" }, "between 2 and 1024"},
	} {
		o := clusterRun(t, "nowhere")
		test.change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}

// Clusters work on images of a program too.
func TestClustersOfSource(t *testing.T) {
	o := smallRun(t)
	o.Labels = "clusters:2"
	mustTrain(t, o)
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || !slices.Equal(ck.Meta.Classes, []string{"cluster 0", "cluster 1"}) {
		t.Errorf("classes %v, %v", ck.Meta.Classes, err)
	}
}

func TestClustersSuit(t *testing.T) {
	for _, test := range []struct {
		n      int
		change func(o *Options)
		want   string
	}{
		{100, func(*Options) {}, ""},
		{500, func(*Options) {}, "clusters:10"},
		{5000, func(*Options) {}, "clusters:32"},
		{5000, func(o *Options) { o.Conditional = ConditionalYes }, "clusters:32"},
		{5000, func(o *Options) { o.Conditional = ConditionalNo }, ""},
		{5000, func(o *Options) { o.Labels = "none" }, ""},
		{5000, func(o *Options) { o.Labels = "folders" }, ""},
		{5000, func(o *Options) { o.Resume = true }, ""},
		{5000, func(o *Options) { o.Init = "mnist" }, ""},
		{5000, func(o *Options) { o.Objective = model.FlowObjective }, ""},
	} {
		o := Options{}.WithDefaults()
		test.change(&o)
		if got := o.clustersSuit(test.n); got != test.want {
			t.Errorf("%d images, %+v: %q, want %q", test.n, o.MatchOptions, got, test.want)
		}
	}
}

// The card repeats the training with the same clusters.
func TestCardNamesClusters(t *testing.T) {
	o := clusterRun(t, pictureFolder(t, 90))
	o.Words = nil
	mustTrain(t, o)
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil || !bytes.Contains(card, []byte("clusters:3")) {
		t.Errorf("card %s, %v", card, err)
	}
}
