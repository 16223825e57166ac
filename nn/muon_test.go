package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// matrices returns the parameters of a tall, a wide and a square linear layer and of a 3x3
// convolution. With them come three that Muon does not step: a bias, a layer of one channel, an
// embedding of classes.
func matrices(values []float32) *Params {
	p := &Params{}
	p.Add("tall", HWIO, 16, 40)
	p.Add("bias", Plain, 16)
	p.Add("wide", HWIO, 40, 16)
	p.Add("square", HWIO, 24, 24)
	p.Add("last", HWIO, 1, 24, 3, 3)
	p.Add("conv", HWIO, 16, 8, 3, 3)
	p.Add("label_emb", Plain, 11, 64)
	if values != nil {
		copy(p.Values, values)
	}
	return p
}

func TestMuonPicksMatrices(t *testing.T) {
	var names []string
	for _, p := range NewMuon(matrices(nil), kernels.Generic).Matrices {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"conv", "square", "tall", "wide"}) {
		t.Errorf("Muon steps %v, in this order", names)
	}
}

// A first step from zero momentum goes along U·Vᵀ of the gradient U·S·Vᵀ, which gonum factorises.
// The singular values of the gradients here lie above 1/100 of the gradient's norm. Five iterations
// bring such values into [0.68, 1.14]. So in the bases U and V no entry of the step is further than
// 0.33 from the identity.
func TestMuonStepsAlongNearestOrthogonalMatrix(t *testing.T) {
	const lr, decay = 0.01, 0.5
	for _, isa := range kernels.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			p := matrices(nil)
			before, grad := kernelstest.Normals(rng, p.Len()), kernelstest.Normals(rng, p.Len())
			momentum := make([]float32, p.Len())
			copy(p.Values, before)
			muon := NewMuon(p, isa)
			work := muon.NewWork()
			for _, m := range muon.Matrices {
				h := MuonStep{LR: lr, Momentum: 0.9, Decay: decay, GradScale: 0.5}
				muon.Step(work, m, p.Values, momentum, nil, grad, h)
				rows, cols := sides(m)
				scale := lr * 0.2 * math.Sqrt(float64(max(rows, cols)))
				step := mat.NewDense(rows, cols, nil)
				for i, v := range m.Of(p.Values) {
					step.Set(i/cols, i%cols, ((1-lr*decay)*float64(m.Of(before)[i])-float64(v))/scale)
				}
				expectPolar(t, m.Name, step, m.Of(grad))
				for i, v := range m.Of(momentum) {
					if want := m.Of(grad)[i] / 2; v != want {
						t.Fatalf("%s: momentum %v, want half of the gradient, %v", m.Name, v, want)
					}
				}
			}
			for _, name := range []string{"bias", "last", "label_emb"} {
				if m := p.Lookup(name); !slices.Equal(m.Of(p.Values), m.Of(before)) {
					t.Errorf("%s changed", name)
				}
			}
		})
	}
}

// expectPolar checks that a step is near U·Vᵀ of a gradient.
func expectPolar(t *testing.T, name string, step *mat.Dense, grad []float32) {
	t.Helper()
	rows, cols := step.Dims()
	g := mat.NewDense(rows, cols, nil)
	for i, v := range grad {
		g.Set(i/cols, i%cols, float64(v))
	}
	var svd mat.SVD
	if !svd.Factorize(g, mat.SVDThin) {
		t.Fatal("no singular values")
	}
	var u, v, inner, core mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	inner.Mul(u.T(), step)
	core.Mul(&inner, &v) // Uᵀ·step·V: diagonal, with the iteration's singular values
	side, _ := core.Dims()
	for i := range side {
		for j := range side {
			want, bound := 0.0, 1e-3 // rounding to float32 leaves about 1e-6 off the diagonal
			if i == j {
				want, bound = 0.91, 0.24
			}
			if d := math.Abs(core.At(i, j) - want); !(d <= bound) {
				t.Fatalf("%s: entry %d, %d of the step in the gradient's bases is %.4f", name, i, j, core.At(i, j))
			}
		}
	}
}

// After two equal gradients g Nesterov's momentum, which looks a step ahead, is g·(1 + μ + μ²). A
// step depends on its direction alone, so the second step equals the first.
func TestMuonMomentum(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	p := matrices(nil)
	grad, momentum := kernelstest.Normals(rng, p.Len()), make([]float32, p.Len())
	muon := NewMuon(p, kernels.Generic)
	work := muon.NewWork()
	h := MuonStep{LR: 1, Momentum: 0.9, GradScale: 1}
	for _, m := range muon.Matrices {
		muon.Step(work, m, p.Values, momentum, nil, grad, h)
		first := slices.Clone(m.Of(p.Values))
		muon.Step(work, m, p.Values, momentum, nil, grad, h)
		for i, v := range m.Of(p.Values) {
			if d := math.Abs(float64(v - 2*first[i])); d > 1e-4 {
				t.Fatalf("%s: two steps add up to %v, the first is %v", m.Name, v, first[i])
			}
			if want := 1.9 * m.Of(grad)[i]; math.Abs(float64(m.Of(momentum)[i]-want)) > 1e-5 {
				t.Fatalf("%s: momentum %v, want %v", m.Name, m.Of(momentum)[i], want)
			}
		}
	}
	zero := make([]float32, p.Len()) // no gradient, no step, no NaN
	clear(momentum)
	before := slices.Clone(p.Values)
	muon.Step(work, muon.Matrices[0], p.Values, momentum, nil, zero, h)
	if !slices.Equal(p.Values, before) {
		t.Error("a zero gradient moved the values")
	}
}

// The matrices of the network base, in the order in which workers take them.
func BenchmarkMuon(b *testing.B) {
	for _, isa := range kernels.Available() {
		for _, shape := range [][]int{{64, 128, 3, 3}, {64, 64, 3, 3}, {32, 32, 3, 3}, {128, 128}} {
			b.Run(fmt.Sprintf("%s/%v", isa, shape), func(b *testing.B) {
				p := &Params{}
				m := p.Add("w", HWIO, shape...)
				grad, momentum := kernelstest.Normals(rand.New(rand.NewPCG(1, 1)), p.Len()), make([]float32, p.Len())
				muon := NewMuon(p, isa)
				work := muon.NewWork()
				rows, cols := sides(m)
				for b.Loop() {
					muon.Step(work, m, p.Values, momentum, nil, grad, MuonStep{LR: 1e-3, Momentum: 0.95, GradScale: 1})
				}
				side := float64(min(rows, cols))
				flops := newtonSchulzSteps * 2 * side * (2*float64(p.Len()) + side*side)
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// Products of pairs round the factors to bfloat16, which turns the step by a few units of 2⁻⁸.
func TestMuonPairs(t *testing.T) {
	for _, isa := range kernels.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 7))
			p := matrices(nil)
			grad := kernelstest.Normals(rng, p.Len())
			step := func(pairs bool) []float32 {
				values, momentum := make([]float32, p.Len()), make([]float32, p.Len())
				muon := NewMuon(p, isa)
				muon.Pairs = pairs
				work := muon.NewWork()
				for _, m := range muon.Matrices {
					muon.Step(work, m, values, momentum, nil, grad, MuonStep{LR: 1, GradScale: 1})
				}
				return values
			}
			plain, pairs := step(false), step(true)
			var diff, size float64
			for i, v := range plain {
				diff += float64(pairs[i]-v) * float64(pairs[i]-v)
				size += float64(v) * float64(v)
			}
			if e := math.Sqrt(diff / size); !(e > 0 && e < 0.05) {
				t.Errorf("the step by pairs differs by %.3g of its size", e)
			}
		})
	}
}
