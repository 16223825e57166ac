package convert

import (
	"fmt"
	"math"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A growing is the field v = rate[class]·x + t.
type growing struct{ rate []float32 }

func (g growing) Forward(v, x, t []float32, y []int32) {
	d := len(x) / len(t)
	for i := range v {
		v[i] = g.rate[y[i/d]]*x[i] + t[i/d]
	}
}

func (growing) Jump(_, _, _, _, _ []float32, _ []int32) {}
func (growing) Backward(_, _, _ []float32)              {}

// A trace, evaluated term by term, draws what a drawer draws, also where guidance acts on a part of
// the way and is held.
func TestTraceOfGuidance(t *testing.T) {
	const weight, start = 1.5, 0.75
	net := growing{[]float32{0.5, -1}} // the second is that of no class
	for _, solver := range []ode.Solver{ode.Adams2(9), ode.ABM2(9), ode.Fixed(ode.Midpoint, 5), ode.Fixed(ode.Euler, 7)} {
		for _, within := range []model.Interval{{0, 1}, {0.2, 0.6}, {0.5, 1}, {0, 0.4}} {
			for _, every := range []int{0, 1, 2, 3} {
				name := fmt.Sprint(solver, " within ", within, " every ", every)
				d := model.Drawing{
					Labels: []int32{0}, Null: 1, Guidance: weight, Interval: within, GuidanceEvery: every,
					Plan: model.Plan{Solver: solver, Predicts: model.Prediction{Path: flow.Linear{}}},
				}
				want := []float32{start}
				stats, err := model.NewVelocityDrawer(net, nil, 1, 1).Draw(t.Context(), &d, 0, want)
				if err != nil {
					t.Fatal(err)
				}
				traced, err := traceSolver(solver, 20, within.Has, every)
				if err != nil {
					t.Fatal(err)
				}
				terms, evaluations := []float32{start}, 0
				sum := func(weights []float32) (x float32) {
					for i, term := range terms {
						x += weights[i] * term
					}
					return x
				}
				for _, e := range traced.evaluations {
					x := sum(e.state)
					plain, added := net.rate[0]*x+e.t, float32(0)
					evaluations++
					if e.guided {
						added = (weight - 1) * (net.rate[0] - net.rate[1]) * x
						evaluations++
					}
					terms = append(terms, plain, added)
				}
				if got := sum(traced.result); math.Abs(float64(got-want[0])) > 1e-5 {
					t.Errorf("%s: %v, want %v", name, got, want[0])
				}
				if evaluations != stats.Evaluations.Total {
					t.Errorf("%s: %d evaluations, want %d", name, evaluations, stats.Evaluations.Total)
				}
			}
		}
	}
}
