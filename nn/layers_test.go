package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

func TestConvGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		makers := map[string]func(g *rig) *Conv{
			"3x3": func(g *rig) *Conv {
				return NewConv(g.Builder, "c", kernels.ConvShape{Kind: kernels.Same3, H: 4, W: 3, IC: 5, OC: 7}, false)
			},
			"1x1": func(g *rig) *Conv {
				return NewConv(g.Builder, "c", kernels.ConvShape{Kind: kernels.Point, H: 4, W: 3, IC: 5, OC: 7}, true)
			},
			"pointwise": func(g *rig) *Conv { return NewPointwise(g.Builder, "c", 5, 7, true) },
		}
		for name, maker := range makers {
			for _, accumulate := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s,accumulate=%t", name, accumulate), func(t *testing.T) {
					g := newRig(isa, 1)
					c, x, y := maker(g), g.act(4, 3, 5), g.act(4, 3, 7)
					g.check(t, layer{
						inputs: []input{{"x", x, accumulate}}, out: y,
						forward: func() { c.Forward(&g.run, ofBatch(y.X), ofBatch(x.X), nil) },
						backward: func() {
							c.WeightGrad(&g.run, ofBatch(y.D), ofBatch(x.X))
							c.InputGrad(&g.run, ofBatch(x.D), accumulate, ofBatch(y.D))
						},
					})
				})
			}
		}
	})
}

func TestLinearGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		g := newRig(isa, 2)
		c, x, y := NewLinear(g.Builder, "c", 9, 6), g.Rows(9), g.Rows(6)
		g.check(t, layer{
			inputs: []input{{"x", x, true}}, out: y,
			forward: func() { c.Forward(&g.run, ofBatch(y.X), ofBatch(x.X), nil) },
			backward: func() {
				c.WeightGrad(&g.run, ofBatch(y.D), ofBatch(x.X))
				c.InputGrad(&g.run, ofBatch(x.D), true, ofBatch(y.D))
			},
		})
	})
}

func TestResampleGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, kind := range []kernels.ConvKind{kernels.Same3, kernels.Down3, kernels.Up3} {
			for _, accumulate := range []bool{false, true} {
				g := newRig(isa, 3)
				x, y := g.act(5, 4, 6), g.act(kind.OutSize(5), kind.OutSize(4), 3)
				r := NewResample(g.Builder, "r", kind, x, y, accumulate)
				g.check(t, layer{
					inputs: []input{{"x", x, accumulate}}, out: y,
					forward:  func() { r.Forward(&g.run) },
					backward: func() { r.Backward(&g.run) },
				})
			}
		}
	})
}

// The gradient of a stem's input is computed on demand. The gradients of the parameters do not
// depend on that.
func TestResampleWithoutInputGradient(t *testing.T) {
	g := newRig(kernels.Best(), 4)
	x, y := g.act(5, 4, 2), g.act(5, 4, 3)
	r := NewResample(g.Builder, "r", kernels.Same3, x, y, false)
	g.Weights.Pack(g.Params.Values, 0, 1)
	g.fill(x.X)
	g.fill(y.D)
	before := g.fill(x.D)
	var grads [2][]float32
	for i, wanted := range []bool{false, true} {
		grads[i] = make([]float32, g.Params.Len())
		g.run.Grad = grads[i]
		r.BackwardTo(&g.run, wanted)
		if same := slices.Equal(dense(x.D), before); same == wanted {
			t.Errorf("input gradient wanted: %t, and its map unchanged: %t", wanted, same)
		}
	}
	if !slices.Equal(grads[0], grads[1]) {
		t.Error("the parameters' gradients change when the input's is wanted")
	}
}

func TestGroupNormGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, silu := range []bool{false, true} {
			for _, accumulate := range []bool{false, true} {
				g := newRig(isa, 5)
				x, y := g.act(4, 3, 12), g.act(4, 3, 12)
				n := NewGroupNorm(g.Builder, "n", 12, 3, silu)
				g.check(t, layer{
					inputs: []input{{"x", x, accumulate}}, out: y,
					forward: func() { n.Forward(&g.run, 0, ofBatch(y.X), ofBatch(x.X), kernels.Modulation{}) },
					backward: func() {
						n.Backward(&g.run, 0, NormGrad{
							DX: ofBatch(x.D), Accumulate: accumulate, DY: ofBatch(y.D),
							X: ofBatch(x.X), Y: ofBatch(y.X),
						})
					},
				})
			}
		}
	})
}

func TestEmbeddingGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		classesOf := map[string][]int32{"unconditional": nil, "two classes": {3, 1}, "one class twice": {2, 2}}
		for name, y := range classesOf {
			for _, inputs := range [][2][]float32{{}, {{0.5, 0.25}}, {{0.5, 0.25}, {1, 1.3}}} {
				d, w := inputs[0], inputs[1]
				t.Run(fmt.Sprintf("%s, jumps %v, weights %v", name, d, w), func(t *testing.T) {
					g := newRig(isa, 6)
					classes := 0
					if y != nil {
						classes = 4
					}
					shape := EmbeddingShape{Channels: 6, Classes: classes, Scale: 10, Jumps: d != nil, Guidance: w != nil}
					e := NewEmbedding(g.Builder, shape)
					g.check(t, layer{
						out:      e.out,
						forward:  func() { e.Forward(&g.run, []float32{0.2, 0.7}, d, w, y) },
						backward: func() { e.Backward(&g.run) },
					})
				})
			}
		}
	})
}

func TestEmbeddingClearGrad(t *testing.T) {
	g := newRig(kernels.Generic, 7)
	e := NewEmbedding(g.Builder, EmbeddingShape{Channels: 2, Scale: 1})
	g.fill(e.out.D)
	e.ClearGrad(&g.run)
	for i, v := range dense(e.out.D.FirstPixels(batch)) {
		if v != 0 {
			t.Fatalf("element %d is %g", i, v)
		}
	}
}

func TestResBlockGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, variant := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 15} {
			scaleShift, accumulate, in := variant&1 != 0, variant&2 != 0, 8
			h := 4
			if variant&8 != 0 {
				h = groupPixels/3 + 1 // too large for a group of two images
			}
			if variant&4 != 0 {
				in = 6 // a convolution on the skip connection
			}
			name := fmt.Sprintf("scaleShift=%t,accumulate=%t,in=%d,h=%d", scaleShift, accumulate, in, h)
			t.Run(name, func(t *testing.T) {
				g := newRig(isa, uint64(variant))
				x, y, e := g.act(h, 3, in), g.act(h, 3, 8), &Embedding{out: g.Rows(10)}
				shape := ResBlockShape{Groups: 2, ScaleShift: scaleShift, Accumulate: accumulate}
				l := NewResBlock(g.Builder, "b", shape, x, y, e)
				g.check(t, layer{
					inputs: []input{{"x", x, accumulate}, {"embedding", e.out, true}}, out: y,
					forward:  func() { l.Forward(&g.run) },
					backward: func() { l.Backward(&g.run) },
				})
			})
		}
	})
}

func TestAttentionBlockGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, heads := range []int{1, 2} {
			g := newRig(isa, 8)
			x, y := g.act(3, 2, 6), g.act(3, 2, 6)
			l := NewAttentionBlock(g.Builder, "a", x, y, 3, heads)
			g.check(t, layer{
				inputs: []input{{"x", x, false}}, out: y,
				forward:  func() { l.Forward(&g.run) },
				backward: func() { l.Backward(&g.run) },
			})
		}
	})
}

func TestHeadGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		g := newRig(isa, 9)
		const h = groupPixels/5 + 1 // too large for a group of two images
		x, y := g.act(h, 5, 8), g.act(h, 5, 3)
		l := NewHead(g.Builder, "h", x, y, 2)
		g.check(t, layer{
			inputs: []input{{"x", x, false}}, out: y,
			forward:  func() { l.Forward(&g.run) },
			backward: func() { l.Backward(&g.run) },
		})
	})
}

func TestNormConvGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		const h = groupPixels/5 + 1 // too large for a group of two images
		for _, c := range []struct {
			kind     kernels.ConvKind
			out      int
			residual bool
		}{{kernels.Same3, 3, false}, {kernels.Down3, 3, false}, {kernels.Same3, 8, true}} {
			t.Run(fmt.Sprintf("%v,residual=%t", c.kind, c.residual), func(t *testing.T) {
				g := newRig(isa, 13)
				x, y := g.act(h, 5, 8), g.act(c.kind.OutSize(h), c.kind.OutSize(5), c.out)
				shape := NormConvShape{Kind: c.kind, Groups: 2, Residual: c.residual, Zero: c.residual}
				l := NewNormConv(g.Builder, "l", shape, x, y)
				g.check(t, layer{
					inputs: []input{{"x", x, false}}, out: y,
					forward:  func() { l.Forward(&g.run) },
					backward: func() { l.Backward(&g.run) },
				})
			})
		}
	})
}

// A layer with a residual starts as the identity.
func TestNormConvStartsAsIdentity(t *testing.T) {
	g := newRig(kernels.Best(), 14)
	x, y := g.act(4, 3, 8), g.act(4, 3, 8)
	l := NewNormConv(g.Builder, "l", NormConvShape{Kind: kernels.Same3, Groups: 2, Residual: true, Zero: true}, x, y)
	g.Weights.Pack(g.Params.Values, 0, 1)
	want := g.fill(x.X)[:batch*4*3*8]
	if l.Forward(&g.run); !slices.Equal(dense(ofBatch(y.X)), want) {
		t.Error("y is not x")
	}
}

func TestNormPoolGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		for _, h := range []int{4, groupPixels/3 + 1} { // the second: too large for a group of two
			g := newRig(isa, 15)
			x, y := g.act(h, 3, 8), g.Rows(8)
			l := NewNormPool(g.Builder, "p", x, y, 2)
			g.check(t, layer{
				inputs: []input{{"x", x, false}}, out: y,
				forward:  func() { l.Forward(&g.run) },
				backward: func() { l.Backward(&g.run) },
			})
		}
	})
}

// The output is the mean of SiLU(norm(x)), computed from the definition.
func TestNormPoolForward(t *testing.T) {
	g := newRig(kernels.Best(), 16)
	x, y := g.act(4, 3, 2), g.Rows(2)
	l := NewNormPool(g.Builder, "p", x, y, 2) // a group for each channel
	pixels := g.fill(x.X)
	l.Forward(&g.run)
	for i, got := range dense(ofBatch(y.X)) {
		var sum, squares, want float64
		image, channel := i/2, i%2
		each := func(f func(v float64)) {
			for p := range 12 {
				f(float64(pixels[(image*12+p)*2+channel]))
			}
		}
		each(func(v float64) { sum += v; squares += v * v })
		mean := sum / 12
		deviation := math.Sqrt(squares/12 - mean*mean + 1e-5)
		each(func(v float64) { z := (v - mean) / deviation; want += z / (1 + math.Exp(-z)) / 12 })
		if math.Abs(float64(got)-want) > 1e-6 { // about ten roundings of numbers up to 1
			t.Errorf("element %d is %v, want %v", i, got, want)
		}
	}
}

func TestReadoutGradients(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		g := newRig(isa, 17)
		x, y := g.Rows(9), g.Rows(6)
		l := NewReadout(g.Builder, "r", x, y)
		g.check(t, layer{
			inputs: []input{{"x", x, false}}, out: y,
			forward:  func() { l.Forward(&g.run) },
			backward: func() { l.Backward(&g.run) },
		})
	})
}

// block makes a layer with several convolutions. It returns a function that runs the layer on a
// batch drawn from a seed, and returns the output.
func block(g *rig) (run func(seed uint64) []float32) {
	x, y, e := g.act(4, 3, 6), g.act(4, 3, 8), &Embedding{out: g.Rows(10)}
	l := NewResBlock(g.Builder, "b", ResBlockShape{Groups: 2, ScaleShift: true}, x, y, e)
	return func(seed uint64) []float32 {
		g.rng = rand.New(rand.NewPCG(seed, 0))
		g.fill(x.X)
		g.fill(e.out.X)
		l.Forward(&g.run)
		return dense(ofBatch(y.X))
	}
}

// Weights packed in parts, side by side, equal weights packed at once. The race detector would find
// two parts that pack one layer.
func TestPackInParts(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		g := newRig(isa, 10)
		run, values := block(g), g.randoms(g.Params.Len())
		copy(g.Params.Values, values)
		g.Weights.Pack(values, 0, 1)
		want := run(1)
		for parts := 1; parts <= 9; parts++ {
			g.Weights.Pack(g.randoms(len(values)), 0, 1) // other weights, which must go
			if slices.Equal(run(1), want) {
				t.Fatal("other weights give the same output")
			}
			if g.Weights.Pack(values, 0, parts); parts > 1 && slices.Equal(run(1), want) {
				t.Errorf("one part of %d packed all weights", parts)
			}
			var all sync.WaitGroup
			for part := range parts {
				all.Go(func() { g.Weights.Pack(values, part, parts) })
			}
			all.Wait()
			if !slices.Equal(run(1), want) {
				t.Errorf("weights packed in %d parts give another output", parts)
			}
		}
	})
}

// A second builder finds the parameters of the first. Its layers share maps, as it does not train,
// and the output is the same.
func TestSecondBuilderSharesParameters(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		g := newRig(isa, 11)
		run := block(g)
		copy(g.Params.Values, g.randoms(g.Params.Len()))
		g.Weights.Pack(g.Params.Values, 0, 1)
		values, count := slices.Clone(g.Params.Values), len(g.Weights.list)

		second := newRig(isa, 12)
		second.Params, second.Weights, second.Train = g.Params, g.Weights, false
		again := block(second)
		if !slices.Equal(g.Params.Values, values) || len(g.Weights.list) != count {
			t.Error("a second builder changed the parameters or added to them")
		}
		if !slices.Equal(run(1), again(1)) {
			t.Error("the output of inference is not that of training")
		}
	})
}

// The first values are PyTorch's: uniform within 1/√(inputs of one output), or a constant.
func TestFirstValues(t *testing.T) {
	b := &Builder{Params: &Params{}, Weights: &Weights{}, N: 1, Rand: rand.New(rand.NewPCG(1, 1))}
	c := NewConv(b, "c", kernels.ConvShape{Kind: kernels.Same3, H: 4, W: 4, IC: 16, OC: 32}, false)
	z := NewConv(b, "z", kernels.ConvShape{Kind: kernels.Same3, H: 4, W: 4, IC: 4, OC: 4}, true)
	n := NewGroupNorm(b, "n", 8, 2, false)
	bound := 1 / math.Sqrt(9*16)
	var squares float64
	for _, p := range []*Param{c.Weight, c.Bias} {
		for _, v := range p.Of(b.Params.Values) {
			if math.Abs(float64(v)) > bound {
				t.Fatalf("%s: %g lies outside of ±%g", p.Name, v, bound)
			}
			squares += float64(v) * float64(v)
		}
	}
	// The mean square of 4640 uniform numbers is bound²/3; its standard deviation is 1.3 % of that.
	if ratio := squares / float64(c.Weight.Len()+c.Bias.Len()) / (bound * bound / 3); math.Abs(ratio-1) > 0.06 {
		t.Errorf("the mean square is %.3f times the expected one", ratio)
	}
	for p, want := range map[*Param]float32{z.Weight: 0, z.Bias: 0, n.Gamma: 1, n.Beta: 0} {
		for _, v := range p.Of(b.Params.Values) {
			if v != want {
				t.Fatalf("%s begins at %g, want %g", p.Name, v, want)
			}
		}
	}
}
