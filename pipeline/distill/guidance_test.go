package distill

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// guidedStudent returns a flow map that was distilled for weights from 1 to 1.1.
func guidedStudent(t *testing.T) (path string, ck *model.Checkpoint) {
	path = ownCopy(t, "guided.safetensors", func() string {
		o := smallDistillation(t, roomtest.NamedModel(t))
		o.Guidance, o.LR, o.Steps = model.GuidanceRange{1, 1.1}, 0.05, 4
		if _, err := Distill(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		return o.Out
	})
	ck, err := model.Open(path, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return path, ck
}

// A student of a range takes the weights in it, once an evaluation, and refuses others. Unless it
// is told another it takes the one that is nearest to the default of all models.
func TestStudentTakesTheWeight(t *testing.T) {
	_, ck := guidedStudent(t)
	pixels := map[float64][]float32{}
	for _, weight := range []float64{0, 1, 1.05, 1.1} {
		o := sample.Options{Count: 3, Seed: 4, Method: model.Method{Guidance: weight, Steps: 2}}
		s, err := sample.NewSampler(ck, o)
		if err != nil {
			t.Fatal(err)
		}
		images, err := s.Draw(t.Context(), 0, 3)
		if err != nil || s.Evaluations() != 2 {
			t.Errorf("guidance %v: %v evaluations, %v", weight, s.Evaluations(), err)
		}
		pixels[weight] = images.Pixels
		s.Close()
	}
	if !slices.Equal(pixels[0], pixels[1.1]) {
		t.Error("the default is not 1.1")
	}
	if slices.Equal(pixels[1], pixels[1.05]) || slices.Equal(pixels[1.05], pixels[1.1]) {
		t.Error("the weight makes no difference")
	}
	for _, weight := range []float64{0.9, 1.2, -1} {
		_, err := sample.NewSampler(ck, sample.Options{Method: model.Method{Guidance: weight}})
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != "guidance" || !strings.Contains(err.Error(), "from 1 to 1.1") {
			t.Errorf("guidance %v: %v", weight, err)
		}
	}
}

// The file of the student, an export of it, its description and the card of its run say which
// weights it takes.
func TestRangeIsRecorded(t *testing.T) {
	path, ck := guidedStudent(t)
	if of := ck.Meta.Teacher; of.GuidanceRange != (model.GuidanceRange{1, 1.1}) || of.Guidance != 1.1 {
		t.Errorf("teacher %+v", of)
	}
	out := filepath.Join(t.TempDir(), "half.safetensors")
	if err := model.Export(path, out, true); err != nil {
		t.Fatal(err)
	}
	info, err := model.Describe(out)
	if err != nil || !info.Network.GuidanceEmbed {
		t.Fatalf("%+v, %v", info, err)
	}
	text := ""
	for _, line := range info.Lines(pipeline.Plain) {
		text += line[0] + ": " + line[1] + "\n"
	}
	for _, want := range []string{"guidance 1-1.1, SHA", "guidance: an input: weights from 1 to 1.1, unless told another 1.1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the description does not say %q:\n%s", want, text)
		}
	}
	o := smallDistillation(t, roomtest.NamedModel(t))
	o.Guidance, o.Steps, o.OnPolicy, o.PreviewEvery = model.GuidanceRange{1, 1.1}, 2, 0.5, 1
	mustDistill(t, o)
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{", guidance 1-1.1, ", "guidance 1-1.1, of which the network takes", ", on-policy 0.5, on-policy-from 0.5, "} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card does not say %q:\n%s", want, card)
		}
	}
	o.Resume, o.Guidance, o.Given = true, model.GuidanceRange{1, 1.2}, []string{"guidance"}
	var wrong *pipeline.OptionError
	if _, err := Distill(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "guidance" {
		t.Errorf("another range: %v", err)
	}
}
