package model

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// A linearNet is the field v = rate[class]·x. rate[0] is that of images without a class.
type linearNet struct {
	rate []float32
	runs int // images that were evaluated
	x    []float32
}

func (n *linearNet) Forward(v, x, t []float32, y []int32) {
	n.runs += len(t)
	d := len(x) / len(t)
	n.x = append(n.x[:0], x...) // as a network does, it keeps memory of its own
	for i := range v {
		class := int32(0)
		if y != nil {
			class = y[i/d]
		}
		v[i] = n.rate[class] * n.x[i]
	}
}

func (*linearNet) Jump(_, _, _, _, _ []float32, _ []int32) {}
func (*linearNet) Backward(_, _, _ []float32)              {}

var velocities = Prediction{Path: flow.Linear{}}

// growth returns what a state is multiplied by in steps of Euler's method, which add a part of
// the velocity: plain·x, and (guided − plain)·x where guidance acts, of the x at which it was
// computed last. computed is how often it was.
func growth(steps int, within Interval, every int, guided, plain float64) (x float64, computed int) {
	x = 1
	added, acted := 0.0, 0
	for i := range steps {
		v := plain * x
		if t := float64(i) / float64(steps); t >= within[0] && t <= within[1] {
			if acted%every == 0 {
				added = (guided - plain) * x
				computed++
			}
			acted++
			v += added
		}
		x += v / float64(steps)
	}
	return x, computed
}

// Guidance of linear fields adds to the velocity within the interval, what it added last where it
// is not computed, and nothing outside of the interval. An image has two evaluations where guidance
// is computed, three where it leads away from a guide and from no class, and one elsewhere.
func TestGuidanceOfLinearFields(t *testing.T) {
	const steps, weight = 10, 1.5
	for _, c := range []struct {
		within Interval
		every  int
		acts   int // steps in which it is computed
	}{
		{Interval{}, 0, 10}, {Interval{0, 1}, 1, 10}, {Interval{0.3, 0.6}, 1, 4}, {Interval{0.31, 0.59}, 1, 2},
		{Interval{0, 0.1}, 1, 2}, {Interval{0.9, 1}, 1, 1}, {Interval{0.91, 0.99}, 1, 0},
		{Interval{}, 2, 5}, {Interval{}, 3, 4}, {Interval{}, 99, 1}, {Interval{0.3, 0.6}, 3, 2}, {Interval{0.9, 1}, 2, 1},
	} {
		for _, by := range []string{"class", "guide", "guide and class", "guide of other classes", "guide without classes"} {
			t.Run(fmt.Sprint(by, " within ", c.within, " every ", c.every), func(t *testing.T) {
				net, guide := &linearNet{rate: []float32{0.5, 1, 2}}, &linearNet{rate: []float32{0.25, 0.75, 0.5}}
				d := Drawing{
					Labels: []int32{1, 2}, Guidance: weight, Interval: c.within, GuidanceEvery: c.every,
					Plan: Plan{Solver: ode.Fixed(ode.Euler, steps), Predicts: velocities},
				}
				away := []float64{0.5, 0.5}
				switch by {
				case "guide":
					d.Guide, away = &Guide{predicts: velocities, rows: []int32{0, 1, 2}, null: -1}, []float64{0.75, 0.5}
				case "guide and class":
					d.Guide, away = &Guide{predicts: velocities, rows: []int32{0, 1, 2}, null: -1}, []float64{0.5625, 0.5}
					d.GuideShare = 0.25 // of 0.75 and 0.5, and 0.75 of 0.5
				case "guide of other classes":
					d.Guide, away = &Guide{predicts: velocities, rows: []int32{0, 2, 1}, null: -1}, []float64{0.5, 0.75}
				case "guide without classes":
					d.Guide, away = &Guide{predicts: velocities, null: -1}, []float64{0.25, 0.25}
				}
				x := []float32{1, -2, 3, 1}
				stats, err := NewVelocityDrawer(net, guide, 2, 2).Draw(t.Context(), &d, 0, x)
				if err != nil {
					t.Fatal(err)
				}
				for i, start := range []float64{1, -2, 3, 1} {
					plain := []float64{1, 2}[i/2]
					from := away[i/2]
					want, computed := growth(steps, c.within.orDefault(), max(c.every, 1), from+weight*(plain-from), plain)
					if computed != c.acts {
						t.Fatalf("computed %d times, want %d", computed, c.acts)
					}
					want *= start
					if !numtest.Near(float64(x[i]), want, 1e-5*math.Abs(want)) {
						t.Errorf("number %d is %v, want %v", i, x[i], want)
					}
				}
				n := steps + c.acts
				if d.GuideShare != 0 {
					n += c.acts
				}
				if want := (ode.Tally{Total: 2 * n, Max: n}); stats.Evaluations != want || net.runs+guide.runs != 2*n {
					t.Errorf("%+v of %d and %d, want %+v", stats.Evaluations, net.runs, guide.runs, want)
				}
				m := Method{
					Guidance: weight, Interval: c.within, GuidanceEvery: c.every, Guide: d.Guide, GuideShare: d.GuideShare, Solver: "euler",
				}
				if got := m.Evaluations(steps); got != n {
					t.Errorf("counted before as %d, want %d", got, n)
				}
			})
		}
	}
}

// A model without classes has a guide with classes evaluated without one.
func TestGuideOfAModelWithoutClasses(t *testing.T) {
	net, guide := &linearNet{rate: []float32{1}}, &linearNet{rate: []float32{7, 7, 0.5}}
	d := Drawing{
		Guidance: 2, Plan: Plan{Solver: ode.Fixed(ode.Euler, 1), Guide: &Guide{predicts: velocities, null: 2}, Predicts: velocities},
	}
	x := []float32{1, 2, 3}
	if _, err := NewVelocityDrawer(net, guide, 3, 1).Draw(t.Context(), &d, 0, x); err != nil ||
		!slices.Equal(x, []float32{2.5, 5, 7.5}) {
		t.Errorf("%v, %v", x, err)
	}
}

// Adams's method extrapolates the network's own velocity across the ends of the interval. What
// guidance adds, here a constant, moves the image by its size in each step in which it acts.
func TestGuidanceOfSeveralSteps(t *testing.T) {
	const steps = 8
	for _, within := range []Interval{{0.25, 0.5}, {0, 0.5}, {0.5, 1}, {0.3, 0.31}} {
		plain := Drawing{Guidance: 1, Plan: Plan{Solver: ode.Adams2(steps), Predicts: velocities}}
		guided := plain
		guided.Guidance, guided.Interval = 3, within
		guided.Guide = &Guide{predicts: velocities, null: -1}
		var acting []int
		frames := func(d *Drawing, states *[]float32) {
			d.Frame = func(_, _ int, x []float32) { *states = append(*states, x[0]) }
		}
		var own, with []float32
		frames(&plain, &own)
		frames(&guided, &with)
		for _, d := range []*Drawing{&plain, &guided} {
			w := NewVelocityDrawer(clock{0}, clock{-0.5}, 1, 1)
			if _, err := w.Draw(t.Context(), d, 0, []float32{0.25}); err != nil {
				t.Fatal(err)
			}
		}
		done := 0
		for i := range own {
			// Guidance adds 2·(v − v_guide) = 1 in a step in which it acts.
			want := float64(own[i]) + float64(done)/steps
			if !numtest.Near(float64(with[i]), want, 1e-6) {
				t.Errorf("within %v: step %d is %v, want %v", within, i, with[i], want)
			}
			if at := float64(i) / steps; at >= within[0] && at <= within[1] {
				done++
				acting = append(acting, i)
			}
		}
		if len(acting) == 0 && within != (Interval{0.3, 0.31}) {
			t.Errorf("within %v: guidance never acts", within)
		}
	}
}

// A clock is the field v = t² + offset.
type clock struct{ offset float32 }

func (c clock) Forward(v, _, t []float32, _ []int32) {
	d := len(v) / len(t)
	for i := range v {
		v[i] = t[i/d]*t[i/d] + c.offset
	}
}

func (clock) Jump(_, _, _, _, _ []float32, _ []int32) {}
func (clock) Backward(_, _, _ []float32)              {}

// A part of a batch is guided where images are at times of their own: each as when it is alone, and
// the second network runs for those inside of the interval.
func TestGuidanceOfAPart(t *testing.T) {
	net, guide := &linearNet{rate: []float32{1}}, &linearNet{rate: []float32{0.5}}
	d := &Drawing{Guidance: 3, Interval: Interval{0.2, 0.6}, Plan: Plan{Guide: &Guide{predicts: velocities, null: -1}, Predicts: velocities}}
	f := NewVelocityDrawer(net, guide, 4, 2).Field(d, 0)
	x, at, v := []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{0.1, 0.2, 0.7, 0.6}, make([]float32, 8)
	f.Velocity(v, x, at, []int{0, 1, 2, 3})
	if want := []float32{1, 2, 6, 8, 5, 6, 14, 16}; !slices.Equal(v, want) {
		t.Errorf("%v, want %v", v, want)
	}
	if net.runs != 4 || guide.runs != 2 {
		t.Errorf("%d evaluations of the network and %d of the guide, want 4 and 2", net.runs, guide.runs)
	}
}

// A meanNet is exact for the data m: it knows that x1 = m, and tells it as velocity, noise or data.
type meanNet struct {
	Prediction
	mean float64
}

func (m meanNet) Forward(v, x, t []float32, _ []int32) {
	d := len(x) / len(t)
	for i := range v {
		c := m.Path.At(float64(t[i/d]))
		noise := (float64(x[i]) - c.Alpha*m.mean) / c.Sigma
		switch m.Objective {
		case flow.PredictNoise:
			v[i] = float32(noise)
		case flow.PredictData:
			v[i] = float32(m.mean)
		default:
			v[i] = float32(c.DSigma*noise + c.DAlpha*m.mean)
		}
	}
}

func (meanNet) Jump(_, _, _, _, _ []float32, _ []int32) {}
func (meanNet) Backward(_, _, _ []float32)              {}

// A guide may predict something else than the model. Guidance from data g to data m leads to g +
// W·(m − g), as far as steps and damped conversions go. Without a class this model predicts m too,
// so that a guide of half the share leads away from their mean.
func TestGuideOfAnotherPrediction(t *testing.T) {
	const weight, m, g, steps = 2, 0.2, -0.1, 50
	objectives := []flow.Objective{flow.PredictVelocity, flow.PredictNoise, flow.PredictData}
	for _, path := range []flow.Schedule{flow.Linear{}, flow.Cosine{}} {
		for _, own := range objectives {
			for _, other := range objectives {
				for share, from := range map[float64]float64{0: g, 0.5: (m + g) / 2} {
					p, q := Prediction{path, own}, Prediction{path, other}
					d := Drawing{Guidance: weight, Plan: Plan{
						Solver: ode.Fixed(ode.Midpoint, steps), Guide: &Guide{predicts: q, null: -1}, GuideShare: share, Predicts: p,
					}}
					x := []float32{0.5, -1}
					w := NewVelocityDrawer(meanNet{p, m}, meanNet{q, g}, 2, 1)
					if _, err := w.Draw(t.Context(), &d, 0, x); err != nil {
						t.Fatal(err)
					}
					for _, got := range x {
						if want := from + weight*(m-from); math.Abs(float64(got)-want) > 0.02 {
							t.Errorf("%v, %v by %v, share %v: %v, want %v", path, own, other, share, got, want)
						}
					}
				}
			}
		}
	}
}

// The steps for a number of evaluations take so many, by the count of those that were drawn.
func TestGuidedSteps(t *testing.T) {
	for _, solver := range []string{"euler", "midpoint", "heun", "rk4", "adams2", "abm2", "ddim", "ddpm", "sde"} {
		for _, within := range []Interval{{}, {0.2, 0.75}, {0, 0.5}, {0.9, 1}} {
			for _, shift := range []float64{1, 2, 3} {
				for _, every := range []int{1, 2, 5} {
					m := Method{Guidance: 1.5, Interval: within, GuidanceEvery: every, Solver: solver, TimeShift: shift}
					checkGuidedSteps(t, m.WithDefaults())
				}
			}
		}
	}
	_, err := Method{Guidance: 1.5, Solver: "adams2"}.WithDefaults().guidedSteps(5, 1)
	if want := "evaluations 5 are those of no number of steps of adams2 with guidance 1.5: 2 steps take 4, 3 steps take 6; guidance 1 takes any number"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// checkGuidedSteps checks the numbers of steps that a method finds for numbers of evaluations.
func checkGuidedSteps(t *testing.T, m Method) {
	t.Helper()
	found := 0
	for evaluations := 1; evaluations <= 60; evaluations++ {
		each, err := flow.EvaluationsFor(m.Solver, 1)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := m.guidedSteps(evaluations, each)
		exists := false
		for s := 1; s <= evaluations; s++ {
			exists = exists || m.Evaluations(s) == evaluations
		}
		if exists != (err == nil) || err == nil && m.Evaluations(steps) != evaluations {
			t.Errorf("%s within %v, every %d, shift %v: %d evaluations: %d steps, %v; there are such steps: %v", m.Solver, m.Interval, m.GuidanceEvery, m.TimeShift, evaluations, steps, err, exists)
		}
		if exists {
			found++
		}
	}
	if found < 6 {
		t.Errorf("%s within %v, shift %v: only %d numbers of evaluations have steps", m.Solver, m.Interval, m.TimeShift, found)
	}
}

// Intervals are read as they are written, and only those of times in order are.
func TestParseInterval(t *testing.T) {
	for text, want := range map[string]Interval{"0.2,0.75": {0.2, 0.75}, "0,1": {0, 1}, "0, 1e-1": {0, 0.1}} {
		got, err := ParseInterval(text)
		again, errAgain := ParseInterval(got.String())
		if err != nil || errAgain != nil || got != want || again != got {
			t.Errorf("%q: %v, %v; again %v, %v", text, got, err, again, errAgain)
		}
	}
	for _, text := range []string{"", "0.2", "0.2-0.75", "0.5,0.5", "0.75,0.2", "-0.1,1", "0,1.1", "NaN,1", "0,NaN", "0,1,2", "a,b"} {
		if got, err := ParseInterval(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	for _, wrong := range []Interval{{0.5, 0.2}, {0.2, 0}, {0, 2}, {math.NaN(), 1}, {-1, 0}} {
		if wrong.Validate() == nil {
			t.Errorf("%v passes", wrong)
		}
	}
}
