package unet

import (
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A stage is one entry of input_blocks or output_blocks.
type stage struct {
	name      string
	h, w      int // sides of its input; Up3 and Down3 change them
	in, out   int // channels; in does not count those of a skip connection
	skip      int // channels of the skip connection; 0 on the way down
	residual  bool
	attention bool
	resample  kernels.ConvKind // Down3 or Up3; Same3 for the stem; Point where there is none
}

// plan lists the stages on the way down and on the way up, in PyTorch's order.
func (c Config) plan() (down, up []stage) {
	h, w, in := c.firstMap()
	ch := c.ChannelMult[0] * c.ModelChannels
	down = append(down, stage{h: h, w: w, in: in, out: ch, resample: kernels.Same3})
	factor := 1
	for level, mult := range c.ChannelMult {
		for range c.NumResBlocks {
			out := mult * c.ModelChannels
			down = append(down, stage{h: h, w: w, in: ch, out: out, residual: true, attention: c.attends(factor)})
			ch = out
		}
		if level < len(c.ChannelMult)-1 {
			down = append(down, stage{h: h, w: w, in: ch, out: ch, resample: kernels.Down3})
			h, w, factor = h/2, w/2, 2*factor
		}
	}
	skips := make([]int, len(down))
	for i, s := range down {
		skips[i] = s.out
	}
	for level := len(c.ChannelMult) - 1; level >= 0; level-- {
		for i := range c.NumResBlocks + 1 {
			last := len(skips) - 1
			s := stage{
				h: h, w: w, in: ch, skip: skips[last], out: c.ChannelMult[level] * c.ModelChannels,
				residual: true, attention: c.attends(factor),
			}
			skips = skips[:last]
			if ch = s.out; level > 0 && i == c.NumResBlocks {
				s.resample = kernels.Up3
				h, w, factor = 2*h, 2*w, factor/2
			}
			up = append(up, s)
		}
	}
	for i := range down {
		down[i].name = fmt.Sprintf("input_blocks.%d", i)
	}
	for i := range up {
		up[i].name = fmt.Sprintf("output_blocks.%d", i)
	}
	return down, up
}

func (c Config) attends(factor int) bool { return slices.Contains(c.AttentionResolutions, factor) }

// A module is a layer that knows the map that it reads and the map that it writes.
type module interface {
	Forward(r *nn.Run)
	Backward(r *nn.Run)
}

// network collects the modules of one replica in the order of the forward pass.
type network struct {
	b         *nn.Builder
	cfg       Config
	embedding *nn.Embedding
	stem      *nn.Resample
	modules   []module // the first is the stem
}

// build makes all modules between image and velocity.
//
// Each stage on the way down has a partner on the way up that reads its result too. The stage
// writes into some channels of the partner's input, so the concatenation [h, skip] costs nothing.
// In a backward pass the partner runs first and sets the gradient of that result. The next module
// on the way down, which also reads the result, adds its own part.
func (n *network) build(image, velocity nn.Act) {
	cfg, b := n.cfg, n.b
	n.embedding = nn.NewEmbedding(b, nn.EmbeddingShape{
		Channels: cfg.ModelChannels, Classes: cfg.NumClasses, Scale: cfg.TimeScale, Shift: cfg.FreqShift,
		Jumps: cfg.FlowMap, Guidance: cfg.GuidanceEmbed,
	})
	down, up := cfg.plan()
	joined := make([]nn.Act, len(up)) // [h, skip], the input of each stage on the way up
	for i, s := range up {
		joined[i] = b.Act(s.h, s.w, s.in+s.skip)
	}
	x := image
	for i, s := range down {
		partner := len(up) - 1 - i
		y := joined[partner].Channels(up[partner].in, up[partner].in+up[partner].skip)
		n.stage(s, x, y, i > 0)
		x = y
	}
	n.middle(x, joined[0].Channels(0, up[0].in))
	last := up[len(up)-1]
	final := b.Act(last.h, last.w, last.out)
	for i, s := range up {
		y := final
		if i < len(up)-1 {
			y = joined[i+1].Channels(0, up[i+1].in)
		}
		n.stage(s, joined[i], y, false)
	}
	n.modules = append(n.modules, nn.NewHead(b, "out", final, velocity, cfg.NormGroups))
}

// stage makes the modules of a stage from x to y. accumulate says that the gradient of x is set
// already when the stage's backward pass runs.
func (n *network) stage(s stage, x, y nn.Act, accumulate bool) {
	part := 0
	name := func(suffix string) string {
		part++
		return fmt.Sprintf("%s.%d%s", s.name, part-1, suffix)
	}
	between := func(more bool) nn.Act { // a module's result: y, or a new map if more modules follow
		if !more {
			return y
		}
		return n.b.Act(s.h, s.w, s.out)
	}
	if s.residual {
		h := between(s.attention || s.resample == kernels.Up3)
		n.residual(name(""), x, h, accumulate)
		x = h
	}
	if s.attention {
		h := between(s.resample == kernels.Up3)
		n.modules = append(n.modules, nn.NewAttentionBlock(n.b, name(""), x, h, n.cfg.NormGroups, n.cfg.Heads(h.X.C)))
		x = h
	}
	switch s.resample {
	case kernels.Up3:
		n.modules = append(n.modules, nn.NewResample(n.b, name(".conv"), kernels.Up3, x, y, false))
	case kernels.Down3:
		n.modules = append(n.modules, nn.NewResample(n.b, name(".op"), kernels.Down3, x, y, accumulate))
	case kernels.Same3:
		n.stem = nn.NewResample(n.b, name(""), kernels.Same3, x, y, accumulate)
		n.modules = append(n.modules, n.stem)
	}
}

func (n *network) residual(name string, x, y nn.Act, accumulate bool) {
	shape := nn.ResBlockShape{Groups: n.cfg.NormGroups, ScaleShift: n.cfg.UseScaleShiftNorm, Accumulate: accumulate}
	n.modules = append(n.modules, nn.NewResBlock(n.b, name, shape, x, y, n.embedding))
}

// middle makes the middle block: residual block, attention, residual block.
func (n *network) middle(x, y nn.Act) {
	h1, h2 := n.b.Act(x.X.H, x.X.W, x.X.C), n.b.Act(x.X.H, x.X.W, x.X.C)
	n.residual("middle_block.0", x, h1, true)
	attention := nn.NewAttentionBlock(n.b, "middle_block.1", h1, h2, n.cfg.NormGroups, n.cfg.Heads(h1.X.C))
	n.modules = append(n.modules, attention)
	n.residual("middle_block.2", h2, y, false)
}
