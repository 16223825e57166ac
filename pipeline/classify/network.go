package classify

import (
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// A Network is a classifier: a convolutional network that finds the classes of images. The features
// by which images are compared are the input of its last layer. Its layers are
//
//	3x3 convolution
//	levels, each with blocks x + conv(SiLU(norm(x)))
//	    a later level begins with norm, SiLU and a 3x3 convolution with stride 2
//	norm, SiLU, mean over the pixels: the features
//	linear layer: a logit for each class
//
// or, of the kind [Pooled],
//
//	levels, each a 3x3 convolution, ReLU and the maximum of 2x2 pixels
//	linear layer over all pixels and channels, ReLU: the features
//	linear layer: a logit for each class
//
// Its replicas share its parameters. They may run side by side as long as nobody changes the
// parameters.
type Network struct {
	cfg       Config
	isa       kernels.ISA
	params    nn.Params
	weights   nn.Weights
	reference *Reference
}

// NewNetwork builds a classifier and draws its first parameters. With a nil rng they are zero, for
// a caller who sets them.
func NewNetwork(cfg Config, isa kernels.ISA, rng *rand.Rand) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("classifier configuration: %w", err)
	}
	c := &Network{cfg: cfg, isa: isa}
	c.build(1, false, rng) // which makes the parameters
	c.Repack(0, 1)
	return c, nil
}

// Config returns the configuration.
func (c *Network) Config() Config { return c.cfg }

// Shape returns the rows, columns and channels of the images that the network takes.
func (c *Network) Shape() (h, w, channels int) {
	return c.cfg.ImageSize[0], c.cfg.ImageSize[1], c.cfg.InChannels
}

// Dim returns the length D of a feature vector.
func (c *Network) Dim() int { return c.cfg.dim() }

// Classes returns the names of the K classes. The caller must not change them.
func (c *Network) Classes() []string { return c.cfg.Classes }

// Reference returns the statistics of real images from the classifier's file, nil if there are
// none.
func (c *Network) Reference() *Reference { return c.reference }

// ISA returns the instruction set of the replicas.
func (c *Network) ISA() kernels.ISA { return c.isa }

// Params returns the parameters. After a change of Params().Values, Repack must run.
func (c *Network) Params() *nn.Params { return &c.params }

// Repack rebuilds the forms of the parameters that kernels read. The work is cut into parts, so
// that goroutines can share it, and one call does the part with the given number, from 0. Repack(0,
// 1) does all of it.
func (c *Network) Repack(part, parts int) { c.weights.Pack(c.params.Values, part, parts) }

// A layer computes one map from another. It was made for these two.
type layer interface {
	Forward(r *nn.Run)
	Backward(r *nn.Run)
}

// A Replica holds the activations of one worker. It is not safe for concurrent use.
type Replica struct {
	run                     nn.Run
	images, imageLen        int
	train                   bool
	stem                    *nn.Resample
	layers                  []layer // after the stem
	image, features, logits nn.Act
	seen                    []float32 // the images over gray, where they have an alpha channel
}

// NewReplica makes a replica for batches of at most the given number of images. Only with train may
// Backward be called.
func (c *Network) NewReplica(images int, train bool) *Replica {
	if images < 1 {
		panic(fmt.Sprintf("classify: a replica of %d images", images))
	}
	return c.build(images, train, nil)
}

// build makes a replica. The first one also makes the parameters.
func (c *Network) build(images int, train bool, rng *rand.Rand) *Replica {
	b := &nn.Builder{ISA: c.isa, Params: &c.params, Weights: &c.weights, N: images, Train: train, Rand: rng}
	h, w, ch := c.Shape()
	r := &Replica{
		run: nn.Run{ISA: c.isa}, images: images, imageLen: h * w * ch, train: train,
		image: b.Act(h, w, ch), features: b.Rows(c.Dim()), logits: b.Rows(len(c.cfg.Classes)),
	}
	if feed.HasAlpha(ch) {
		r.seen = make([]float32, images*r.imageLen)
	}
	x := b.Act(h, w, c.cfg.Widths[0])
	r.stem = nn.NewResample(b, "stem", kernels.Same3, r.image, x, false)
	if c.cfg.Kind == Pooled {
		r.buildPooled(b, &c.cfg, x)
		return r
	}
	for level := range c.cfg.Widths {
		x = r.level(b, &c.cfg, level, x)
	}
	r.layers = append(r.layers,
		nn.NewNormPool(b, "norm", x, r.features, c.cfg.NormGroups),
		nn.NewReadout(b, "readout", r.features, r.logits))
	return r
}

// level makes the layers of a level, from x on. It returns the activations of the last one.
func (r *Replica) level(b *nn.Builder, cfg *Config, level int, x nn.Act) nn.Act {
	width, part := cfg.Widths[level], 0
	next := func(kind kernels.ConvKind, residual bool) {
		y := b.Act(kind.OutSize(x.X.H), kind.OutSize(x.X.W), width)
		name := fmt.Sprintf("levels.%d.%d", level, part)
		shape := nn.NormConvShape{Kind: kind, Groups: cfg.NormGroups, Residual: residual, Zero: residual}
		r.layers = append(r.layers, nn.NewNormConv(b, name, shape, x, y))
		x, part = y, part+1
	}
	if level > 0 {
		next(kernels.Down3, false)
	}
	for range cfg.Blocks[level] {
		next(kernels.Same3, true)
	}
	return x
}

// Forward classifies the n images in x, [n, H, W, C] in [-1,1]. n is at most the replica's size.
// Forward sets logits, [n, K], and features, [n, D]. Either may be nil. Of images with an alpha
// channel the network sees the colours over the middle gray, and the alpha.
func (r *Replica) Forward(logits, features, x []float32) {
	n := len(x) / r.imageLen
	if n < 1 || n > r.images || len(x) != n*r.imageLen {
		panic(fmt.Sprintf("classify: %d elements for up to %d images of %d", len(x), r.images, r.imageLen))
	}
	r.run.N = n
	if r.seen != nil {
		x = r.seen[:copy(r.seen, x)]
		feed.OverGray(x, r.image.X.C)
	}
	r.image.X.First(n).Load(x)
	r.stem.Forward(&r.run)
	for _, l := range r.layers {
		l.Forward(&r.run)
	}
	if logits != nil {
		r.logits.X.FirstPixels(n).Store(logits)
	}
	if features != nil {
		r.features.X.FirstPixels(n).Store(features)
	}
}

// Backward adds the gradient of the parameters to grad, a flat vector like Params().Values. dlogits
// is the gradient of the loss by the logits of the last Forward.
func (r *Replica) Backward(dlogits, grad []float32) {
	if !r.train {
		panic("classify: backward of a replica made for inference")
	}
	r.run.Grad = grad
	r.logits.D.FirstPixels(r.run.N).Load(dlogits)
	for i := len(r.layers) - 1; i >= 0; i-- {
		r.layers[i].Backward(&r.run)
	}
	r.stem.BackwardTo(&r.run, false)
}
