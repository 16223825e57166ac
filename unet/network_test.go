package unet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

func randoms(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// randomModel makes a network whose parameters are all random, even those that begin at zero.
func randomModel(t testing.TB, isa kernels.ISA, cfg Config) *Model {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m, err := New(cfg, isa, rng)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params().List {
		for i, v := range p.Of(m.Params().Values) {
			p.Of(m.Params().Values)[i] = v + 0.1*float32(rng.NormFloat64())
		}
	}
	m.Repack(0, 1)
	return m
}

// small returns a network that is small enough for differences, with two of most things.
func small(change func(*Config)) Config {
	c := Config{
		ImageSize: [2]int{4, 6}, InChannels: 1, ModelChannels: 8, NumResBlocks: 1, ChannelMult: []int{1, 2},
		AttentionResolutions: []int{2}, NumHeads: 1, UseScaleShiftNorm: true, NormGroups: 4, TimeScale: 10,
	}
	change(&c)
	return c
}

var smallConfigs = map[string]Config{
	"added embedding": small(func(c *Config) { c.UseScaleShiftNorm = false }),
	"heads":           small(func(c *Config) { c.NumHeads, c.NumClasses = 4, 3 }),
	"one group":       small(func(c *Config) { c.NormGroups, c.InChannels = 1, 3 }),
	"two blocks": small(func(c *Config) {
		c.NumResBlocks, c.AttentionResolutions, c.NumClasses, c.NullClass = 2, []int{1, 2}, 3, true
	}),
	"one level":  small(func(c *Config) { c.ChannelMult, c.AttentionResolutions, c.InChannels = []int{2}, nil, 2 }),
	"flow map":   small(func(c *Config) { c.FlowMap, c.NumClasses = true, 2 }),
	"guided map": small(func(c *Config) { c.FlowMap, c.GuidanceEmbed, c.NumClasses = true, true, 2 }),
	"of others": small(func(c *Config) {
		c.NumHeadChannels, c.NormEpsilon, c.FreqShift, c.Turned = 4, 1e-2, 1, true
	}),
	"four channels":  small(func(c *Config) { c.InChannels = 4 }),
	"patches":        small(func(c *Config) { c.ImageSize, c.InChannels, c.PatchSize = [2]int{8, 12}, 2, 2 }),
	"gray and alpha": small(func(c *Config) { c.InChannels, c.ImageSize = 2, [2]int{6, 4} }),
	"odd sizes":      small(func(c *Config) { c.ImageSize, c.ChannelMult = [2]int{12, 4}, []int{1, 1, 2} }),
}

// A problem is a network, a batch for it, and a direction on which its velocity is projected.
type problem struct {
	m             *Model
	r             *Replica
	x, t, v, onto []float32
	d             []float32 // nil for a network of velocities
	w             []float32 // nil for a network that takes no weight of guidance
	y             []int32
}

func newProblem(m *Model, n int, seed uint64) *problem {
	rng := rand.New(rand.NewPCG(seed, 3))
	size := n * m.Config().ImageLen()
	p := &problem{m: m, r: m.NewReplica(n, true), v: make([]float32, size)}
	p.x, p.onto = randoms(rng, size), randoms(rng, size)
	for i := range n {
		p.t = append(p.t, rng.Float32())
		if m.Config().FlowMap {
			p.d = append(p.d, rng.Float32())
		}
		if m.Config().GuidanceEmbed {
			p.w = append(p.w, 1+rng.Float32())
		}
		if classes := m.Config().NumClasses; classes > 0 {
			p.y = append(p.y, int32(i%classes))
		}
	}
	return p
}

// value computes the velocity v and returns its projection.
func (p *problem) value() float64 {
	p.forward(p.r, p.v)
	return dot(p.v, p.onto)
}

// forward computes the batch's velocities with a replica.
func (p *problem) forward(r *Replica, v []float32) {
	if p.d != nil {
		r.Jump(v, p.x, p.t, p.d, p.w, p.y)
	} else {
		r.Forward(v, p.x, p.t, p.y)
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// A tensor is x or a parameter, with its gradient, its first values and the direction in which it
// moves.
type tensor struct {
	name        string
	values      []float32
	gradient    []float32
	start, step []float32
}

// TestDifferences compares the gradients of all parameters and of x with differences along random
// directions. Each tensor weighs the same in a direction: its step is divided by the norm of its
// gradient, or by a hundredth of the largest norm where that is more.
//
// The quotient (8·(f(h) - f(-h)) - (f(2h) - f(-2h)))/12h errs by h⁴·f⁽⁵⁾/30 and by the rounding of
// f over h. A wrong gradient of one tensor would be an error of about 1, the size of its slope. The
// bound is 0.005·√(number of tensors) ≈ 0.06.
func TestDifferences(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for name, cfg := range smallConfigs {
			t.Run(name, func(t *testing.T) {
				testDifferences(t, newProblem(randomModel(t, isa, cfg), 2, 4), 4)
			})
		}
	})
}

// testDifferences compares slopes along so many directions.
func testDifferences(t *testing.T, p *problem, directions int) {
	tensors := p.tensors()
	size := scale(tensors)
	rng := rand.New(rand.NewPCG(5, 5))
	for range directions {
		var slope float64
		for _, x := range tensors {
			x.draw(rng, size)
			slope += dot(x.gradient, x.step)
		}
		at := func(h float32) float64 {
			for _, x := range tensors {
				x.move(h)
			}
			p.m.Repack(0, 1)
			return p.value()
		}
		const h = 1. / 64
		want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
		at(0)
		unit := size * math.Sqrt(float64(len(tensors)))
		if e := math.Abs(slope-want) / unit; !(e <= 0.005) {
			t.Errorf("slope %g, differences say %g; the error is %.2g of %g", slope, want, e, unit)
		}
	}
}

// tensors runs a forward and a backward, and returns x and all parameters with their gradients.
func (p *problem) tensors() []*tensor {
	dx, grad := make([]float32, len(p.x)), make([]float32, p.m.Params().Len())
	p.value()
	p.r.Backward(dx, p.onto, grad)
	all := []*tensor{{name: "x", values: p.x, gradient: dx}}
	for _, q := range p.m.Params().List {
		all = append(all, &tensor{name: q.Name, values: q.Of(p.m.Params().Values), gradient: q.Of(grad)})
	}
	for _, x := range all {
		x.start = slices.Clone(x.values)
	}
	return all
}

// scale returns a hundredth of the largest norm of a gradient. Smaller norms are raised to it.
func scale(tensors []*tensor) float64 {
	largest := 0.
	for _, x := range tensors {
		largest = max(largest, golden.Norm(x.gradient))
	}
	return 0.01 * largest
}

// draw draws a direction in which the slope has about the given size.
func (x *tensor) draw(rng *rand.Rand, size float64) {
	x.step = randoms(rng, len(x.values))
	factor := float32(size / max(golden.Norm(x.gradient), size))
	for i := range x.step {
		x.step[i] *= factor
	}
}

// move sets the values to the first ones plus h steps.
func (x *tensor) move(h float32) {
	for i, v := range x.start {
		x.values[i] = v + h*x.step[i]
	}
}

// An image's velocity and its gradient do not depend on the images beside it, to the bit.
func TestImagesAreIndependent(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for name, cfg := range smallConfigs {
			const n = 5
			size := cfg.ImageLen()
			together := newProblem(randomModel(t, isa, cfg), n, 6)
			dx, grad := make([]float32, n*size), make([]float32, together.m.Params().Len())
			together.value()
			together.r.Backward(dx, together.onto, grad)
			alone, larger := together.m.NewReplica(1, true), together.m.NewReplica(3, true)
			for i := range n {
				for _, r := range []*Replica{alone, larger} {
					part := func(x []float32) []float32 { return x[i*size : (i+1)*size] }
					v, d := make([]float32, size), make([]float32, size)
					one := problem{x: part(together.x), t: together.t[i : i+1]}
					if together.y != nil {
						one.y = together.y[i : i+1]
					}
					if together.d != nil {
						one.d = together.d[i : i+1]
					}
					if together.w != nil {
						one.w = together.w[i : i+1]
					}
					one.forward(r, v)
					r.Backward(d, part(together.onto), grad)
					if !slices.Equal(v, part(together.v)) || !slices.Equal(d, part(dx)) {
						t.Fatalf("%s: image %d alone differs, in a replica of %d", name, i, r.images)
					}
				}
			}
		}
	})
}

// Heads, groups and the scale of time reach every layer that they concern: another value makes
// another velocity of the same parameters. It does so with attention in the middle block alone, and
// with attention at factor 2 while the middle's adds nothing.
func TestConfigurationMatters(t *testing.T) {
	for _, attention := range [][]int{nil, {2}} {
		base := small(func(c *Config) { c.AttentionResolutions = attention })
		p := newProblem(randomModel(t, kernels.Best(), base), 1, 9)
		if values := p.m.Params(); attention != nil {
			clear(values.Lookup("middle_block.1.proj_out.weight").Of(values.Values))
			p.m.Repack(0, 1)
		}
		p.value()
		for what, change := range map[string]func(*Config){
			"num_heads":   func(c *Config) { c.NumHeads = 4 },
			"norm_groups": func(c *Config) { c.NormGroups = 2 },
			"time_scale":  func(c *Config) { c.TimeScale = 20 },
		} {
			cfg := base
			change(&cfg)
			other := randomModel(t, kernels.Best(), cfg)
			copy(other.Params().Values, p.m.Params().Values)
			other.Repack(0, 1)
			v := make([]float32, len(p.v))
			other.NewReplica(1, false).Forward(v, p.x, p.t, p.y)
			if slices.Equal(v, p.v) {
				t.Errorf("attention at %v: %s makes no difference", attention, what)
			}
		}
	}
}

// A replica for inference computes the same velocity, though its layers share their maps.
func TestInferenceAgreesWithTraining(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for name, cfg := range smallConfigs {
			p := newProblem(randomModel(t, isa, cfg), 3, 7)
			p.value()
			v := make([]float32, len(p.v))
			r := p.m.NewReplica(4, false)
			for range 2 { // what the first pass leaves in the maps must not matter to the second
				p.forward(r, v)
				if !slices.Equal(v, p.v) {
					t.Fatalf("%s: inference differs from training", name)
				}
			}
		}
	})
}

// Replicas of one model may run side by side: each computes what it computes alone.
func TestReplicasRunSideBySide(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		m := randomModel(t, isa, smallConfigs["heads"])
		pass := func(p *problem) (v, dx, grad []float32) {
			dx, grad = make([]float32, len(p.x)), make([]float32, m.Params().Len())
			for range 3 {
				clear(grad)
				p.value()
				p.r.Backward(dx, p.onto, grad)
			}
			return p.v, dx, grad
		}
		var all sync.WaitGroup
		for worker := range uint64(2) {
			alone := newProblem(m, 2, worker)
			v, dx, grad := pass(alone)
			all.Go(func() {
				v2, dx2, grad2 := pass(newProblem(m, 2, worker))
				if !slices.Equal(v, v2) || !slices.Equal(dx, dx2) || !slices.Equal(grad, grad2) {
					t.Errorf("worker %d: other results beside another worker", worker)
				}
			})
		}
		all.Wait()
	})
}

// Backward adds to the gradient of the parameters, with or without the gradient of x.
func TestBackwardAdds(t *testing.T) {
	p := newProblem(randomModel(t, kernels.Best(), smallConfigs["two blocks"]), 2, 8)
	once, twice := make([]float32, p.m.Params().Len()), make([]float32, p.m.Params().Len())
	dx := make([]float32, len(p.x))
	p.value()
	p.r.Backward(nil, p.onto, once)
	for range 2 {
		p.value()
		p.r.Backward(dx, p.onto, twice)
	}
	for i := range twice {
		twice[i] -= 2 * once[i]
	}
	if e := golden.Norm(twice) / golden.Norm(once); !(e < 1e-6) {
		t.Errorf("the sum of two passes differs from twice one pass by %g", e)
	}
}

// The gradient of x is the same to the bit when that of the parameters is not wanted, and when it
// is computed again.
func TestBackwardOfTheInputAlone(t *testing.T) {
	for name, cfg := range smallConfigs {
		p := newProblem(randomModel(t, kernels.Best(), cfg), 2, 8)
		want, got := make([]float32, len(p.x)), make([]float32, len(p.x))
		p.value()
		p.r.Backward(want, p.onto, make([]float32, p.m.Params().Len()))
		p.value()
		p.r.Backward(got, p.x, nil) // another dv must leave nothing behind
		for range 2 {
			p.r.Backward(got, p.onto, nil)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s: dx[%d] is %v, and %v beside the gradient of the parameters", name, i, got[i], want[i])
				}
			}
		}
	}
}

// A wrong call panics with a text that says what is wrong.
func TestForwardPanics(t *testing.T) {
	m := randomModel(t, kernels.Best(), smallConfigs["heads"])
	free := randomModel(t, kernels.Best(), smallConfigs["added embedding"]).NewReplica(1, false)
	size := m.Config().ImageLen()
	r, inference := m.NewReplica(2, true), m.NewReplica(1, false)
	jumps := randomModel(t, kernels.Best(), smallConfigs["flow map"]).NewReplica(1, false)
	x, times := make([]float32, 3*size), []float32{0, 0, 0}
	for what, f := range map[string]func(){
		"a replica of 0":         func() { m.NewReplica(0, false) },
		"of 3 images":            func() { r.Forward(x, x, times, []int32{0, 0, 0}) },
		"of 0 images":            func() { r.Forward(nil, nil, nil, nil) },
		"23 elements in, 24 out": func() { r.Forward(x[:size], x[:size-1], times[:1], []int32{0}) },
		"0 classes for":          func() { r.Forward(x[:size], x[:size], times[:1], nil) },
		"2 classes for 1":        func() { r.Forward(x[:size], x[:size], times[:1], []int32{0, 1}) },
		"class 3 of 3":           func() { r.Forward(x[:size], x[:size], times[:1], []int32{3}) },
		"class -1 of 3":          func() { r.Forward(x[:size], x[:size], times[:1], []int32{-1}) },
		"1 classes for 1":        func() { free.Forward(x[:size], x[:size], times[:1], []int32{0}) },
		"1 jumps from 1 times":   func() { r.Jump(x[:size], x[:size], times[:1], times[:1], nil, []int32{0}) },
		"2 jumps from 1 times":   func() { jumps.Jump(x[:size], x[:size], times[:1], times[:2], nil, []int32{0}) },
		"1 weights for 1 jumps": func() {
			jumps.Jump(x[:size], x[:size], times[:1], times[:1], times[:1], []int32{0})
		},
		"made for inference":     func() { inference.Backward(nil, x[:size], make([]float32, m.Params().Len())) },
		"24 elements in, 25 out": func() { r.Forward(x[:size+1], x[:size], times[:1], []int32{0}) },
	} {
		func() {
			defer func() { mustFail(t, what, fmt.Errorf("%v", recover()), "unet: ", what) }()
			f()
		}()
	}
}

// Names and shapes are those of PyTorch's state dict.
func TestNamesOfParameters(t *testing.T) {
	m := randomModel(t, kernels.Generic, smallConfigs["two blocks"])
	for name, shape := range map[string][]int{
		"time_embed.0.weight":                   {32, 8},
		"label_emb.weight":                      {3, 32},
		"input_blocks.0.0.weight":               {8, 1, 3, 3},
		"input_blocks.2.1.qkv.weight":           {24, 8, 1},
		"input_blocks.3.0.op.weight":            {8, 8, 3, 3},
		"input_blocks.4.0.skip_connection.bias": {16},
		"middle_block.1.proj_out.weight":        {16, 16, 1},
		"middle_block.2.emb_layers.1.weight":    {32, 32},
		"output_blocks.2.2.conv.weight":         {16, 16, 3, 3},
		"output_blocks.5.0.in_layers.2.weight":  {8, 16, 3, 3},
		"out.2.weight":                          {1, 8, 3, 3},
	} {
		p := m.Params().Lookup(name)
		if p == nil || !slices.Equal(p.Shape, shape) {
			t.Errorf("%s: %+v, want shape %v", name, p, shape)
		}
	}
}
