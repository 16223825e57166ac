package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/field"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// The target of a slot and its weight in the loss follow from the prediction.
func TestPlaceByObjective(t *testing.T) {
	path := flow.Cosine{}
	for _, c := range []struct {
		predicted, loss flow.Objective
	}{
		{flow.PredictVelocity, flow.PredictVelocity}, {flow.PredictNoise, flow.PredictNoise},
		{flow.PredictData, flow.PredictVelocity},
	} {
		m := &matching{feed: feed.New(roomtest.Digits(), 1, 2, false), batch: 2, micro: 2,
			predicts: model.Prediction{Path: path, Objective: c.predicted}, loss: c.loss}
		w := newMatchers(m, []model.Replica{&roomtest.CountingNet{}})[0]
		copy(w.x0, []float32{1, 2, 3})
		copy(w.x1, []float32{-1, 0.5, 0})
		w.place(1, 0.25)
		at, want := path.At(0.25), make([]float32, len(w.x0))
		flow.Target(want, w.x0, w.x1, at, c.predicted)
		if !slices.Equal(w.u[len(want):], want) {
			t.Errorf("%v: target %v, want %v", c.predicted, w.u[len(want):][:3], want[:3])
		}
		switch {
		case c.predicted == c.loss && w.weights != nil:
			t.Errorf("%v: weights %v", c.predicted, w.weights)
		case c.predicted != c.loss && w.weights[1] != at.LossWeight(c.predicted, c.loss):
			t.Errorf("%v: weight %v", c.predicted, w.weights)
		}
	}
	if w := lossWeight(path.At(0.999), flow.PredictData, flow.PredictVelocity); w != lossWeightMost {
		t.Errorf("the largest weight is %v", w)
	}
}

// predictingRun returns options for a small run with another objective and path, and with weights
// in its loss.
func predictingRun(t *testing.T) Options {
	o := smallRun(t)
	o.Objective, o.Path, o.LossWeight = "data", "cosine", "velocity"
	return o
}

// A run with another objective has the same tensors with any number of threads and after an
// interruption. Its checkpoint says what it predicts. Every solver draws finite images from it,
// each the same beside any others.
func TestTrainByObjective(t *testing.T) {
	roomtest.NoLeaks(t)
	one := predictingRun(t)
	one.Threads = 1
	mustTrain(t, one)
	o := predictingRun(t)
	o.Threads = 3
	mustTrain(t, o)
	roomtest.SameRun(t, one.Out, o.Out)
	plain := predictingRun(t)
	plain.LossWeight = ""
	roomtest.DifferentRun(t, o.Out, mustTrain(t, plain).Dir)

	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || ck.Meta.Objective != "data" || ck.Meta.Path != "cosine" {
		t.Fatalf("%+v, %v", ck.Meta, err)
	}
	for _, solver := range model.SolverNames() {
		draw := func(threads, first, n int) []float32 {
			s, err := sample.NewSampler(ck, sample.Options{Count: 9, Threads: threads,
				Method: model.Method{Solver: solver, Steps: 3, Tol: 0.1, Guidance: 2}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			images, err := s.Draw(t.Context(), first, n)
			if err != nil {
				t.Fatalf("%s: %v", solver, err)
			}
			return images.Pixels
		}
		all := draw(1, 0, 9)
		if !slices.Equal(all[4*64:6*64], draw(2, 4, 2)) {
			t.Errorf("%s: images depend on what is drawn with them", solver)
		}
	}
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"path cosine, objective data, loss-weight velocity", "| predicts | the data, on " +
		"the cosine path |"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("no %q in\n%s", want, card)
		}
	}
	o.Resume, o.Objective, o.Given = true, "noise", []string{"objective"}
	var wrong *pipeline.OptionError
	if _, err := Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "objective" {
		t.Errorf("resumed by another objective: %v", err)
	}
}

// A training that starts from a checkpoint keeps its prediction, unless the options say otherwise.
func TestInitAdoptsThePrediction(t *testing.T) {
	first := predictingRun(t)
	mustTrain(t, first)
	for _, c := range []struct {
		given, path     string
		objective, loss model.Objective
		note            string
	}{
		{"", "cosine", "data", "data", ""},
		{"objective", "cosine", "velocity", "velocity", "predicts the data on the cosine path, and learns the " +
			"velocity on the cosine path now"},
		{"path", "linear", "data", "data", "and learns the data on the linear path now"},
	} {
		o := smallRun(t)
		o.Init, o.Network, o.Steps, o.Given = first.Out, nil, 1, []string{c.given}
		notes := ""
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				notes += e.Text
			}
		}
		mustTrain(t, o)
		got, err := readTrainRun(o.Out)
		if r := got.Resolved; err != nil || r.Path != c.path || r.Objective != c.objective || r.LossWeight != c.loss {
			t.Errorf("given %q: %s of %s by loss of %s, %v", c.given, r.Path, r.Objective, r.LossWeight, err)
		}
		if !strings.Contains(notes, c.note) || (c.note == "" && notes != "") {
			t.Errorf("given %q: noted %q", c.given, notes)
		}
	}
}

// Training refuses paths and objectives that it does not know. The error names the option.
func TestUnknownObjective(t *testing.T) {
	for option, change := range map[string]func(*Options){
		"path":        func(o *Options) { o.Path = "linear-power(0)" },
		"objective":   func(o *Options) { o.Objective = "score" },
		"loss-weight": func(o *Options) { o.LossWeight = "none" },
	} {
		o := smallRun(t)
		change(&o)
		var wrong *pipeline.OptionError
		if _, err := Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != option {
			t.Errorf("error %v, want one about %s", err, option)
		}
	}
}

// field.Evaluate of a network that predicts data gives the velocity too. The loss is that of the
// prediction.
func TestFieldOfAPrediction(t *testing.T) {
	o := predictingRun(t)
	mustTrain(t, o)
	dir := t.TempDir()
	in := roomtest.FieldFile(5, 3)
	out := filepath.Join(dir, "out.safetensors")
	if _, err := field.Evaluate(context.Background(), field.Options{Model: o.Out,
		In: roomtest.WriteTensors(t, dir, "in.safetensors", in), Out: out, Grad: true}); err != nil {
		t.Fatal(err)
	}
	found := map[string][]float32{}
	for _, tensor := range roomtest.Tensors(t, out) {
		found[tensor.Name] = tensor.F32
	}
	x, p, target := in.Tensor("x").F32, found["prediction"], in.Tensor("target").F32
	want := make([]float32, len(x))
	for i, ti := range in.Tensor("t").F32 {
		part := flow.Cosine{}.At(float64(ti)).Parts(flow.PredictData).Velocity
		part.Apply(want[i*64:(i+1)*64], x[i*64:(i+1)*64], p[i*64:(i+1)*64])
	}
	if len(p) == 0 || !slices.Equal(found["v"], want) {
		t.Errorf("v = %v, want %v", found["v"][:3], want[:3])
	}
	loss := roomtest.Norm(p, target) * roomtest.Norm(p, target) / float64(len(p))
	if got := float64(found["loss"][0]); math.Abs(got-loss) > 1e-5*loss {
		t.Errorf("loss %v, want %v", got, loss)
	}
}

// A step with another objective allocates nothing either.
func TestObjectiveDoesNotAllocate(t *testing.T) {
	o := smallRun(t)
	o.Path, o.Objective, o.LossWeight = "vp", "noise", "velocity"
	stepAllocatesNothing(t, o)
}
