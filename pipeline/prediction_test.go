package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/flow"
)

// gaussianNet answers for data x1 ~ N(m, s²) in closed form: its mean given x, in the terms of what it predicts.
type gaussianNet struct{ Prediction }

const gaussianMean, gaussianDeviation = -0.4, 0.1

func (g gaussianNet) Forward(v, x, t []float32, _ []int32) {
	d := len(x) / len(t)
	data := make([]float32, d)
	for i, ti := range t {
		c := g.Path.At(float64(ti))
		const m, s2 = gaussianMean, gaussianDeviation * gaussianDeviation
		gain := c.Alpha * s2 / (c.Sigma*c.Sigma + c.Alpha*c.Alpha*s2)
		lo, hi := i*d, (i+1)*d
		for j := range data {
			data[j] = float32(m + gain*(float64(x[lo+j])-c.Alpha*m))
		}
		p := c.Parts(flow.PredictData)
		switch answer := v[lo:hi]; g.Objective {
		case flow.PredictNoise:
			p.Noise.Apply(answer, x[lo:hi], data)
		case flow.PredictData:
			copy(answer, data)
		default:
			p.Velocity.Apply(answer, x[lo:hi], data)
		}
	}
}

func (gaussianNet) Backward(_, _, _ []float32) {}

func (gaussianNet) Jump(_, _, _, _ []float32, _ []int32) {}

// Networks that know the answer draw the same images, whatever they predict, with every solver.
func TestSamplerHonoursThePrediction(t *testing.T) {
	c := newCrew(2)
	defer c.close()
	const n, size = 5, 6
	for _, name := range []string{"linear", "linear-power(2)", "cosine", "vp"} {
		path, err := flow.ParseSchedule(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, solver := range SolverNames() {
			o := SampleOptions{Method: Method{Solver: solver, Steps: 20}}.withDefaults()
			var want []float32
			for _, objective := range []flow.Objective{flow.PredictVelocity, flow.PredictNoise, flow.PredictData} {
				p := Prediction{path, objective}
				s := newSampler(c, []Drawer{NewVelocityDrawer(gaussianNet{p}, 2, size), NewVelocityDrawer(gaussianNet{p}, 2, size)}, 2, size)
				d := Drawing{Seed: 3, Guidance: 1, Plan: Plan{Predicts: p}}
				if d.Solver, err = newSolver(o.Method, p); err != nil {
					t.Fatal(err)
				}
				images := make([]float32, n*size)
				if _, err := s.run(t.Context(), d, images); err != nil {
					t.Fatalf("%s, %s, %v: %v", name, solver, objective, err)
				}
				if want == nil {
					want = images
				}
				// The conversions differ where they are damped: within 0.005 of the ends of α and σ, which carries data of this
				// size by that; and by what dopri5 tolerates.
				if off := norm(images, want) / math.Sqrt(n*size); off > 0.01 {
					t.Errorf("%s, %s: images of a network that predicts %v are off by %.3g", name, solver, objective, off)
				}
			}
			var mean float64
			for _, x := range want {
				mean += float64(x) / (n * size)
			}
			// 30 numbers of deviation 0.1 have a standard error of 0.018; 4 of them, and the error of 20 steps.
			if math.Abs(mean-gaussianMean) > 0.1 {
				t.Errorf("%s, %s: images of mean %v", name, solver, mean)
			}
		}
	}
}

// What a slot of a batch is trained on, and how much it counts.
func TestPlaceByObjective(t *testing.T) {
	path := flow.Cosine{}
	for _, c := range []struct {
		predicted, loss flow.Objective
	}{
		{flow.PredictVelocity, flow.PredictVelocity}, {flow.PredictNoise, flow.PredictNoise}, {flow.PredictData, flow.PredictVelocity},
	} {
		m := &matching{feed: newFeed(digits(), 1, 2, false), batch: 2, micro: 2, predicts: Prediction{path, c.predicted}, loss: c.loss}
		w := newMatchers(m, []Replica{&countingNet{}})[0]
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

// predictingRun is a small run by another objective and path, with weights in its loss.
func predictingRun(t *testing.T) TrainOptions {
	o := smallRun(t)
	o.Objective, o.Path, o.LossWeight = "data", "cosine", "velocity"
	return o
}

// A run by another objective is as exact as any, notes what it predicts, and is drawn from by every solver: images of
// numbers, the same in any company.
func TestTrainByObjective(t *testing.T) {
	noLeaks(t)
	one := predictingRun(t)
	one.Threads = 1
	mustTrain(t, one)
	o := predictingRun(t)
	o.Threads = 3
	mustTrain(t, o)
	sameRun(t, one.Out, o.Out)
	plain := predictingRun(t)
	plain.LossWeight = ""
	differentRun(t, o.Out, mustTrain(t, plain).Dir)

	ck, err := OpenCheckpoint(o.Out, "")
	if err != nil || ck.Meta.Objective != "data" || ck.Meta.Path != "cosine" {
		t.Fatalf("%+v, %v", ck.Meta, err)
	}
	for _, solver := range SolverNames() {
		draw := func(threads, first, n int) []float32 {
			s, err := NewSampler(ck, SampleOptions{Count: 9, Threads: threads, Method: Method{Solver: solver, Steps: 3, Tol: 0.1, Guidance: 2}})
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
	card, err := os.ReadFile(filepath.Join(o.Out, cardFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--path cosine --objective data --loss-weight velocity", "| predicts | the data, on the cosine path |"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("no %q in\n%s", want, card)
		}
	}
	o.Resume, o.Objective, o.Given = true, "noise", []string{"objective"}
	var wrong *OptionError
	if _, err := Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "objective" {
		t.Errorf("resumed by another objective: %v", err)
	}
}

// A network to start from goes on with what it predicts, unless it is told otherwise.
func TestInitAdoptsThePrediction(t *testing.T) {
	first := predictingRun(t)
	mustTrain(t, first)
	for _, c := range []struct{ given, path, objective, loss, note string }{
		{"", "cosine", "data", "data", ""},
		{"objective", "cosine", "velocity", "velocity", "predicts the data on the cosine path, and learns the velocity on the cosine path now"},
		{"path", "linear", "data", "data", "and learns the data on the linear path now"},
	} {
		o := smallRun(t)
		o.Init, o.Network, o.Steps, o.Given = first.Out, nil, 1, []string{c.given}
		notes := ""
		o.OnEvent = func(e Event) {
			if e.Kind == Noted {
				notes += e.Text
			}
		}
		mustTrain(t, o)
		got, err := readTrainRun(o.Out)
		if r := got.Options; err != nil || r.Path != c.path || r.Objective != c.objective || r.LossWeight != c.loss {
			t.Errorf("given %q: %s of %s by loss of %s, %v", c.given, r.Path, r.Objective, r.LossWeight, err)
		}
		if !strings.Contains(notes, c.note) || (c.note == "" && notes != "") {
			t.Errorf("given %q: noted %q", c.given, notes)
		}
	}
}

// A model that predicts what this program does not know is refused when it is opened.
func TestUnknownPrediction(t *testing.T) {
	for want, m := range map[string]Meta{`unknown path "spiral"`: {Path: "spiral"}, `unknown objective "score"`: {Objective: "score"}} {
		m.PixelRange = [2]float64{-1, 1}
		if _, err := parseMeta(map[string]string{metaKey: m.text()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read: %v", err)
		}
	}
}

// What training does not know is refused by name.
func TestUnknownObjective(t *testing.T) {
	for option, change := range map[string]func(*TrainOptions){
		"path":        func(o *TrainOptions) { o.Path = "linear-power(0)" },
		"objective":   func(o *TrainOptions) { o.Objective = "score" },
		"loss-weight": func(o *TrainOptions) { o.LossWeight = "none" },
	} {
		o := smallRun(t)
		change(&o)
		var wrong *OptionError
		if _, err := Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != option {
			t.Errorf("error %v, want one about %s", err, option)
		}
	}
}

// The field of a network that predicts data: its velocity beside the prediction, whose loss is measured.
func TestFieldOfAPrediction(t *testing.T) {
	o := predictingRun(t)
	mustTrain(t, o)
	dir := t.TempDir()
	in := fieldFile(5, 3)
	out := filepath.Join(dir, "out.safetensors")
	if _, err := Field(context.Background(), FieldOptions{Model: o.Out, In: writeTensors(t, dir, "in.safetensors", in), Out: out, Grad: true}); err != nil {
		t.Fatal(err)
	}
	found := map[string][]float32{}
	for _, tensor := range tensors(t, out) {
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
	loss := norm(p, target) * norm(p, target) / float64(len(p))
	if got := float64(found["loss"][0]); math.Abs(got-loss) > 1e-5*loss {
		t.Errorf("loss %v, want %v", got, loss)
	}
}

// With another objective too a step allocates nothing.
func TestObjectiveDoesNotAllocate(t *testing.T) {
	o := smallRun(t)
	o.Path, o.Objective, o.LossWeight = "vp", "noise", "velocity"
	stepAllocatesNothing(t, o)
}

// What a picture's texts say of fresh noise, and that of a model which says nothing of its prediction it is the velocity.
func TestNoiseLevelIsNoted(t *testing.T) {
	s, err := NewSampler(trained(), SampleOptions{Method: Method{Solver: "sde", NoiseLevel: 0.5, Steps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if texts := fmt.Sprint(s.texts(&Images{})); !strings.Contains(texts, "{fmimg.noise-level 0.5}") {
		t.Errorf("texts %s", texts)
	}
	if p, err := (Meta{}).Prediction(); err != nil || p != (Prediction{flow.Linear{}, flow.PredictVelocity}) {
		t.Errorf("no meta: %+v, %v", p, err)
	}
}

// A countingNet counts the images of its forward passes.
type countingNet struct{ images int }

func (c *countingNet) Forward(_, _, t []float32, _ []int32) { c.images += len(t) }
func (c *countingNet) Jump(_, _, t, _ []float32, _ []int32) { c.images += len(t) }
func (*countingNet) Backward(_, _, _ []float32)             {}
