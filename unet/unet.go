package unet

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A Model is a network's configuration and parameters. Its replicas share the parameters, and may
// run side by side as long as nobody changes them.
type Model struct {
	cfg       Config
	isa       kernels.ISA
	precision kernels.Precision
	params    nn.Params
	weights   nn.Weights
}

// New builds a network and draws its first parameters from PyTorch's distributions. With rng nil
// the parameters are zero, for a caller that sets them.
func New(cfg Config, isa kernels.ISA, rng *rand.Rand) (*Model, error) {
	m, err := Outline(cfg)
	if err != nil {
		return nil, err
	}
	m.isa = isa
	m.newReplica(1, false, rng) // makes the parameters
	m.Repack(0, 1)
	return m, nil
}

// Outline returns a model without parameters. It has a configuration and nothing that computes.
func Outline(cfg Config) (*Model, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network configuration: %w", err)
	}
	return &Model{cfg: cfg}, nil
}

// Config returns the configuration with all defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// ISA returns the instruction set that the model's replicas use.
func (m *Model) ISA() kernels.ISA { return m.isa }

// Precision returns the precision in which replicas store their activations.
func (m *Model) Precision() kernels.Precision { return m.precision }

// SetPrecision changes the precision of the replicas that are made from now on. Replicas made
// before must not be used any more, because the weights are packed anew. Models begin with F32.
func (m *Model) SetPrecision(p kernels.Precision) {
	if p == m.precision {
		return
	}
	m.precision, m.weights = p, nn.Weights{}
	m.newReplica(1, false, nil) // lists the weights
	m.Repack(0, 1)
}

// Params returns the parameters. After a change of Params().Values, Repack must run.
func (m *Model) Params() *nn.Params { return &m.params }

// Repack rebuilds the forms of the parameters that kernels read. It does one part of the work, so
// that parts goroutines can divide it. Repack(0, 1) does all of it.
func (m *Model) Repack(part, parts int) { m.weights.Pack(m.params.Values, part, parts) }

// A Replica holds the activations of one worker. It is not safe for concurrent use.
type Replica struct {
	run             nn.Run
	cfg             Config
	images          int
	train           bool
	net             network
	image, velocity nn.Act
	still           []float32 // jumps of length 0, only in a flow map
	patches         []float32 // images in the order of the first map, where that is another
	unguided        []float32 // weights of 1, only where the network takes a weight of guidance
}

// NewReplica makes a replica for at most so many images. train says whether Backward will be
// called.
func (m *Model) NewReplica(images int, train bool) *Replica {
	if images < 1 {
		panic(fmt.Sprintf("unet: a replica of %d images", images))
	}
	return m.newReplica(images, train, nil)
}

func (m *Model) newReplica(images int, train bool, rng *rand.Rand) *Replica {
	b := &nn.Builder{ISA: m.isa, Precision: m.precision, Params: &m.params, Weights: &m.weights, N: images, Train: train, Rand: rng, NormEpsilon: m.cfg.NormEpsilon}
	r := &Replica{run: nn.Run{ISA: m.isa}, cfg: m.cfg, images: images, train: train, net: network{b: b, cfg: m.cfg}}
	h, w, c := m.cfg.firstMap()
	r.image, r.velocity = b.Images(h, w, c), b.Images(h, w, c)
	r.net.build(r.image, r.velocity)
	if m.cfg.patch() > 1 || m.cfg.Turned {
		r.patches = make([]float32, images*m.cfg.ImageLen())
	}
	if m.cfg.FlowMap {
		r.still = make([]float32, images)
	}
	if m.cfg.GuidanceEmbed {
		r.unguided = slices.Repeat([]float32{1}, images)
	}
	return r
}

// Forward computes v(x, t, y) for n = len(t) images, at most as many as the replica is for.
// x and v are [n, H, W, C] with channels contiguous. y are rows of label_emb, nil for an
// unconditional network. For a flow map v is the mean velocity over a jump of length 0.
func (r *Replica) Forward(v, x, t []float32, y []int32) {
	r.forward(v, x, t, nil, nil, y)
}

// Jump computes the mean velocity u(x, t, δ, y) over jumps of length δ: the state at t+δ is x +
// δ·u. The network must be a flow map. d holds a δ for each image. w holds the weight of guidance
// of each image, for a network that takes one: there nil is a weight of 1, which is no guidance.
// The other shapes are those of [Replica.Forward].
func (r *Replica) Jump(u, x, t, d, w []float32, y []int32) {
	if !r.cfg.FlowMap || len(d) != len(t) {
		panic(fmt.Sprintf("unet: %d jumps from %d times by a network with flow_map %t", len(d), len(t), r.cfg.FlowMap))
	}
	if w != nil && (!r.cfg.GuidanceEmbed || len(w) != len(t)) {
		panic(fmt.Sprintf("unet: %d weights for %d jumps by a network with guidance_embed %t", len(w), len(t), r.cfg.GuidanceEmbed))
	}
	r.forward(u, x, t, d, w, y)
}

// forward computes the mean velocity over jumps of length d with weights of guidance w. With d nil
// it is the velocity, with w nil that without guidance.
func (r *Replica) forward(v, x, t, d, w []float32, y []int32) {
	n := len(t)
	if size := r.cfg.ImageLen(); n < 1 || n > r.images || len(x) != n*size || len(v) != n*size {
		panic(fmt.Sprintf("unet: forward of %d images of %d elements in a replica of %d: %d elements in, %d out",
			n, size, r.images, len(x), len(v)))
	}
	if (r.cfg.NumClasses > 0) != (y != nil) || y != nil && len(y) != n {
		panic(fmt.Sprintf("unet: %d classes for %d images of a network of %d", len(y), n, r.cfg.NumClasses))
	}
	for _, class := range y {
		if class < 0 || int(class) >= r.cfg.NumClasses {
			panic(fmt.Sprintf("unet: class %d of %d", class, r.cfg.NumClasses))
		}
	}
	if d == nil && r.cfg.FlowMap {
		d = r.still[:n]
	}
	if w == nil && r.cfg.GuidanceEmbed {
		w = r.unguided[:n]
	}
	r.run.N = n
	r.load(r.image.X.First(n), x)
	r.net.embedding.Forward(&r.run, t, d, w, y)
	for _, m := range r.net.modules {
		m.Forward(&r.run)
	}
	r.store(r.velocity.X.First(n), v)
}

// Backward computes gradients from dv, the gradient of the result of the last Forward or Jump. It
// adds the gradient of the parameters to grad, a flat vector as long as Params().Values. It sets dx
// to the gradient of x.
//
// With dx nil it leaves the gradient of x out. With grad nil it computes dx = Jᵀ·dv alone, J =
// ∂v/∂x, in two thirds of the time. It may be called again with another dv for the same
// activations.
func (r *Replica) Backward(dx, dv, grad []float32) {
	if !r.train {
		panic("unet: backward of a replica made for inference")
	}
	n := r.run.N
	r.run.Grad = grad
	r.load(r.velocity.D.First(n), dv)
	r.net.embedding.ClearGrad(&r.run)
	modules := r.net.modules
	for i := len(modules) - 1; i > 0; i-- {
		modules[i].Backward(&r.run)
	}
	r.net.stem.BackwardTo(&r.run, dx != nil)
	if grad != nil {
		r.net.embedding.Backward(&r.run)
	}
	if dx != nil {
		r.store(r.image.D.First(n), dx)
	}
}
