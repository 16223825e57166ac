package pipeline

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// An affineNet is a network that can be worked out by hand: v = a·x + b·t, with the parameters a and b.
type affineNet struct {
	params []float32
	x, t   []float32
	seen   func(x, t []float32, y []int32)
}

func (n *affineNet) Forward(v, x, t []float32, y []int32) {
	n.x, n.t = x, t
	size := len(x) / len(t)
	for i := range x {
		v[i] = n.params[0]*x[i] + n.params[1]*t[i/size]
	}
	if n.seen != nil {
		n.seen(x, t, y)
	}
}

// Jump answers u = a·x + b·(t+δ).
func (n *affineNet) Jump(u, x, t, d []float32, y []int32) {
	ends := slices.Clone(t)
	for i := range ends {
		ends[i] += d[i]
	}
	n.Forward(u, x, ends, y)
}

func (n *affineNet) Backward(_, dv, grad []float32) {
	size := len(n.x) / len(n.t)
	for i, d := range dv {
		grad[0] += d * n.x[i]
		grad[1] += d * n.t[i/size]
	}
}

// affineEngine trains an affineNet on the given crew.
func affineEngine(r recipe, m matching, data *patterns, c *crew, seen func(x, t []float32, y []int32)) *engine {
	params := []float32{0.5, -0.25}
	var nets []Replica
	for range c.size() {
		nets = append(nets, &affineNet{params: params, seen: seen})
	}
	m.batch, m.micro, m.feed = r.batch, r.micro, newFeed(data, m.seed, r.batch, false)
	var tasks []task
	for _, one := range newMatchers(&m, nets) {
		tasks = append(tasks, one)
	}
	return newEngine(setup{recipe: r, model: affineModel{&nn.Params{Values: params}}, tasks: tasks, prepare: m.prepare, crew: c})
}

// An affineModel is the parameters of an affineNet.
type affineModel struct{ params *nn.Params }

func (m affineModel) Params() *nn.Params { return m.params }
func (affineModel) ISA() kernels.ISA     { return kernels.Generic }
func (affineModel) Repack(int, int)      {}

func affineRecipe() (recipe, matching) {
	return recipe{batch: 10, micro: 10, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.1, clip: 0.5, ema: 0.998},
		matching{seed: 3, times: flow.Uniform{}, predicts: Prediction{Path: flow.Linear{}}, null: -1}
}

// TestEngineStep compares a step with the formulas of the loss and of AdamW, in float64, on what the
// network was shown.
func TestEngineStep(t *testing.T) {
	c := newCrew(1)
	defer c.close()
	var xs, ts []float32
	r, m := affineRecipe()
	e := affineEngine(r, m, digits(), c, func(x, t []float32, _ []int32) {
		xs, ts = slices.Clone(x), slices.Clone(t)
	})
	const rate = 0.01
	got, err := e.run(t.Context(), 0, rate)
	if err != nil {
		t.Fatal(err)
	}
	loss, grad := affineLoss(xs, e.tasks[0].(*matcher).u, ts, 0.5, -0.25)
	norm := math.Hypot(grad[0], grad[1])
	if math.Abs(got.loss-loss) > 1e-6*loss || math.Abs(got.norm-norm) > 1e-5*norm {
		t.Errorf("loss %v, norm %v; want %v, %v", got.loss, got.norm, loss, norm)
	}
	if norm < 0.5 {
		t.Fatalf("gradient %v is not clipped at all", norm)
	}
	for i, start := range []float64{0.5, -0.25} {
		g := grad[i] * 0.5 / norm
		// After one step both moments, corrected, are those of g itself.
		want := start*(1-rate*0.1) - rate*g/(math.Abs(g)+1e-8)
		// The average of the first step weighs it by 1 - (1+1)/(10+1).
		average := start + 9.0/11*(want-start)
		if math.Abs(float64(e.state.values[i])-want) > 1e-6 || math.Abs(float64(e.state.average[i])-average) > 1e-6 {
			t.Errorf("parameter %d: %v, average %v; want %v, %v", i, e.state.values[i], e.state.average[i], want, average)
		}
	}
}

// affineLoss is the mean of (a·x + b·t − u)² and its gradient.
func affineLoss(x, u, t []float32, a, b float64) (loss float64, grad [2]float64) {
	n := float64(len(x))
	for i := range x {
		time := float64(t[i/(len(x)/len(t))])
		d := a*float64(x[i]) + b*time - float64(u[i])
		loss += d * d / n
		grad[0] += 2 * d * float64(x[i]) / n
		grad[1] += 2 * d * time / n
	}
	return loss, grad
}

// The loss and the gradient are those of the mean over the batch, however it is cut: also when the last
// micro-batch is smaller.
func TestEngineMicroBatches(t *testing.T) {
	c := newCrew(2)
	defer c.close()
	r, m := affineRecipe()
	whole, _ := affineEngine(r, m, digits(), c, nil).run(t.Context(), 4, 0.01)
	for _, micro := range []int{1, 2, 3, 4, 7} {
		r.micro = micro
		cut, err := affineEngine(r, m, digits(), c, nil).run(t.Context(), 4, 0.01)
		// float32 gradients summed in another order: 1e-5 is some 100 roundings.
		if err != nil || math.Abs(cut.loss-whole.loss) > 1e-6 || math.Abs(cut.norm-whole.norm) > 1e-5*whole.norm {
			t.Errorf("micro-batches of %d: %+v, %v; want %+v", micro, cut, err, whole)
		}
	}
}

// TestEngineDraws looks at what the network is shown over many steps.
func TestEngineDraws(t *testing.T) {
	c := newCrew(1)
	defer c.close()
	r, m := affineRecipe()
	m.labels, m.null, m.drop = true, 3, 0.25
	var times []float64
	var dropped, images int
	e := affineEngine(r, m, digits(), c, func(_, ts []float32, y []int32) {
		for i := range ts {
			if int(ts[i]*float32(len(ts))) != i {
				t.Fatalf("time %d of %d is %v: not in its stratum", i, len(ts), ts[i])
			}
			times = append(times, float64(ts[i]))
			if images++; y[i] == 3 {
				dropped++
			}
		}
	})
	const steps = 400
	for step := range steps {
		if _, err := e.run(t.Context(), step, 0); err != nil {
			t.Fatal(err)
		}
	}
	// 4000 draws of probability 1/4: deviation sqrt(4000·3/16) = 27; 5 deviations never happen.
	if math.Abs(float64(dropped)-1000) > 137 {
		t.Errorf("%d of %d labels were dropped, want about 1000", dropped, images)
	}
	// The mean of stratified times deviates by 1/(10·sqrt(12·4000)) = 4.6e-4 from 1/2.
	if mean := inorder.Sum(times) / float64(len(times)); math.Abs(mean-0.5) > 5*4.6e-4 {
		t.Errorf("mean time %v", mean)
	}
}

// A step whose loss is not a number must not touch the state.
func TestEngineRefusesNaN(t *testing.T) {
	c := newCrew(2)
	defer c.close()
	data := digits()
	data.image = func(_ int, dst []float32) { dst[5] = float32(math.NaN()) }
	r, m := affineRecipe()
	e := affineEngine(r, m, data, c, nil)
	before := slices.Clone(e.state.values)
	result, err := e.run(t.Context(), 0, 0.01)
	if err != nil || result.finite() {
		t.Fatalf("result %+v, %v: want one that is not finite", result, err)
	}
	if !slices.Equal(before, e.state.values) || !slices.Equal(before, e.state.average) || e.state.m[0] != 0 {
		t.Error("the state changed")
	}
}

// Every epoch visits each image once, also when batches reach over its end or over several.
func TestEpochOrder(t *testing.T) {
	for _, batch := range []int{1, 3, 7, 20} {
		const n, epochs = 7, 20
		o := newEpochOrder(n, 5, batch)
		var seen []int
		for first := 0; first < n*epochs; first += batch {
			o.prepare(first, batch)
			for i := range batch {
				seen = append(seen, o.index(i))
			}
		}
		for epoch := range epochs {
			images := slices.Clone(seen[epoch*n : (epoch+1)*n])
			if epoch == 3 && slices.Equal(images, seen[:n]) {
				t.Errorf("batch %d: epoch 3 has the order of epoch 0", batch)
			}
			slices.Sort(images)
			if !slices.Equal(images, []int{0, 1, 2, 3, 4, 5, 6}) {
				t.Errorf("batch %d: epoch %d visits %v", batch, epoch, images)
			}
		}
	}
}

// A step allocates nothing once the buffers have grown, with the real network.
func TestStepAllocatesNothing(t *testing.T) {
	for _, optimizer := range []Optimizer{AdamW, Muon} {
		o := smallRun(t)
		o.Optimizer, o.Coupling = optimizer, OptimalTransport
		t.Run(string(optimizer), func(t *testing.T) { stepAllocatesNothing(t, o) })
	}
}

func stepAllocatesNothing(t *testing.T, o TrainOptions) {
	o.Steps = 1000
	r, err := openTraining(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if err := r.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		step()
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}
