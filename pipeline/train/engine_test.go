package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// affineEngine trains an affineNet on the given crew.
func affineEngine(r engine.Recipe, m matching, data *roomtest.Patterns, c *crew.Crew,
	seen func(x, t []float32, y []int32)) (*engine.Trainer, *matcher) {
	params := []float32{0.5, -0.25}
	var nets []model.Replica
	for range c.Size() {
		nets = append(nets, &roomtest.AffineNet{Params: params, Seen: seen})
	}
	m.batch, m.micro, m.feed = r.Batch, r.MicroBatch, feed.New(data, m.seed, r.Batch, false)
	var tasks []engine.Task
	for _, one := range newMatchers(&m, nets) {
		tasks = append(tasks, one)
	}
	net := affineModel{&nn.Params{Values: params}}
	return engine.NewTrainer(engine.Setup{Recipe: r, Model: net, Tasks: tasks, Prepare: m.prepare, Crew: c}),
		tasks[0].(*matcher)
}

// affineTrainer is affineEngine on digits.
func affineTrainer(r engine.Recipe, m matching, c *crew.Crew) *engine.Trainer {
	t, _ := affineEngine(r, m, roomtest.Digits(), c, nil)
	return t
}

// An affineModel holds the parameters of an affineNet.
type affineModel struct{ vector *nn.Params }

func (m affineModel) Params() *nn.Params { return m.vector }

func (affineModel) ISA() kernels.ISA { return kernels.Generic }

func (affineModel) Repack(int, int) {}

func affineRecipe() (engine.Recipe, matching) {
	r := engine.Recipe{
		Batch: 10, MicroBatch: 10, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.1, Clip: 0.5, EMA: 0.998,
	}
	return r, matching{seed: 3, times: flow.Uniform{}, predicts: model.Prediction{Path: flow.Linear{}}, null: -1}
}

// A step agrees with the formulas of the loss and of AdamW, in float64, for the inputs that the
// network got.
func TestEngineStep(t *testing.T) {
	c := crew.New(1)
	defer c.Close()
	var xs, ts []float32
	r, m := affineRecipe()
	e, task := affineEngine(r, m, roomtest.Digits(), c, func(x, t []float32, _ []int32) {
		xs, ts = slices.Clone(x), slices.Clone(t)
	})
	const rate = 0.01
	got, err := e.Step(t.Context(), 0, rate)
	if err != nil {
		t.Fatal(err)
	}
	loss, grad := affineLoss(xs, task.u, ts, 0.5, -0.25)
	norm := math.Hypot(grad[0], grad[1])
	if math.Abs(got.Loss-loss) > 1e-6*loss || math.Abs(got.Norm-norm) > 1e-5*norm {
		t.Errorf("loss %v, norm %v; want %v, %v", got.Loss, got.Norm, loss, norm)
	}
	if norm < 0.5 {
		t.Fatalf("gradient %v is not clipped at all", norm)
	}
	for i, start := range []float64{0.5, -0.25} {
		g := grad[i] * 0.5 / norm
		// After one step, the corrected moments are g and g².
		want := start*(1-rate*0.1) - rate*g/(math.Abs(g)+1e-8)
		// The average gives the first step the weight 1 - (1+1)/(10+1).
		average := start + 9.0/11*(want-start)
		if math.Abs(float64(e.State().Values[i])-want) > 1e-6 ||
			math.Abs(float64(e.State().Average[i])-average) > 1e-6 {
			t.Errorf("parameter %d: %v, average %v; want %v, %v", i, e.State().Values[i], e.State().Average[i], want,
				average)
		}
	}
}

// affineLoss returns the mean of (a·x + b·t − u)² and its gradient.
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

// The loss and the gradient are the mean over the batch for any size of micro-batch, also when the
// last one is smaller.
func TestEngineMicroBatches(t *testing.T) {
	c := crew.New(2)
	defer c.Close()
	r, m := affineRecipe()
	whole, _ := affineTrainer(r, m, c).Step(t.Context(), 4, 0.01)
	for _, micro := range []int{1, 2, 3, 4, 7} {
		r.MicroBatch = micro
		cut, err := affineTrainer(r, m, c).Step(t.Context(), 4, 0.01)
		// The order of the sums in float32 differs: 1e-5 is about 100 roundings.
		if err != nil || math.Abs(cut.Loss-whole.Loss) > 1e-6 || math.Abs(cut.Norm-whole.Norm) > 1e-5*whole.Norm {
			t.Errorf("micro-batches of %d: %+v, %v; want %+v", micro, cut, err, whole)
		}
	}
}

// The inputs of the network have the right distributions over many steps.
func TestEngineDraws(t *testing.T) {
	c := crew.New(1)
	defer c.Close()
	r, m := affineRecipe()
	m.labels, m.null, m.drop = true, 3, 0.25
	var times []float64
	var dropped, images int
	e, _ := affineEngine(r, m, roomtest.Digits(), c, func(_, ts []float32, y []int32) {
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
		if _, err := e.Step(t.Context(), step, 0); err != nil {
			t.Fatal(err)
		}
	}
	// 4000 draws of probability 1/4 deviate by sqrt(4000·3/16) = 27. The bound is 5 deviations.
	if math.Abs(float64(dropped)-1000) > 137 {
		t.Errorf("%d of %d labels were dropped, want about 1000", dropped, images)
	}
	// The mean of stratified times has a deviation of 1/(10·sqrt(12·4000)) = 4.6e-4 from 1/2.
	if mean := inorder.Sum(times) / float64(len(times)); math.Abs(mean-0.5) > 5*4.6e-4 {
		t.Errorf("mean time %v", mean)
	}
}

// A step whose loss is not finite does not change the state.
func TestEngineRefusesNaN(t *testing.T) {
	c := crew.New(2)
	defer c.Close()
	data := roomtest.Digits()
	data.Change = func(_ int, dst []float32) { dst[5] = float32(math.NaN()) }
	r, m := affineRecipe()
	e, _ := affineEngine(r, m, data, c, nil)
	before := slices.Clone(e.State().Values)
	result, err := e.Step(t.Context(), 0, 0.01)
	if err != nil || result.Finite() {
		t.Fatalf("result %+v, %v: want one that is not finite", result, err)
	}
	if !slices.Equal(before, e.State().Values) || !slices.Equal(before, e.State().Average) || e.State().Moment[0] != 0 {
		t.Error("the state changed")
	}
}

// A step allocates nothing once the buffers have grown, with the real network.
func TestStepAllocatesNothing(t *testing.T) {
	for _, optimizer := range []engine.Optimizer{engine.AdamW, engine.Muon, engine.NorMuon} {
		o := smallRun(t)
		o.Optimizer, o.Coupling, o.TimeDist = optimizer, OptimalTransport, "curriculum"
		t.Run(string(optimizer), func(t *testing.T) { stepAllocatesNothing(t, o) })
	}
}

func stepAllocatesNothing(t *testing.T, o Options) {
	o.Steps = 1000
	r, err := openTraining(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if err := r.Step(t.Context()); err != nil {
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
