package realnvp

import (
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A Model is a configuration with parameters. Replicas share it. They may run side by side while
// nobody changes the parameters.
type Model struct {
	cfg     Config
	isa     kernels.ISA
	params  nn.Params
	weights nn.Weights
}

// New makes a model and draws its first parameters. With rng nil they are zero, for a caller who
// sets them. Couplings begin as the identity. [Replica.Initialise] sets the activation norms.
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
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration of a normalizing flow: %w", err)
	}
	return &Model{cfg: cfg}, nil
}

// The values of the darkest and of the brightest pixel.
const pixelMin, pixelMax = -1, 1

// Config returns the configuration.
func (m *Model) Config() Config { return m.cfg }

// ISA returns the instruction set to compute with.
func (m *Model) ISA() kernels.ISA { return m.isa }

// Params returns the parameters. After a change of Params().Values, Repack must run.
func (m *Model) Params() *nn.Params { return &m.params }

// Repack rebuilds the forms of the parameters that kernels read. It does part number part of parts.
func (m *Model) Repack(part, parts int) { m.weights.Pack(m.params.Values, part, parts) }

// A Replica holds the activations of one worker. It is not safe for concurrent use.
type Replica struct {
	run    nn.Run
	images int
	size   int // numbers in an image
	flow   bijection.NormalizingFlow
	norms  []boundWeights
}

// boundWeights are the parameters of a norm, and their place in the flat vector.
type boundWeights struct {
	weights *bijection.Parameter
	param   *nn.Param
}

// NewReplica makes room for up to images images; train says whether Gradient will be called.
func (m *Model) NewReplica(images int, train bool) *Replica {
	if images < 1 {
		panic(fmt.Sprintf("realnvp: a replica of %d images", images))
	}
	return m.newReplica(images, train, nil)
}

func (m *Model) newReplica(images int, train bool, rng *rand.Rand) *Replica {
	r := &Replica{run: nn.Run{ISA: m.isa}, images: images, size: m.cfg.ImageLen()}
	b := &builder{
		Builder: nn.Builder{ISA: m.isa, Params: &m.params, Weights: &m.weights, N: images, Train: train, Rand: rng},
		cfg:     m.cfg, replica: r,
	}
	if m.cfg.Alpha > 0 {
		r.flow.Layers = append(r.flow.Layers, bijection.Logit{Alpha: m.cfg.Alpha, Low: pixelMin, High: pixelMax})
	}
	layers := b.scale(m.cfg.ImageSize[0], m.cfg.ImageSize[1], m.cfg.Channels, m.cfg.Scales)
	r.flow.Layers = append(r.flow.Layers, layers...)
	for _, n := range r.norms { // only now, as a flat vector moves while it grows
		n.weights.Values = n.param.Of(m.params.Values)
	}
	return r
}

// check panics when x does not hold n images that the replica has room for.
func (r *Replica) check(x []float32, n int) {
	if n < 1 || n > r.images || len(x) != n*r.size {
		panic(fmt.Sprintf("realnvp: %d images of %d numbers in a replica of %d: %d numbers",
			n, r.size, r.images, len(x)))
	}
}

// LogProb sets logp to the log-densities of len(logp) images x, [n, H, W, C] in (-1, 1), in nats.
// It moves x to the noise.
func (r *Replica) LogProb(logp []float64, x []float32) {
	r.check(x, len(logp))
	r.flow.LogProb(logp, x)
}

// Sample moves n states of standard normal noise to images.
func (r *Replica) Sample(x []float32, n int) {
	r.check(x, n)
	r.flow.Sample(x, n)
}

// Gradient adds the gradient of share·Σ_i −log p(x_i) of n images to grad, a flat vector. It
// returns Σ_i −log p(x_i) in nats. x stays as it is, but for rounding.
func (r *Replica) Gradient(grad, x []float32, n int, share float64) float64 {
	r.check(x, n)
	r.run.Grad = grad
	for _, w := range r.norms {
		w.weights.Grad = w.param.Of(grad)
	}
	return r.flow.Gradient(x, n, share)
}

// Initialise sets the activation norms from n images, before training. It moves x.
func (r *Replica) Initialise(x []float32, n int) {
	r.check(x, n)
	r.flow.Layers.Initialise(x, n)
}

// A builder makes the layers of a replica.
type builder struct {
	nn.Builder
	cfg     Config
	replica *Replica
	layers  int // couplings so far
}

// The number of couplings with each kind of mask in a scale, and with a checkerboard in the last
// scale.
const (
	couplings     = 3
	lastCouplings = 4
)

// scale makes the layers of the given number of scales, over h x w x c numbers.
func (b *builder) scale(h, w, c, scales int) bijection.Chain {
	var layers bijection.Chain
	if scales == 1 {
		for i := range lastCouplings {
			layers = append(layers, b.coupling(h, w, c, checkerboard(h, w, c, i%2))...)
		}
		return layers
	}
	for i := range couplings {
		layers = append(layers, b.coupling(h, w, c, checkerboard(h, w, c, i%2))...)
	}
	layers = append(layers, bijection.NewPermute(squeeze(h, w, c)))
	h, w, c = h/2, w/2, 4*c
	for i := range couplings {
		layers = append(layers, b.coupling(h, w, c, channelMask(h, w, c, i%2))...)
	}
	rest := b.scale(h, w, c/2, scales-1)
	return append(layers, bijection.NewPermute(halves(h, w, c)), &bijection.Leading{Size: h * w * c / 2, Layers: rest})
}

// coupling makes an activation norm and a coupling.
func (b *builder) coupling(h, w, c int, mask []bool) bijection.Chain {
	name := fmt.Sprintf("layers.%d", b.layers)
	b.layers++
	norm := bijection.NewActNorm(b.norm(name+".norm.log_scale", c), b.norm(name+".norm.shift", c))
	net := b.conditioner(name+".net", h, w, c)
	return bijection.Chain{norm, bijection.NewAffineCoupling(mask, c, b.cfg.ScaleBound, net)}
}

// norm adds a parameter of a norm, which begins at zero.
func (b *builder) norm(name string, c int) *bijection.Parameter {
	p := b.Params.Add(name, nn.Plain, c)
	w := &bijection.Parameter{Values: p.Of(b.Params.Values)}
	b.replica.norms = append(b.replica.norms, boundWeights{w, p})
	return w
}

// A conditioner is a convolution, residual convolutions, and a convolution that starts at zero.
type conditioner struct {
	run    *nn.Run
	x, y   nn.Act
	stem   *nn.Resample
	layers []*nn.NormConv
}

func (b *builder) conditioner(name string, h, w, c int) *conditioner {
	k := &conditioner{run: &b.replica.run, x: b.Act(h, w, c), y: b.Act(h, w, 2*c)}
	at := b.Act(h, w, b.cfg.Hidden)
	k.stem = nn.NewResample(&b.Builder, name+".in", kernels.Same3, k.x, at, false)
	shape := nn.NormConvShape{Kind: kernels.Same3, Groups: b.cfg.NormGroups, Residual: true, Zero: true}
	for i := range b.cfg.Blocks {
		next := b.Act(h, w, b.cfg.Hidden)
		block := fmt.Sprintf("%s.blocks.%d", name, i)
		k.layers = append(k.layers, nn.NewNormConv(&b.Builder, block, shape, at, next))
		at = next
	}
	k.layers = append(k.layers, nn.NewHead(&b.Builder, name+".out", at, k.y, b.cfg.NormGroups))
	return k
}

// Forward implements [bijection.Conditioner].
func (c *conditioner) Forward(y, x []float32, n int) {
	c.run.N = n
	c.x.X.First(n).Load(x)
	c.stem.Forward(c.run)
	for _, l := range c.layers {
		l.Forward(c.run)
	}
	c.y.X.First(n).Store(y)
}

// Backward implements [bijection.Conditioner].
func (c *conditioner) Backward(dx, dy []float32, n int) {
	c.run.N = n
	c.y.D.First(n).Load(dy)
	for i := len(c.layers) - 1; i >= 0; i-- {
		c.layers[i].Backward(c.run)
	}
	c.stem.Backward(c.run)
	c.x.D.First(n).Store(dx)
}

// checkerboard masks every second pixel.
func checkerboard(h, w, c, parity int) []bool {
	mask := make([]bool, h*w*c)
	for i := range mask {
		pixel := i / c
		mask[i] = (pixel/w+pixel%w)%2 == parity
	}
	return mask
}

// channelMask masks half of the channels.
func channelMask(h, w, c, half int) []bool {
	mask := make([]bool, h*w*c)
	for i := range mask {
		mask[i] = i%c*2/c == half
	}
	return mask
}

// squeeze returns the order that turns 2x2 pixels with c channels into one pixel with 4·c channels.
func squeeze(h, w, c int) []int {
	var order []int
	for y := range h / 2 {
		for x := range w / 2 {
			for corner := range 4 {
				for k := range c {
					order = append(order, ((2*y+corner/2)*w+2*x+corner%2)*c+k)
				}
			}
		}
	}
	return order
}

// halves returns the order with the first half of the channels of all pixels before the second
// half.
func halves(h, w, c int) []int {
	var order []int
	for half := range 2 {
		for pixel := range h * w {
			for k := range c / 2 {
				order = append(order, pixel*c+half*c/2+k)
			}
		}
	}
	return order
}
