package classify

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
	"github.com/fmimg/fmimg/nn"
)

// smallConfig has every kind of layer, and odd sizes at each level.
func smallConfig() Config {
	return Config{
		ImageSize: [2]int{11, 9}, InChannels: 3, Widths: []int{4, 6, 8}, Blocks: []int{1, 0, 2}, NormGroups: 2,
		Classes: []string{"cat", "dog", "owl"},
	}
}

// newSmall makes a classifier of smallConfig. It also returns the generator that drew the
// parameters.
func newSmall(t *testing.T, isa kernels.ISA) (*Network, *rand.Rand) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	c, err := NewNetwork(smallConfig(), isa, rng)
	if err != nil {
		t.Fatal(err)
	}
	// Parameters of zero would hide the gradients of the layers before them.
	for i := range c.params.Values {
		c.params.Values[i] += 0.1 * float32(rng.NormFloat64())
	}
	c.Repack(0, 1)
	return c, rng
}

// The default classifier is small, and Winograd's algorithm fits every convolution but the first.
func TestDefaultConfig(t *testing.T) {
	cfg := DefaultConfig(28, 28, 1, make([]string, 10))
	c, err := NewNetwork(cfg, kernels.Generic, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := cfg.Parameters(); n != c.Params().Len() || n > 300_000 || c.Dim() != 64 {
		t.Errorf("%d parameters, said to be %d; %d features", c.Params().Len(), n, c.Dim())
	}
	for _, width := range cfg.Widths {
		if width%16 != 0 {
			t.Errorf("a width of %d", width)
		}
	}
}

// pooledConfig is that of a pooled network with odd sizes at each level.
func pooledConfig() Config {
	return Config{
		Kind: Pooled, ImageSize: [2]int{11, 9}, InChannels: 3, Widths: []int{4, 6, 8}, Features: 8,
		Classes: []string{"cat", "dog", "owl"},
	}
}

// newPooled makes a classifier of pooledConfig. It also returns the generator that drew the
// parameters.
func newPooled(t *testing.T, isa kernels.ISA) (*Network, *rand.Rand) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	c, err := NewNetwork(pooledConfig(), isa, rng)
	if err != nil {
		t.Fatal(err)
	}
	return c, rng
}

// The slope of the loss along a normal direction is about as large as the gradient's norm. The
// difference quotient of fourth order errs by the rounding of a loss near 1, 1e-7 over a step of
// 1/16, and by the fourth power of the step. Together that is below 1e-4 of the norm here. A wrong
// term is an error of 1e-2 and more.
func TestGradient(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		c, rng := newSmall(t, isa)
		mustHaveGradient(t, c, rng, 1.0/16, 1e-3)
	})
}

// A pooled network has kinks, where ReLU starts and where another pixel becomes the largest. With
// steps of 1/4096 few are crossed. Rounding errs by a few thousandths of the norm then.
func TestGradientOfPooled(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		c, rng := newPooled(t, isa)
		mustHaveGradient(t, c, rng, 1.0/4096, 1e-2)
	})
}

// mustHaveGradient compares the gradient with difference quotients along three directions. tol is a
// share of the gradient's norm.
func mustHaveGradient(t *testing.T, c *Network, rng *rand.Rand, step, tol float64) {
	t.Helper()
	r := c.NewReplica(4, true)
	x, labels := kernelstest.Normals(rng, 3*11*9*3), []int32{2, 0, 1}
	logits, values := make([]float32, 9), slices.Clone(c.params.Values)
	loss := func(direction []float32, h float64) float64 {
		for i, v := range values {
			c.params.Values[i] = v + float32(h)*direction[i]
		}
		c.Repack(0, 1)
		r.Forward(logits, nil, x)
		return CrossEntropy(nil, logits, labels, 0.1)
	}
	grad := make([]float32, len(values))
	loss(grad, 0)
	CrossEntropy(logits, logits, labels, 0.1)
	r.Backward(logits, grad)
	var norm float64
	for _, g := range grad {
		norm += float64(g) * float64(g)
	}
	norm = math.Sqrt(norm)
	for range 3 {
		direction := kernelstest.Normals(rng, len(grad))
		var slope, length float64
		for i, d := range direction {
			slope += float64(grad[i]) * float64(d)
			length += float64(d) * float64(d)
		}
		h := step / math.Sqrt(length)
		near, far := loss(direction, h)-loss(direction, -h), loss(direction, 2*h)-loss(direction, -2*h)
		want := (8*near - far) / (12 * h)
		if math.Abs(slope-want) > tol*norm {
			t.Errorf("slope %g, differences say %g; norm %g", slope, want, norm)
		}
	}
}

// Max-pooling by hand, with an odd side and a window below zero.
func TestMaxPool(t *testing.T) {
	b := &nn.Builder{N: 1, Train: true}
	l := &maxPool{b.Act(2, 3, 1), b.Act(1, 2, 1)}
	l.x.X.Load([]float32{1, 5, -2, 3, 4, -1})
	run := &nn.Run{N: 1}
	l.Forward(run)
	got := make([]float32, 2)
	l.y.X.Store(got)
	if !slices.Equal(got, []float32{5, 0}) {
		t.Errorf("the largest are %v", got)
	}
	l.y.D.Load([]float32{7, 9})
	l.x.D.Load([]float32{1, 1, 1, 1, 1, 1}) // which Backward must overwrite
	l.Backward(run)
	dx := make([]float32, 6)
	l.x.D.Store(dx)
	if !slices.Equal(dx, []float32{0, 7, 0, 0, 0, 0}) {
		t.Errorf("gradient %v", dx)
	}
}

// Each kind has the parameters that its configuration says, few enough for a file in the program.
func TestKinds(t *testing.T) {
	for _, kind := range Kinds() {
		for _, side := range []int{1, 9, 28, 64} {
			cfg := kind.Config(side, side+1, 3, []string{"a", "b"})
			c, err := NewNetwork(cfg, kernels.Generic, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := cfg.Parameters(); n != c.Params().Len() {
				t.Errorf("%s: %d parameters, said to be %d", kind, c.Params().Len(), n)
			}
		}
		if n := kind.Config(28, 28, 1, make([]string, 10)).Parameters(); n > 150_000 {
			t.Errorf("%s: %d parameters", kind, n)
		}
	}
	if err := pooledConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(c *Config){
		"kind":       func(c *Config) { c.Kind = "flat" },
		"features":   func(c *Config) { c.Features = 0 },
		"blocks":     func(c *Config) { c.Blocks = []int{1, 1, 1} },
		"widths":     func(c *Config) { c.Widths[1] = 0 },
		"image_size": func(c *Config) { c.ImageSize, c.Features = [2]int{4096, 64}, 1024 },
	} {
		cfg := pooledConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want a mistake in %s", err, want)
		}
	}
}

// The logits and features of an image do not depend on the other images, nor on the replica.
func TestForwardOfOneImage(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, made := range []func(*testing.T, kernels.ISA) (*Network, *rand.Rand){newSmall, newPooled} {
			c, rng := made(t, isa)
			mustTreatImagesAlone(t, c, rng)
		}
	})
}

// mustTreatImagesAlone fails if logits or features of an image depend on what else is there.
func mustTreatImagesAlone(t *testing.T, c *Network, rng *rand.Rand) {
	t.Helper()
	const n, size = 5, 11 * 9 * 3
	x := kernelstest.Normals(rng, n*size)
	logits, features := make([]float32, n*3), make([]float32, n*8)
	c.NewReplica(n, true).Forward(logits, features, x)
	single := c.NewReplica(2, false)
	for i := range n {
		l, f := make([]float32, 3), make([]float32, 8)
		single.Forward(l, f, x[i*size:(i+1)*size])
		if !slices.Equal(l, logits[i*3:(i+1)*3]) || !slices.Equal(f, features[i*8:(i+1)*8]) {
			t.Errorf("image %d: alone %v, together %v", i, l, logits[i*3:(i+1)*3])
		}
	}
	if slices.Equal(logits[:3], logits[3:6]) {
		t.Error("two images have the same logits")
	}
}

// Instruction sets differ by rounding alone.
func TestISAsAgree(t *testing.T) {
	var want []float32
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		cfg := DefaultConfig(28, 28, 1, make([]string, 10))
		rng := rand.New(rand.NewPCG(3, 4))
		c, err := NewNetwork(cfg, isa, rng)
		if err != nil {
			t.Fatal(err)
		}
		features := make([]float32, c.Dim())
		c.NewReplica(1, false).Forward(nil, features, kernelstest.Normals(rng, 28*28))
		if want == nil {
			want = features
			return
		}
		for i, v := range features {
			// Features are means of numbers around 1. Winograd errs by about 1e-6 in each of six
			// layers.
			if math.Abs(float64(v-want[i])) > 1e-4 {
				t.Errorf("feature %d is %v, generic says %v", i, v, want[i])
			}
		}
	})
}

func TestForwardAllocatesNothing(t *testing.T) {
	c, rng := newSmall(t, kernels.Best())
	r := c.NewReplica(4, true)
	x, grad := kernelstest.Normals(rng, 4*11*9*3), make([]float32, c.params.Len())
	logits, features := make([]float32, 4*3), make([]float32, 4*8)
	step := func() {
		r.Forward(logits, features, x)
		r.Backward(logits, grad)
	}
	step()
	if n := testing.AllocsPerRun(10, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReplicaMisused(t *testing.T) {
	c, rng := newSmall(t, kernels.Generic)
	r := c.NewReplica(2, false)
	x := kernelstest.Normals(rng, 3*11*9*3)
	for name, f := range map[string]func(){
		"no image":               func() { r.Forward(nil, nil, nil) },
		"too many":               func() { r.Forward(nil, nil, x) },
		"half an image":          func() { r.Forward(nil, nil, x[:100]) },
		"backward of inference":  func() { r.Backward(nil, nil) },
		"a replica of no images": func() { c.NewReplica(0, true) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestConfigErrors(t *testing.T) {
	for i, change := range []func(*Config){
		func(c *Config) { c.ImageSize[0] = 0 },
		func(c *Config) { c.ImageSize = [2]int{4096, 4096}; c.Widths[0] = 2 },
		func(c *Config) { c.InChannels = 0 },
		func(c *Config) { c.Widths = nil },
		func(c *Config) { c.Blocks = c.Blocks[:2] },
		func(c *Config) { c.Blocks[1] = -1 },
		func(c *Config) { c.Widths[1] = 7 },
		func(c *Config) { c.NormGroups = 0 },
		func(c *Config) { c.Classes = c.Classes[:1] },
	} {
		cfg := smallConfig()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("change %d: %+v is accepted", i, cfg)
		}
		if _, err := NewNetwork(cfg, kernels.Generic, nil); err == nil {
			t.Errorf("change %d: a classifier was made", i)
		}
	}
	if err := smallConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// The colour of a transparent pixel does not matter to the network, and its alpha does. The images
// stay as they are.
func TestForwardWithAlpha(t *testing.T) {
	for _, channels := range []int{2, 4} {
		cfg := smallConfig()
		cfg.InChannels = channels
		rng := rand.New(rand.NewPCG(1, 2))
		c, err := NewNetwork(cfg, kernels.Best(), rng)
		if err != nil {
			t.Fatal(err)
		}
		forward := func(colour, alpha float32) []float32 {
			x := kernelstest.Normals(rand.New(rand.NewPCG(3, 4)), 11*9*channels)
			for i := range 40 {
				for k := range channels - 1 {
					x[i*channels+k] = colour
				}
				x[i*channels+channels-1] = alpha
			}
			before, features := slices.Clone(x), make([]float32, c.Dim())
			c.NewReplica(2, false).Forward(nil, features, x)
			if !slices.Equal(x, before) {
				t.Errorf("%d channels: the images have changed", channels)
			}
			return features
		}
		if !slices.Equal(forward(1, -1), forward(-1, -1)) {
			t.Errorf("%d channels: colours of transparent pixels matter", channels)
		}
		for _, other := range [][2]float32{{-1, 1}, {1, 0}, {0, -1}} {
			if slices.Equal(forward(1, 1), forward(other[0], other[1])) {
				t.Errorf("%d channels: colour %v with alpha %v is as white", channels, other[0], other[1])
			}
		}
	}
}
