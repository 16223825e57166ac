package unet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
)

// unshuffled is PyTorch's pixel_unshuffle, written by its definition: number (row y, column x) of
// channel c of an image is channel c·p² + (y mod p)·p + x mod p of pixel (y/p, x/p). Images and
// results are NHWC.
func unshuffled(images []float32, n int, cfg Config) []float32 {
	h, w, c, p := cfg.ImageSize[0], cfg.ImageSize[1], cfg.InChannels, cfg.PatchSize
	out := make([]float32, len(images))
	for i := range n {
		for y := range h {
			for x := range w {
				for channel := range c {
					pixel := (i*(h/p)+y/p)*(w/p) + x/p
					out[pixel*c*p*p+channel*p*p+y%p*p+x%p] = images[((i*h+y)*w+x)*c+channel]
				}
			}
		}
	}
	return out
}

// A network of patches is the network without them on unshuffled images, forward and backward.
func TestPatchesAreUnshuffledImages(t *testing.T) {
	for _, p := range []int{2, 4} {
		cfg := small(func(c *Config) { c.ImageSize, c.InChannels, c.PatchSize = [2]int{4 * p, 6 * p}, 3, p })
		plain := cfg
		plain.ImageSize, plain.InChannels, plain.PatchSize = [2]int{4, 6}, 3*p*p, 0
		for _, isa := range kernels.Available() {
			m, inner := randomModel(t, isa, cfg), randomModel(t, isa, plain)
			if !slices.Equal(m.Params().Values, inner.Params().Values) {
				t.Fatal("the networks have other parameters")
			}
			const n = 3
			rng := rand.New(rand.NewPCG(3, 4))
			x, dv := randoms(rng, n*cfg.ImageLen()), randoms(rng, n*cfg.ImageLen())
			run := func(m *Model, x, dv []float32) (v, dx, grad []float32) {
				r := m.NewReplica(n+1, true) // more than there are
				v, dx, grad = make([]float32, len(x)), make([]float32, len(x)), make([]float32, m.Params().Len())
				r.Forward(v, x, []float32{0.1, 0.5, 0.9}, nil)
				r.Backward(dx, dv, grad)
				return v, dx, grad
			}
			v, dx, grad := run(m, x, dv)
			wantV, wantDx, wantGrad := run(inner, unshuffled(x, n, cfg), unshuffled(dv, n, cfg))
			if !slices.Equal(unshuffled(v, n, cfg), wantV) || !slices.Equal(unshuffled(dx, n, cfg), wantDx) ||
				!slices.Equal(grad, wantGrad) {
				t.Errorf("%v, patches of %d: other results than of unshuffled images", isa, p)
			}
		}
	}
}

// Configurations of patches that no network can have are refused, and their factor says which sides
// images may have.
func TestPatchConfig(t *testing.T) {
	cfg := preset(t, "patch", nil)
	if cfg.Factor() != 4 {
		t.Errorf("factor %d, want 4: patches of 2 and two levels", cfg.Factor())
	}
	mustFail(t, "a side", preset(t, "patch", func(c *Config) { c.ImageSize = [2]int{30, 28} }).Validate(),
		"2 levels over patches of 2x2", "multiples of 4", "[32,28]")
	mustFail(t, "a patch", preset(t, "patch", func(c *Config) { c.PatchSize = 17 }).Validate(), "patch_size 17")
	mustFail(t, "a factor", preset(t, "patch", func(c *Config) { c.AttentionResolutions = []int{4} }).Validate(),
		"attention_resolutions: 4")
	one := preset(t, "base", func(c *Config) { c.PatchSize = 1 })
	if one.withDefaults().PatchSize != 0 {
		t.Error("patches of one pixel are a network of another form")
	}
}

// A network that sees images turned is the plain network on turned images, forward and backward.
func TestTurned(t *testing.T) {
	cfg := small(func(c *Config) { c.ImageSize, c.InChannels = [2]int{4, 6}, 3 })
	turned := cfg
	turned.Turned = true
	for _, isa := range kernels.Available() {
		m, plain := randomModel(t, isa, turned), randomModel(t, isa, cfg)
		const n = 2
		rng := rand.New(rand.NewPCG(3, 4))
		size := cfg.ImageLen()
		x, dv := randoms(rng, n*size), randoms(rng, n*size)
		turn := func(images []float32) []float32 { // pixel by pixel
			out := make([]float32, len(images))
			for i := range images {
				pixel := i % size / 3
				out[i] = images[i/size*size+(size/3-1-pixel)*3+i%3]
			}
			return out
		}
		run := func(m *Model, x, dv []float32) (v, dx []float32) {
			r := m.NewReplica(n+1, true)
			v, dx = make([]float32, len(x)), make([]float32, len(x))
			r.Forward(v, x, []float32{0.1, 0.9}, nil)
			r.Backward(dx, dv, make([]float32, m.Params().Len()))
			return v, dx
		}
		v, dx := run(m, x, dv)
		wantV, wantDX := run(plain, turn(x), turn(dv))
		if !slices.Equal(v, turn(wantV)) || !slices.Equal(dx, turn(wantDX)) {
			t.Errorf("%v: another network", isa)
		}
		if slices.Equal(v, wantV) {
			t.Errorf("%v: turning makes no difference", isa)
		}
	}
}

// Heads by their channels are as many heads as divide a map so. A norm's epsilon and the shift of
// the frequencies change what a network computes.
func TestConfigsOfOthers(t *testing.T) {
	result := func(change func(*Config)) []float32 {
		m := randomModel(t, kernels.Generic, small(change))
		x := randoms(rand.New(rand.NewPCG(3, 4)), m.Config().ImageLen())
		v := make([]float32, len(x))
		m.NewReplica(1, false).Forward(v, x, []float32{0.3}, nil)
		return v
	}
	nothing := func(*Config) {}
	channels := small(nothing)
	lowest := channels.ModelChannels * channels.ChannelMult[len(channels.ChannelMult)-1]
	usual := result(nothing)
	heads := result(func(c *Config) { c.NumHeads = 2; c.AttentionResolutions = nil })
	if !slices.Equal(heads, result(func(c *Config) { c.NumHeads, c.NumHeadChannels, c.AttentionResolutions = 1, lowest/2, nil })) {
		t.Error("heads by their channels differ from as many heads")
	}
	if !slices.Equal(usual, result(func(c *Config) { c.NormEpsilon = kernels.NormEpsilon })) {
		t.Error("the usual epsilon makes a difference")
	}
	for name, change := range map[string]func(*Config){
		"norm_epsilon": func(c *Config) { c.NormEpsilon = 0.1 },
		"freq_shift":   func(c *Config) { c.FreqShift = 1 },
	} {
		if slices.Equal(usual, result(change)) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
