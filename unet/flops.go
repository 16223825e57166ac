package unet

import "github.com/fmimg/fmimg/kernels"

// An AttentionShape describes self-attention over the pixels of an image.
type AttentionShape struct {
	H, W  int // sides of the map, whose pixels are the tokens
	C     int // channels
	Heads int
}

// FLOPs returns the operations of attention over one image, forward: those of Q·Kᵀ and P·V. A
// product and the addition of it count as two.
func (s AttentionShape) FLOPs() float64 {
	tokens := float64(s.H * s.W)
	return 4 * tokens * tokens * float64(s.C)
}

// Convs lists the convolutions and linear layers of an evaluation, in the order of the forward
// pass. A linear layer counts as a 1x1 convolution of a single pixel.
func (c Config) Convs() []kernels.ConvShape {
	c = c.withDefaults()
	l := layers{cfg: c}
	embeddings := 1 // the time's
	if c.FlowMap {
		embeddings++ // the jump's
	}
	if c.GuidanceEmbed {
		embeddings++ // that of the weight of guidance
	}
	for range embeddings {
		l.linear(c.ModelChannels, 4*c.ModelChannels)
		l.linear(4*c.ModelChannels, 4*c.ModelChannels)
	}
	l.walk()
	return l.convs
}

// Attentions lists the attention of an evaluation, in the order of the forward pass.
func (c Config) Attentions() []AttentionShape {
	l := layers{cfg: c.withDefaults()}
	l.walk()
	return l.attentions
}

// FLOPs returns the operations of an evaluation of v(x, t, y) for one image with direct
// convolutions. A product and the addition of it count as two. Speed is quoted against this number.
//
// Convolutions and linear layers count. Norms, activations and attention's own products do not:
// [Config.Attentions] lists the latter, 0.7 % more in the base preset. A training step costs three
// times as much: the gradients of inputs and of weights each take as many products as the forward
// pass.
func (c Config) FLOPs() float64 {
	total := 0.0
	for _, s := range c.Convs() {
		total += s.FLOPs()
	}
	return total
}

// layers collects the layers of a network from its plan.
type layers struct {
	cfg        Config
	convs      []kernels.ConvShape
	attentions []AttentionShape
}

// walk goes through the stages in the order of network.build.
func (l *layers) walk() {
	down, up := l.cfg.plan()
	for _, s := range down {
		l.stage(s)
	}
	last := down[len(down)-1]
	l.residual(last.h, last.w, last.out, last.out)
	l.attention(last.h, last.w, last.out)
	l.residual(last.h, last.w, last.out, last.out)
	for _, s := range up {
		l.stage(s)
	}
	h, w, channels := l.cfg.firstMap()
	l.conv(kernels.Same3, h, w, up[len(up)-1].out, channels)
}

func (l *layers) stage(s stage) {
	in := s.in + s.skip
	if s.residual {
		l.residual(s.h, s.w, in, s.out)
		in = s.out
	}
	if s.attention {
		l.attention(s.h, s.w, in)
	}
	if s.resample != kernels.Point {
		l.conv(s.resample, s.h, s.w, in, s.out)
	}
}

func (l *layers) residual(h, w, in, out int) {
	l.conv(kernels.Same3, h, w, in, out)
	rows := out
	if l.cfg.UseScaleShiftNorm {
		rows *= 2
	}
	l.linear(4*l.cfg.ModelChannels, rows)
	if in != out {
		l.conv(kernels.Point, h, w, in, out)
	}
	l.conv(kernels.Same3, h, w, out, out)
}

func (l *layers) attention(h, w, c int) {
	l.conv(kernels.Point, h, w, c, 3*c)
	l.attentions = append(l.attentions, AttentionShape{H: h, W: w, C: c, Heads: l.cfg.Heads(c)})
	l.conv(kernels.Point, h, w, c, c)
}

func (l *layers) linear(in, out int) { l.conv(kernels.Point, 1, 1, in, out) }

func (l *layers) conv(kind kernels.ConvKind, h, w, ic, oc int) {
	l.convs = append(l.convs, kernels.ConvShape{Kind: kind, H: h, W: w, IC: ic, OC: oc})
}
