package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// unlabelledRun returns a run on 300 pictures without labels, of which 225 are to train on.
func unlabelledRun(t *testing.T) Options {
	t.Helper()
	return folderRun(t, filepath.Join(pictureFolder(t, 600), "left"))
}

// cardOf returns the card of a run.
func cardOf(t *testing.T, dir string) string {
	t.Helper()
	card, err := os.ReadFile(filepath.Join(dir, run.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(card)
}

// Pictures without labels have clusters for classes, and a note says so. The card's command names
// them, and a run that asks for none has none.
func TestUnlabelledPicturesHaveClusters(t *testing.T) {
	o := unlabelledRun(t)
	var notes []string
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	dir := mustTrain(t, o).Dir
	ck, err := model.Open(dir, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"cluster 0", "cluster 1", "cluster 2", "cluster 3"}
	if !slices.Equal(ck.Meta.Classes, names) || ck.Meta.Labels != "clusters:4" || !strings.Contains(cardOf(t, dir), "clusters:4") {
		t.Errorf("classes %v, labels %q", ck.Meta.Classes, ck.Meta.Labels)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "no labels of their own (labels none trains without clusters)") {
		t.Errorf("notes %q", all)
	}
	set, err := OpenData(t.Context(), o)
	if err != nil || !slices.Equal(set.Train.Classes(), names) {
		t.Errorf("to look at: %v, %v", set, err)
	}
	o.Out, o.Labels, o.OnEvent = filepath.Join(t.TempDir(), "none"), "none", nil
	ck, err = model.Open(mustTrain(t, o).Dir, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Classes != nil {
		t.Errorf("classes %v, %v, want none", ck.Meta.Classes, err)
	}
}

// A run from before clusters goes on without them, and its card's command has none. Pictures that
// are all the same have no clusters, and no note says that they have.
func TestRunsWithoutClusters(t *testing.T) {
	o := unlabelledRun(t)
	o.Labels, o.StopAfter = "none", 3
	if _, err := Train(t.Context(), o); err == nil {
		t.Fatal("the run did not stop")
	}
	path := filepath.Join(o.Out, run.ConfigFile)
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(config), `"labels": "none",`, "", 1)
	if old == string(config) {
		t.Fatalf("no labels in %s", config)
	}
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Labels, o.StopAfter, o.Resume = "", 0, true
	dir := mustTrain(t, o).Dir
	ck, err := model.Open(dir, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Classes != nil || !strings.Contains(cardOf(t, dir), "conditional no") {
		t.Errorf("classes %v, %v, card\n%s", ck.Meta.Classes, err, cardOf(t, dir))
	}

	same := unlabelledRun(t)
	first, err := os.ReadFile(filepath.Join(same.Data, "000.png"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(same.Data, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(file, first, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	same.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted && strings.Contains(e.Text, "labels of their own") {
			t.Errorf("note %q", e.Text)
		}
	}
	mustTrain(t, same)
}

// A run records the distribution of t and the number of paired images that suit its data and its
// other options.
func TestTimesAndPairsByData(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *Options)
		times  string
		paired int
	}{
		"labelled":   {func(*Options) {}, "curriculum(0.5)", 752}, // 256 of a class of 34 %
		"as asked":   {func(o *Options) { o.TimeDist, o.Paired = "uniform", 44 }, "uniform", 44},
		"noise":      {func(o *Options) { o.Objective = model.NoiseObjective }, "uniform", 752},
		"early stop": {func(o *Options) { o.EarlyStop, o.Validation = true, roomtest.Digits() }, "uniform", 752},
		"no class":   {func(o *Options) { o.Conditional = ConditionalNo }, "curriculum(0.5)", 256},
		"at random":  {func(o *Options) { o.Coupling = Independent }, "curriculum(0.5)", 0},
	} {
		o := smallRun(t)
		o.Paired = 0
		test.change(&o)
		dir := mustTrain(t, o).Dir
		config, err := os.ReadFile(filepath.Join(dir, run.ConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readTrainRun(dir)
		recorded := strings.Contains(string(config), `"paired"`)
		if err != nil || got.Resolved.TimeDist != test.times || recorded != (test.paired != 0) ||
			(recorded && got.Resolved.Paired != test.paired) {
			t.Errorf("%s: times %q, %d paired, %v; want %q and %d", name, got.Resolved.TimeDist, got.Resolved.Paired, err,
				test.times, test.paired)
		}
	}
}
