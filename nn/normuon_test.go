package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// With Neurons a step is Muon's step, each column divided by the root of its running mean square,
// and scaled back to the norm of Muon's step. The reference computes that in float64 from Muon's
// own steps.
func TestNeuronsEvenOutColumns(t *testing.T) {
	const lr, steps, decay = 0.01, 3, 0.9
	for _, isa := range kernels.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(9, 6))
			p := matrices(nil)
			plain, even := NewMuon(p, isa), NewMuon(p, isa)
			even.Neurons = true
			h := MuonStep{LR: lr, Momentum: 0.9, GradScale: 1, Square: decay}
			work, values, got := even.NewWork(), make([]float32, p.Len()), make([]float32, p.Len())
			momentum, again, squares := make([]float32, p.Len()), make([]float32, p.Len()), make([]float32, p.Len())
			means := map[string][]float64{}
			for range steps {
				grad := kernelstest.Normals(rng, p.Len())
				for _, m := range plain.Matrices {
					rows, cols := sides(m)
					if means[m.Name] == nil {
						means[m.Name] = make([]float64, cols)
					}
					clear(values)
					clear(got)
					plain.Step(work, m, values, momentum, nil, grad, h)
					even.Step(work, m, got, again, squares, grad, h)
					want := evenedOut(m.Of(values), means[m.Name], rows, decay)
					for i, v := range m.Of(got) {
						if d := math.Abs(float64(v) - want[i]); d > 1e-5*lr {
							t.Fatalf("%s: number %d of the step is %v, want %v", m.Name, i, v, want[i])
						}
					}
				}
			}
		})
	}
}

// evenedOut divides columns by the roots of their running mean squares, and keeps the norm.
func evenedOut(step []float32, means []float64, rows int, decay float64) []float64 {
	cols := len(means)
	out := make([]float64, len(step))
	var before, after float64
	// The step is a multiple of the orthogonal matrix whose squares are averaged; the factor is the
	// same in each step and drops out.
	for j := range cols {
		square := 0.0
		for i := range rows {
			square += float64(step[i*cols+j]) * float64(step[i*cols+j])
		}
		means[j] = decay*means[j] + (1-decay)*square/float64(rows)
		before += square
	}
	for i, v := range step {
		out[i] = float64(v) / math.Sqrt(means[i%cols])
		after += out[i] * out[i]
	}
	for i := range out {
		out[i] *= math.Sqrt(before / after)
	}
	return out
}

// A column without a gradient stays where it is, and no number becomes NaN.
func TestNeuronsOfNoGradient(t *testing.T) {
	p := matrices(nil)
	muon := NewMuon(p, kernels.Generic)
	muon.Neurons = true
	work, squares, momentum := muon.NewWork(), make([]float32, p.Len()), make([]float32, p.Len())
	for _, m := range muon.Matrices {
		muon.Step(work, m, p.Values, momentum, squares, make([]float32, p.Len()), MuonStep{LR: 1, GradScale: 1, Square: 0.9})
	}
	for i, v := range p.Values {
		if v != 0 {
			t.Fatalf("value %d became %v", i, v)
		}
	}
}
