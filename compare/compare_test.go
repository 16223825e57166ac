package compare

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/toy"
)

// moons returns data of the two moons.
func moons(t *testing.T) *Data {
	d, err := toy.Find("moons")
	if err != nil {
		t.Fatal(err)
	}
	return FromDistribution(d, 1)
}

func methodNamed(t *testing.T, name string) Method {
	for _, m := range Methods() {
		if m.Name == name {
			return m
		}
	}
	t.Fatal(name)
	return Method{}
}

// small are settings that measure little.
func small(budget float64) *Options {
	return &Options{ISA: kernels.Best(), Seed: 1, Budget: budget, Samples: 200, Resolution: 4}
}

// unseen is progress that nobody looks at.
func unseen(int, int) {}

// TestEachLearns trains each method for a moment. The likelihood rises above that of standard
// normal noise, where all but diffusion begin. The least gains are half of the gains of these
// steps. Densities add up to 1 over the plane. A mistake in a divergence, a determinant or a
// conversion would break that. The bound of 1 % is for what lies outside, for the lattice, and for
// the first noise of diffusion, which is not quite normal.
func TestEachLearns(t *testing.T) {
	d := moons(t)
	held := d.Held[:2*200]
	begin := 0.0
	for i := 0; i < len(held); i += 2 {
		begin += bijection.LogNormal(held[i:i+2]) / 200
	}
	for _, c := range []struct {
		name  string
		steps int
		least float64
	}{
		{"normalizing-flow", 50, 0.1}, {"cnf", 15, 0.002}, {"flow-matching", 200, 0.1},
		{"flow-matching-ot", 50, 0.05}, {"diffusion", 200, 0.2},
	} {
		m := methodNamed(t, c.name)
		net := m.make(d, kernels.Best(), 1)
		for step := range c.steps {
			net.gradient(step)
			net.learner().step(step, c.steps, m.Rate)
		}
		logp := make([]float64, 200)
		if err := net.logProb(t.Context(), logp, slices.Clone(held)); err != nil {
			t.Fatal(err)
		}
		mean, _ := meanAndError(logp)
		if gain, mass := mean-begin, massOf(t, net); !(gain > c.least) || math.Abs(mass-1) > 0.01 {
			t.Errorf("%s: log-likelihood rose by %v, densities add up to %v", c.name, gain, mass)
		}
	}
}

// TestContinuousGradient compares the gradient of the loss of a CNF, along itself, with
// differences. The gradient passes through four steps of a solver and the second derivatives of a
// perceptron. Differences err by h² of third derivatives and by the rounding of the loss in
// float32, 1e-6/h. 2 % of the slope ‖g‖, about 1, is above both.
func TestContinuousGradient(t *testing.T) {
	net := newContinuous(moons(t), kernels.Best(), 1)
	l := net.learner()
	net.gradient(0)
	grad := slices.Clone(l.grad)
	norm := math.Sqrt(kernels.Best().SumSquares(grad))
	begin := slices.Clone(l.params.Values)
	loss := func(h float64) float64 {
		for i, g := range grad {
			l.params.Values[i] = begin[i] + float32(h*float64(g)/norm)
		}
		clear(l.grad)
		return net.gradient(0)
	}
	const h = 4e-3
	if got := (loss(h) - loss(-h)) / (2 * h); math.Abs(got-norm) > 0.02*norm || norm < 1e-2 {
		t.Errorf("slope %v along a gradient of norm %v", got, norm)
	}
}

// massOf integrates the density of a model over a lattice.
func massOf(t *testing.T, net model) float64 {
	const n, side = 26, 4.
	var points []float32
	for i := range n {
		for k := range n {
			points = append(points, float32((2*(float64(i)+0.5)/n-1)*side), float32((2*(float64(k)+0.5)/n-1)*side))
		}
	}
	logp := make([]float64, n*n)
	if err := net.logProb(t.Context(), logp, points); err != nil {
		t.Fatal(err)
	}
	mass := 0.0
	for _, v := range logp {
		mass += math.Exp(v) * (2 * side / n) * (2 * side / n)
	}
	return mass
}

// TestLearnRepeats: the same seed gives the same numbers, and another seed gives other numbers.
func TestLearnRepeats(t *testing.T) {
	d, m := moons(t), methodNamed(t, "flow-matching-ot")
	var found []float64
	for _, seed := range []uint64{1, 1, 2} {
		o := small(0.0005)
		o.Seed = seed
		r, err := learn(t.Context(), m, d, o, unseen)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.LogLikelihood)
	}
	if found[0] != found[1] || found[0] == found[2] {
		t.Errorf("%v", found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := learn(ctx, m, d, small(1), unseen); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPairing: all noise is kept, and the pairs of a block become shorter.
func TestPairing(t *testing.T) {
	m := matchingOn(flow.Linear{}, flow.PredictVelocity, true)(moons(t), kernels.Best(), 1).(*matching)
	flow.Noise(m.x0, 1, 1)
	flow.Noise(m.x1, 1, 2)
	sum := func(x []float32) (total float64) {
		for i := range x {
			total += math.Pow(float64(m.x1[i]-x[i]), 2)
		}
		return total
	}
	before := slices.Clone(m.x0)
	m.pair()
	if sum(m.x0) >= sum(before)/2 {
		t.Errorf("squared distances %v, before %v", sum(m.x0), sum(before))
	}
	slices.Sort(before)
	after := slices.Clone(m.x0)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Error("some noise is lost")
	}
}

// TestEnergyDistance: for one distribution it is 0 up to chance, 1/n times the mean distance. For
// points that are moved by a small δ it is about δ²·∫p². Here it is far above chance.
func TestEnergyDistance(t *testing.T) {
	x, y := make([]float32, 2000), make([]float32, 2000)
	flow.Noise(x, 1, 1)
	flow.Noise(y, 1, 2)
	if v := energyDistance(x, y); math.Abs(v) > 0.01 {
		t.Errorf("%v for one distribution", v)
	}
	for i := range y {
		y[i] += 1
	}
	if v := energyDistance(x, y); v < 0.3 {
		t.Errorf("%v for two distributions", v)
	}
	// Two points at a distance of 2 and two at their middle: 2·1 − 2 − 0.
	if v := energyDistance([]float32{-1, 0, 1, 0}, []float32{0, 0, 0, 0}); v != 0 {
		t.Errorf("%v for four points, want 0", v)
	}
}

func TestFromCSV(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		b.WriteString("3,")
		b.WriteString(strings.Repeat("1", i%3+1) + "\n4,5\n")
	}
	d, err := FromCSV("p.csv", strings.NewReader(b.String()), 1)
	if err != nil || len(d.Held) != 2*40 || len(d.Train) != 2*360 || d.True != nil {
		t.Fatalf("%v", err)
	}
	_, err = FromCSV("p.csv", strings.NewReader("1,2\n"), 1)
	if err == nil || !strings.HasPrefix(err.Error(), "p.csv: 1 points") {
		t.Error(err)
	}
	_, err = FromCSV("p.csv", strings.NewReader(strings.Repeat("1,2\n", 200)), 1)
	if err == nil || !strings.Contains(err.Error(), "column 1") {
		t.Error(err)
	}
}

// TestFigure: the picture has a column for each method, whether or not the true density is known.
// No panel is blank.
func TestFigure(t *testing.T) {
	d := moons(t)
	o := small(0.0005)
	row, err := learn(t.Context(), methodNamed(t, "normalizing-flow"), d, o, unseen)
	if err != nil {
		t.Fatal(err)
	}
	known := measureTruth(d, o)
	d.True = nil
	for _, truth := range []*Truth{known, measureTruth(d, o)} {
		var b bytes.Buffer
		if err := writePNG(&b, d, truth, []*Row{row, row}); err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		if w := picture.Bounds().Dx(); w != 2*margin+3*panel+2*gap {
			t.Errorf("%d pixels wide", w)
		}
		for row := range 3 {
			seen := map[any]bool{}
			for i := range panel * panel {
				seen[picture.At(margin+panel+gap+i%panel, panelsTop+row*(panel+gap)+i/panel)] = true
			}
			if len(seen) < 4 {
				t.Errorf("row %d of the panels has %d colours", row, len(seen))
			}
		}
	}
}
