package distill

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// savedModel saves a model of the classes of the teacher, with other weights for another spread.
func savedModel(t *testing.T, spread float64) string {
	c := roomtest.NamedCheckpoint
	c.Spread = spread
	return c.Save(t)
}

// A teacher with a guide draws what a sampler draws with it.
func TestGuidedTrajectories(t *testing.T) {
	ck, err := model.Open(savedModel(t, 0.1), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	m := model.Method{Guidance: 2, GuideShare: 1, Interval: model.Interval{0.2, 0.5}, Solver: "adams2", Steps: 8, TimeShift: 1}
	if m.Guide, err = ck.OpenGuide(savedModel(t, 0.05), pipeline.Arithmetic{}); err != nil {
		t.Fatal(err)
	}
	c := crew.New(2)
	defer c.Close()
	teach, err := newTeacher(ck, m, model.OneGuidance(2), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	const n, seed = 5, 3
	drawn := newTrajectories(n, ck.Shape().Len())
	teach.condition(drawn, seed)
	if err := teach.draw(t.Context(), drawn, seed, 0, wholeWay); err != nil {
		t.Fatal(err)
	}
	s, err := sample.NewSampler(ck, sample.Options{Count: n, Seed: seed, Method: m})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	images, err := s.Draw(t.Context(), 0, n)
	if err != nil || !slices.Equal(images.Pixels, drawn.states[keptParts]) {
		t.Errorf("the teacher draws other images, %v", err)
	}
}

// A student records the guide and the interval of its teacher. Resuming takes the guide from a new
// place, and refuses another one.
func TestDistillWithAGuide(t *testing.T) {
	o := smallDistillation(t, savedModel(t, 0.1))
	o.Guide, o.Guidance, o.GuidanceInterval = savedModel(t, 0.05), model.OneGuidance(1.7), model.Interval{0.25, 0.5}
	hash := roomtest.DataHash(t, o.Guide)
	whole := o
	whole.Out = filepath.Join(t.TempDir(), "whole")
	mustDistill(t, whole)
	ck, err := model.Open(whole.Out, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	of := ck.Meta.Teacher
	if of.Guide != hash || of.Within != o.GuidanceInterval || of.Guidance != 1.7 {
		t.Errorf("the student says %+v of its teacher", of)
	}
	card, err := os.ReadFile(filepath.Join(whole.Out, run.CardFile))
	for _, want := range []string{
		"guidance 1.7 away from " + o.Guide + " for t from 0.25 to 0.5", "guidance-interval 0.25,0.5", "guide " + o.Guide,
	} {
		if err != nil || !strings.Contains(string(card), want) {
			t.Errorf("no %q in the card, %v:\n%s", want, err, card)
		}
	}
	o.StopAfter = 4
	if _, err := Distill(t.Context(), o); err == nil {
		t.Fatal("the run did not stop")
	}
	moved := filepath.Join(t.TempDir(), "moved.safetensors")
	if err := os.Rename(o.Guide, moved); err != nil {
		t.Fatal(err)
	}
	again := Options{Options: run.Options{Out: o.Out, Resume: true}, Guide: savedModel(t, 0.02)}
	again.Given = []string{"guide"}
	if _, err := Distill(t.Context(), again); err == nil || !strings.Contains(err.Error(), "the guide of this run has changed") {
		t.Errorf("another guide: %v", err)
	}
	again.Guide = moved
	mustDistill(t, again)
	roomtest.SameRun(t, whole.Out, o.Out)
}

// A model that was not trained for guidance is distilled without.
func TestDistillWithoutGuidance(t *testing.T) {
	o := smallDistillation(t, roomtest.SmallModel(t, false, 0.1))
	o.Steps = 1
	mustDistill(t, o)
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Teacher.Guidance != 1 || ck.Meta.Teacher.Within != (model.Interval{}) {
		t.Errorf("%+v, %v", ck.Meta.Teacher, err)
	}
}

// What a record does not say of the interval is as runs did before there was one.
func TestOldRunsAreGuidedAllTheWay(t *testing.T) {
	var o Options
	if err := o.UnmarshalJSON([]byte(`{"guidance": 1.3}`)); err != nil || o.GuidanceInterval != (model.Interval{0, 1}) {
		t.Errorf("%+v, %v", o.GuidanceInterval, err)
	}
}
