package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/unet"
)

// The exact divergence of a network is the sum of central differences of its velocity, with steps
// of 1/64. Rounding in float32 makes an error of 1e-6/(1/32) = 3e-5 in a dimension. The third
// derivative makes one of h²/6 times it, below 1e-4 for these weights. 64 such errors of either
// sign add up to less than 1e-2, beside divergences of several units.
func TestExactDivergence(t *testing.T) {
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ImageSize = [2]int{8, 8}
	rng := rand.New(rand.NewPCG(3, 1))
	model, err := unet.New(cfg, kernels.Best(), rng)
	if err != nil {
		t.Fatal(err)
	}
	for i := range model.Params().Values {
		model.Params().Values[i] += float32(0.05 * rng.NormFloat64())
	}
	model.Repack(0, 1)
	const n, d, h = 2, 64, float32(1) / 64
	x, times := roomtest.RandomPixels(n*8*8*1), []float32{0.3, 0.9}
	g := newDiverger(model.NewReplica(n, true), n, d, 0)
	v, div := make([]float32, n*d), make([]float64, n)
	g.Divergence(v, div, x, times, []int{0, 1})
	checkDivergence(t, g, Prediction{flow.Linear{}, flow.PredictVelocity}, div, x, times, h)
	// The same for a network that predicts data: the velocity follows from it.
	flow.DivergenceOf(g, flow.Linear{}, flow.PredictData).Divergence(v, div, x, times, []int{0, 1})
	checkDivergence(t, g, Prediction{flow.Linear{}, flow.PredictData}, div, x, times, h)
}

// checkDivergence compares the divergences of states with central differences of steps ± h.
func checkDivergence(t *testing.T, g *diverger, p Prediction, div []float64, x, times []float32, h float32) {
	t.Helper()
	n, d := len(times), g.imageLen
	velocity := p.Velocity(ode.FieldFunc(func(v, x, t []float32, _ []int) { g.net.Forward(v, x, t, nil) }))
	want, up, down := make([]float64, n), make([]float32, n*d), make([]float32, n*d)
	for j := range d {
		moved := slices.Clone(x)
		for i := range n {
			moved[i*d+j] = x[i*d+j] + h
		}
		velocity.Velocity(up, moved, times, nil)
		for i := range n {
			moved[i*d+j] = x[i*d+j] - h
		}
		velocity.Velocity(down, moved, times, nil)
		for i := range n {
			want[i] += float64(up[i*d+j]-down[i*d+j]) / (2 * float64(h))
		}
	}
	for i := range n {
		if math.Abs(div[i]-want[i]) > 1e-2*max(1, math.Abs(want[i])/100) || math.Abs(want[i]) < 0.5 {
			t.Errorf("state %d: divergence %.5f, by differences %.5f", i, div[i], want[i])
		}
	}
}

// The mean of Hutchinson's estimates is the exact divergence: that of 256 is within four standard
// errors. The signs are 1 and -1 equally often, and differ between images and between probes.
func TestHutchinson(t *testing.T) {
	ck, err := Open(roomtest.SmallModel(t, true, 0.1), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	const n, d, probes = 2, 64, 256
	x, times, y := roomtest.RandomPixels(n*8*8*1), []float32{0.2, 0.7}, []int32{1, 3}
	exact := newDiverger(ck.UNet().NewReplica(n, true), n, d, 0)
	estimate := newDiverger(ck.UNet().NewReplica(n, true), n, d, probes)
	exact.y, estimate.y = y, y
	for i := range n {
		estimate.draw(i, 1, 10+i)
	}
	v, w, want, got := make([]float32, n*d), make([]float32, n*d), make([]float64, n), make([]float64, n*probes)
	exact.Divergence(v, want, x, times, []int{0, 1})
	estimate.Divergence(w, got, x, times, []int{0, 1})
	if !slices.Equal(v, w) {
		t.Error("the velocity depends on how the divergence is found")
	}
	for i := range n {
		mean, e := inorder.MeanAndError(got[i*probes : (i+1)*probes])
		if math.Abs(mean-want[i]) > 4*e || e == 0 {
			t.Errorf("state %d: %.4f ± %.4f, exactly %.4f", i, mean, e, want[i])
		}
	}
	plus := 0
	for _, s := range estimate.probes {
		switch s {
		case 1:
			plus++
		case -1:
		default:
			t.Fatalf("a sign of %v", s)
		}
	}
	// Of 32,768 fair signs half are 1, ±4·√32768/2 = 362.
	if m := len(estimate.probes) / 2; plus < m-362 || plus > m+362 {
		t.Errorf("%d of %d signs are 1", plus, 2*m)
	}
	first := estimate.probe(0, 0)
	if slices.Equal(first, estimate.probe(1, 0)) || slices.Equal(first, estimate.probe(0, 1)) {
		t.Error("images or probes share their signs")
	}
}
