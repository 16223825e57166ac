package sample

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// gaussianNet is an exact network for data x1 ~ N(m, s²): it knows the mean of x1 given x in closed
// form, and tells it as velocity, noise or data.
type gaussianNet struct{ model.Prediction }

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

func (gaussianNet) Jump(_, _, _, _, _ []float32, _ []int32) {}

// Exact networks draw the same images with every solver, whether they predict velocity, noise or
// data.
func TestSamplerHonoursThePrediction(t *testing.T) {
	c := crew.New(2)
	defer c.Close()
	const n, size = 5, 6
	for _, name := range []string{"linear", "linear-power(2)", "cosine", "vp"} {
		path, err := flow.ParseSchedule(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, solver := range model.SolverNames() {
			o := Options{Method: model.Method{Solver: solver, Steps: 20}}.WithDefaults()
			var want []float32
			for _, objective := range []flow.Objective{flow.PredictVelocity, flow.PredictNoise, flow.PredictData} {
				p := model.Prediction{Path: path, Objective: objective}
				drawers := make([]model.Drawer, 2)
				for i := range drawers {
					drawers[i] = model.NewVelocityDrawer(gaussianNet{p}, nil, 2, size)
				}
				s := NewPool(c, drawers, 2, size)
				d := model.Drawing{Seed: 3, Guidance: 1, Plan: model.Plan{Predicts: p}}
				if d.Solver, err = model.NewSolver(o.Method, p); err != nil {
					t.Fatal(err)
				}
				images := make([]float32, n*size)
				if _, err := s.Run(t.Context(), d, images); err != nil {
					t.Fatalf("%s, %s, %v: %v", name, solver, objective, err)
				}
				if want == nil {
					want = images
				}
				// The conversions are damped within 0.005 of the ends of α and σ, and differ there.
				// That moves data of this size by as much. dopri5 adds its tolerance.
				if off := roomtest.Norm(images, want) / math.Sqrt(n*size); off > 0.01 {
					t.Errorf("%s, %s: a network that predicts %v is off by %.3g", name, solver, objective, off)
				}
			}
			var mean float64
			for _, x := range want {
				mean += float64(x) / (n * size)
			}
			// The mean of 30 numbers of deviation 0.1 has a standard error of 0.018. The bound is 4
			// of them and the error of 20 steps.
			if math.Abs(mean-gaussianMean) > 0.1 {
				t.Errorf("%s, %s: images of mean %v", name, solver, mean)
			}
		}
	}
}

// Abm2 and adams2 have shifted steps on the linear path unless a shift of 1 is asked for, other
// solvers and other paths have equal ones. A picture's text has a shift other than 1, and the image
// follows it.
func TestShift(t *testing.T) {
	onCosine := *trained().Network.(*model.UNet)
	onCosine.Predicts.Path = flow.Cosine{}
	curved := *trained()
	curved.Network = &onCosine
	drawn := map[float64][]float32{}
	for _, c := range []struct {
		ck    *model.Checkpoint
		m     model.Method
		shift float64
	}{
		{trained(), model.Method{Steps: 3}, model.DefaultShift},
		{trained(), model.Method{Steps: 3, Solver: "adams2"}, model.DefaultShift},
		{trained(), model.Method{Steps: 3, TimeShift: 1}, 1},
		{trained(), model.Method{Steps: 3, TimeShift: 3}, 3},
		{trained(), model.Method{Steps: 3, Solver: "euler"}, 1},
		{&curved, model.Method{Steps: 3}, 1},
		{trained(), model.Method{Solver: "dopri5"}, 1},
	} {
		s, err := NewSampler(c.ck, Options{Method: c.m, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Options().TimeShift; got != c.shift {
			t.Errorf("%+v: shift %v, want %v", c.m, got, c.shift)
		}
		noted := slices.Contains(s.Texts(&picture.Images{}), picture.Text{"fmimg.time-shift", fmt.Sprint(c.shift)})
		if noted != (c.shift > 1) {
			t.Errorf("%+v: texts %v", c.m, s.Texts(&picture.Images{}))
		}
		images, err := s.Draw(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c.m.Solver == "" && c.ck != &curved {
			drawn[c.shift] = images.Pixels
		}
		s.Close()
	}
	if slices.Equal(drawn[1], drawn[2]) || slices.Equal(drawn[2], drawn[3]) {
		t.Error("images do not depend on the shift")
	}
	noisy := map[float64][]float32{} // a solver with a source of noise, that is watched
	for _, shift := range []float64{1, 2} {
		s, err := NewSampler(trained(), Options{Method: model.Method{Steps: 3, Solver: "sde", TimeShift: shift}, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		images, err := s.DrawFrames(t.Context(), 0, 1, func(int, int, []float32) {})
		if err != nil {
			t.Fatal(err)
		}
		noisy[shift] = images.Pixels
		s.Close()
	}
	if slices.Equal(noisy[1], noisy[2]) {
		t.Error("images of sde do not depend on the shift")
	}
	var wrong *pipeline.OptionError
	for _, m := range []model.Method{{TimeShift: -1}, {TimeShift: 11}, {TimeShift: 2, Solver: "dopri5"}} {
		if _, err := NewSampler(trained(), Options{Method: m}); !errors.As(err, &wrong) || wrong.Option != "time-shift" {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// A picture's text has the level of fresh noise. A model without metadata predicts the velocity.
func TestNoiseLevelIsNoted(t *testing.T) {
	s, err := NewSampler(trained(), Options{Method: model.Method{Solver: "sde", NoiseLevel: 0.5, Steps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	texts := s.Texts(&picture.Images{})
	if !slices.Contains(texts, picture.Text{"fmimg.noise-level", "0.5"}) {
		t.Errorf("texts %v", texts)
	}
	want := model.Prediction{Path: flow.Linear{}, Objective: flow.PredictVelocity}
	if p, err := (model.Meta{}).Prediction(); err != nil || p != want {
		t.Errorf("no metadata: %+v, %v", p, err)
	}
}
