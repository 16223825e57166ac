package compare

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/ode"
)

// The sizes of the models. All methods have batches of the same size, and all fields the same
// perceptron. A coupling layer has a smaller one, as there are many layers.
const (
	batchSize     = 256
	width         = 96
	couplings     = 10
	couplingWidth = 48
	scaleBound    = 2 // largest log-scale of a coupling
)

// A Method is a way to learn a distribution.
type Method struct {
	Name  string
	Title string
	Note  string  // says what the method is
	Steps int     // of training
	Rate  float64 // of AdamW
	make  func(d *Data, isa kernels.ISA, seed uint64) model
}

// Methods returns all methods, in the order of their history. Their steps take about the same time
// together on one core.
func Methods() []Method {
	linear, vp := flow.Linear{}, flow.VariancePreserving{BetaMin: 0.1, BetaMax: 20}
	return []Method{
		{"normalizing-flow", "normalizing flow", "layers, by likelihood", 9000, 2e-3, newNormalizing},
		{"cnf", "continuous NF", "an ODE, by likelihood", 700, 3e-3, newContinuous},
		{
			"flow-matching", "flow matching", "an ODE, by regression", 30000, 3e-3,
			matchingOn(linear, flow.PredictVelocity, false),
		},
		{
			"flow-matching-ot", "flow matching, OT", "the same, pairs matched", 11000, 3e-3,
			matchingOn(linear, flow.PredictVelocity, true),
		},
		{
			"diffusion", "diffusion", "noise predicted, by regression", 29000, 3e-3,
			matchingOn(vp, flow.PredictNoise, false),
		},
	}
}

// A model learns a distribution, draws from it and knows its density.
type model interface {
	learner() *learner
	// gradient adds the gradient of the loss over the batch of a step, and returns the loss.
	gradient(step int) float64
	// draw moves noise to data and shows the states on the way. It returns the evaluations of the
	// network for a state.
	draw(ctx context.Context, x []float32, show func(x []float32)) (float64, error)
	// logProb sets the log-densities of points, in nats. It overwrites the points.
	logProb(ctx context.Context, logp []float64, x []float32) error
}

// normalizing is a flow of coupling layers.
type normalizing struct {
	l    *learner
	flow bijection.NormalizingFlow
	data *Data
	seed uint64
	x    []float32
}

func newNormalizing(d *Data, isa kernels.ISA, seed uint64) model {
	l, b := newLearner(isa, seed)
	m := &normalizing{l: l, data: d, seed: seed, x: make([]float32, 2*batchSize)}
	norms := make([][2]*bijection.Parameter, couplings)
	nets := make([]*conditioner, couplings)
	for i := range couplings {
		net := newConditioner(l, b, fmt.Sprintf("coupling.%d", i))
		nets[i], norms[i] = net, [2]*bijection.Parameter{{}, {}}
		b.Params.Add(fmt.Sprintf("norm.%d.log_scale", i), nn.Plain, 2)
		b.Params.Add(fmt.Sprintf("norm.%d.shift", i), nn.Plain, 2)
	}
	l.ready()
	for i, norm := range norms {
		for k, name := range []string{"log_scale", "shift"} {
			p := b.Params.Lookup(fmt.Sprintf("norm.%d.%s", i, name))
			norm[k].Values, norm[k].Grad = p.Of(b.Params.Values), p.Of(l.grad)
		}
		mask := []bool{i%2 == 0, i%2 == 1}
		m.flow.Layers = append(m.flow.Layers,
			bijection.NewActNorm(norm[0], norm[1]), bijection.NewAffineCoupling(mask, 2, scaleBound, nets[i]))
	}
	d.batch(source(seed, streamInit, 1), m.x)
	m.flow.Layers.Initialise(m.x, batchSize)
	return m
}

func (m *normalizing) learner() *learner { return m.l }

func (m *normalizing) gradient(step int) float64 {
	m.data.batch(source(m.seed, streamBatch, uint64(step)), m.x)
	return m.flow.Gradient(m.x, batchSize, 1./batchSize) / batchSize
}

// draw shows the states after each coupling.
func (m *normalizing) draw(_ context.Context, x []float32, show func(x []float32)) (float64, error) {
	show(x)
	for i := len(m.flow.Layers) - 2; i >= 0; i -= 2 {
		for from := 0; from < len(x); from += 2 * rows {
			part := x[from:min(from+2*rows, len(x))]
			m.flow.Layers[i:i+2].Generate(part, len(part)/2)
		}
		show(x)
	}
	return 1, nil
}

func (m *normalizing) logProb(_ context.Context, logp []float64, x []float32) error {
	for from := 0; from < len(logp); from += rows {
		to := min(from+rows, len(logp))
		m.flow.LogProb(logp[from:to], x[2*from:2*to])
	}
	return nil
}

// continuous is a CNF: its field is trained through a solver.
type continuous struct {
	transport
	cnf  bijection.CNF
	data *Data
	seed uint64
	x    []float32
}

// cnfSteps is the number of steps of order 4 that a CNF is trained through.
const cnfSteps = 4

func newContinuous(d *Data, isa kernels.ISA, seed uint64) model {
	l, b := newLearner(isa, seed)
	f := newField(l, b)
	m := &continuous{
		transport: transport{f, f, f}, cnf: bijection.CNF{Method: ode.RK4, Steps: cnfSteps},
		data: d, seed: seed, x: make([]float32, 2*batchSize),
	}
	f.reserve(m.cnf.Calls())
	return m
}

func (m *continuous) gradient(step int) float64 {
	m.data.batch(source(m.seed, streamBatch, uint64(step)), m.x)
	return m.cnf.Gradient(m.net, m.x, batchSize, 1./batchSize) / batchSize
}

// matching trains a field by regression: on the velocity, or another objective, of pairs of noise
// and data.
type matching struct {
	transport
	path      flow.Schedule
	objective flow.Objective
	paired    bool // by optimal transport

	data             *Data
	seed             uint64
	x0, x1, xt, u, v []float32
	t                []float32
	uniform          []float64
	assigner         flow.Assigner
	cost             []float64
}

// matchingOn returns a function that makes models of a path, an objective and a kind of pairs.
func matchingOn(path flow.Schedule, o flow.Objective, paired bool) func(*Data, kernels.ISA, uint64) model {
	return func(d *Data, isa kernels.ISA, seed uint64) model {
		l, b := newLearner(isa, seed)
		f := newField(l, b)
		m := &matching{
			transport: transport{f, flow.VelocityOf(f, path, o), flow.DivergenceOf(f, path, o)},
			path:      path, objective: o, paired: paired, data: d, seed: seed,
			t: make([]float32, batchSize), uniform: make([]float64, batchSize),
		}
		for _, v := range []*[]float32{&m.x0, &m.x1, &m.xt, &m.u, &m.v} {
			*v = make([]float32, 2*batchSize)
		}
		return m
	}
}

func (m *matching) gradient(step int) float64 {
	p := source(m.seed, streamBatch, uint64(step))
	m.data.batch(p, m.x1)
	flow.Gaussian(m.x0, p)
	if m.paired {
		m.pair()
	}
	for i := range m.uniform {
		m.uniform[i] = flow.OpenUniform(p)
	}
	flow.SampleTimes(m.t, m.uniform, flow.Uniform{})
	// pairs may be sorted
	rand.New(p).Shuffle(batchSize, func(i, k int) { m.t[i], m.t[k] = m.t[k], m.t[i] })
	for i, t := range m.t {
		c, lo, hi := m.path.At(float64(t)), 2*i, 2*i+2
		flow.Interpolate(m.xt[lo:hi], m.x0[lo:hi], m.x1[lo:hi], c)
		flow.Target(m.u[lo:hi], m.x0[lo:hi], m.x1[lo:hi], c, m.objective)
	}
	m.net.forward(m.v, m.xt, m.t)
	loss := 0.0
	for i, v := range m.v {
		e := v - m.u[i]
		loss += float64(e) * float64(e) / (2 * batchSize)
		m.v[i] = e / batchSize
	}
	m.net.backward(m.v)
	return loss
}

// pairs is the number of pairs that are assigned together. The time grows with its third power.
const pairs = 64

// pair reorders the noise of each block, so that noise and data are paired by optimal transport.
func (m *matching) pair() {
	for from := 0; from < batchSize; from += pairs {
		x0, x1 := m.x0[2*from:2*(from+pairs)], m.x1[2*from:2*(from+pairs)]
		m.cost = m.cost[:0]
		for i := range pairs {
			for k := range pairs {
				dx, dy := float64(x1[2*i]-x0[2*k]), float64(x1[2*i+1]-x0[2*k+1])
				m.cost = append(m.cost, float64(dx*dx)+float64(dy*dy))
			}
		}
		copy(m.xt, x0)
		for i, k := range m.assigner.Assign(m.cost, pairs) {
			copy(x0[2*i:2*i+2], m.xt[2*k:2*k+2])
		}
	}
}

// transport draws along a velocity field, and finds densities by the change of variables along it.
type transport struct {
	net      *field
	velocity ode.Field
	div      ode.DivergenceField
}

func (m *transport) learner() *learner { return m.net.learner }

// tolerance is that of the solver, for samples and for densities.
const tolerance = 1e-4

func (m *transport) draw(ctx context.Context, x []float32, show func(x []float32)) (float64, error) {
	solver := ode.DormandPrince(tolerance, tolerance).Observed(func(_ int, _ float64, x []float32) { show(x) })
	stats, err := solver.Solve(ctx, m.velocity, x, len(x)/2, 0, 1)
	return stats.MeanEvaluations(), err
}

func (m *transport) logProb(ctx context.Context, logp []float64, x []float32) error {
	solver := ode.DormandPrince(tolerance, tolerance).(ode.LogDetSolver)
	_, err := bijection.LogLikelihood(ctx, solver, m.div, x, logp, len(logp))
	return err
}

func newConditioner(l *learner, b *nn.Builder, name string) *conditioner {
	c := &conditioner{learner: l, net: nn.NewMLP(b, name, 2, couplingWidth, couplingWidth, 4)}
	c.tape = c.net.NewTape(rows, 0)
	return c
}
