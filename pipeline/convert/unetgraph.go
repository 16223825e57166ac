package convert

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/float16"
	"github.com/fmimg/fmimg/internal/onnx"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/unet"
)

// A unetGraph writes a U-Net as operators of a graph. Maps are [N, C, H, W]. What a layer is
// follows from the names of its parameters, which are PyTorch's.
type unetGraph struct {
	g      *onnx.Graph
	prefix string // of the names of constants in the graph
	cfg    unet.Config
	params *nn.Params
	half   bool

	weights map[string]onnx.Value // of parameters that are in the graph
	emb     onnx.Value            // SiLU(e), [N or 1, 4·ModelChannels]
	h, w    int                   // of the map under way
}

func newUNetGraph(g *onnx.Graph, prefix string, m *unet.Model, half bool) *unetGraph {
	return &unetGraph{g: g, prefix: prefix, cfg: m.Config(), params: m.Params(), half: half, weights: map[string]onnx.Value{}}
}

// has reports whether the network has a parameter.
func (u *unetGraph) has(name string) bool { return u.params.Lookup(name) != nil }

// weight returns a parameter as a constant of a shape, which is its own unless one is given.
func (u *unetGraph) weight(name string, shape ...int) onnx.Value {
	if v, ok := u.weights[name]; ok {
		return v
	}
	p := u.params.Lookup(name)
	if len(shape) == 0 {
		shape = p.Shape
	}
	numbers := p.Export(u.params.Values)
	var v onnx.Value
	if u.half {
		bits := make([]uint16, len(numbers))
		for i, x := range numbers {
			bits[i] = float16.From(x)
		}
		v = u.g.Op("Cast", []onnx.Value{u.g.Halves(u.prefix+name, shape, bits)}, onnx.Attribute{Name: "to", Value: int(onnx.Float32)})
	} else {
		v = u.g.Floats(u.prefix+name, shape, numbers)
	}
	u.weights[name] = v
	return v
}

// op appends a node with one output.
func (u *unetGraph) op(name string, inputs ...onnx.Value) onnx.Value { return u.g.Op(name, inputs) }

func (u *unetGraph) silu(x onnx.Value) onnx.Value { return u.op("Mul", x, u.op("Sigmoid", x)) }

// linear is x·Wᵀ + b for rows x.
func (u *unetGraph) linear(name string, x onnx.Value) onnx.Value {
	return u.g.Op("Gemm", []onnx.Value{x, u.weight(name + ".weight"), u.weight(name + ".bias")},
		onnx.Attribute{Name: "transB", Value: 1})
}

// conv is a convolution of maps. A kernel of more than one pixel is padded by one.
func (u *unetGraph) conv(name string, x onnx.Value, stride int) onnx.Value {
	shape := u.params.Lookup(name + ".weight").Shape
	kernel := 1
	if len(shape) == 4 {
		kernel = shape[3]
	}
	pad := kernel / 2
	w := u.weight(name+".weight", shape[0], shape[1], kernel, kernel)
	return u.g.Op("Conv", []onnx.Value{x, w, u.weight(name + ".bias")},
		onnx.Attribute{Name: "kernel_shape", Value: []int{kernel, kernel}},
		onnx.Attribute{Name: "pads", Value: []int{pad, pad, pad, pad}},
		onnx.Attribute{Name: "strides", Value: []int{stride, stride}})
}

// norm is a group norm.
func (u *unetGraph) norm(name string, x onnx.Value) onnx.Value {
	return u.g.Op("GroupNormalization", []onnx.Value{x, u.weight(name + ".weight"), u.weight(name + ".bias")},
		onnx.Attribute{Name: "num_groups", Value: u.cfg.NormGroups},
		onnx.Attribute{Name: "epsilon", Value: float32(cmp.Or(u.cfg.NormEpsilon, kernels.NormEpsilon))})
}

// wave returns the sinusoid of numbers [N, 1], see nn.Embedding.
func (u *unetGraph) wave(numbers onnx.Value) onnx.Value {
	half := u.cfg.ModelChannels / 2
	rates := make([]float32, half)
	for i := range rates {
		rates[i] = float32(u.cfg.TimeScale * math.Exp(-math.Log(10000)*float64(i)/(float64(half)-u.cfg.FreqShift)))
	}
	name := "rates"
	v, ok := u.weights[name]
	if !ok {
		v = u.g.Floats(u.prefix+name, []int{1, half}, rates)
		u.weights[name] = v
	}
	angle := u.op("Mul", numbers, v)
	return u.g.Op("Concat", []onnx.Value{u.op("Cos", angle), u.op("Sin", angle)}, onnx.Attribute{Name: "axis", Value: 1})
}

// sinusoidal is W₂·SiLU(W₁·sinusoid(scale·number)) for the layers of a name.
func (u *unetGraph) sinusoidal(name string, numbers onnx.Value) onnx.Value {
	return u.linear(name+".2", u.silu(u.linear(name+".0", u.wave(numbers))))
}

// conditions are what a network takes beside states: times, lengths of jumps and weights of
// guidance, [N, 1], and classes, [N]. What the network does not take is empty.
type conditions struct{ t, jump, guidance, class onnx.Value }

// embed sets the rows that modulate the blocks.
func (u *unetGraph) embed(c conditions) {
	sum := u.sinusoidal("time_embed", c.t)
	if c.class != "" {
		sum = u.op("Add", sum, u.op("Gather", u.weight("label_emb.weight"), c.class))
	}
	if c.jump != "" {
		sum = u.op("Add", sum, u.sinusoidal("jump_embed", c.jump))
	}
	if c.guidance != "" {
		sum = u.op("Add", sum, u.sinusoidal("guidance_embed", c.guidance))
	}
	u.emb = u.silu(sum)
}

// predict returns what the network predicts for states x, [N, C, H, W].
func (u *unetGraph) predict(x onnx.Value, c conditions) onnx.Value {
	u.embed(c)
	x = u.unshuffle(x)
	var skips []onnx.Value
	for i := 0; ; i++ {
		stage := fmt.Sprintf("input_blocks.%d", i)
		y, ok := u.stage(stage, x)
		if !ok {
			break
		}
		x = y
		skips = append(skips, x)
	}
	x = u.residual("middle_block.0", x)
	x = u.attention("middle_block.1", x)
	x = u.residual("middle_block.2", x)
	for i := range skips {
		joined := []onnx.Value{x, skips[len(skips)-1-i]}
		x, _ = u.stage(fmt.Sprintf("output_blocks.%d", i), u.g.Op("Concat", joined, onnx.Attribute{Name: "axis", Value: 1}))
	}
	x = u.conv("out.2", u.silu(u.norm("out.0", x)), 1)
	return u.shuffle(x)
}

// stage appends the modules of a stage. ok is false where there is none of that name.
func (u *unetGraph) stage(name string, x onnx.Value) (y onnx.Value, ok bool) {
	for part := 0; ; part++ {
		module := fmt.Sprintf("%s.%d", name, part)
		switch {
		case u.has(module + ".in_layers.2.weight"):
			x = u.residual(module, x)
		case u.has(module + ".qkv.weight"):
			x = u.attention(module, x)
		case u.has(module + ".op.weight"):
			x = u.conv(module+".op", x, 2)
			u.h, u.w = u.h/2, u.w/2
		case u.has(module + ".conv.weight"):
			x = u.conv(module+".conv", u.double(x), 1)
		case u.has(module + ".weight"):
			x = u.conv(module, x, 1)
		default:
			return x, part > 0
		}
	}
}

// double makes each pixel 2x2 pixels.
func (u *unetGraph) double(x onnx.Value) onnx.Value {
	name := "twice"
	if _, ok := u.weights[name]; !ok {
		u.weights[name] = u.g.Floats(u.prefix+name, []int{4}, []float32{1, 1, 2, 2})
	}
	u.h, u.w = 2*u.h, 2*u.w
	return u.g.Op("Resize", []onnx.Value{x, "", u.weights[name]},
		onnx.Attribute{Name: "mode", Value: "nearest"},
		onnx.Attribute{Name: "coordinate_transformation_mode", Value: "asymmetric"},
		onnx.Attribute{Name: "nearest_mode", Value: "floor"})
}

// residual is a residual block, see nn.ResBlock.
func (u *unetGraph) residual(name string, x onnx.Value) onnx.Value {
	h := u.conv(name+".in_layers.2", u.silu(u.norm(name+".in_layers.0", x)), 1)
	row := u.g.Op("Unsqueeze", []onnx.Value{u.linear(name+".emb_layers.1", u.emb), u.g.Ints(2, 3)})
	if u.cfg.UseScaleShiftNorm {
		parts := u.g.Ops("Split", 2, []onnx.Value{row}, onnx.Attribute{Name: "axis", Value: 1},
			onnx.Attribute{Name: "num_outputs", Value: 2})
		scale := u.op("Add", parts[0], u.g.Scalar(1))
		h = u.op("Add", u.op("Mul", u.norm(name+".out_layers.0", h), scale), parts[1])
	} else {
		h = u.norm(name+".out_layers.0", u.op("Add", h, row))
	}
	h = u.conv(name+".out_layers.3", u.silu(h), 1)
	if u.has(name + ".skip_connection.weight") {
		x = u.conv(name+".skip_connection", x, 1)
	}
	return u.op("Add", x, h)
}

// attention is an attention block, see nn.AttentionBlock. Each head's query, key and value are
// contiguous.
func (u *unetGraph) attention(name string, x onnx.Value) onnx.Value {
	channels, pixels := u.params.Lookup(name+".norm.weight").Len(), u.h*u.w
	heads := u.cfg.Heads(channels)
	each := channels / heads
	joint := u.conv(name+".qkv", u.norm(name+".norm", x), 1)
	joint = u.op("Reshape", joint, u.g.Ints(0, heads, 3*each, pixels))
	parts := u.g.Ops("Split", 3, []onnx.Value{joint}, onnx.Attribute{Name: "axis", Value: 2},
		onnx.Attribute{Name: "num_outputs", Value: 3})
	turn := onnx.Attribute{Name: "perm", Value: []int{0, 1, 3, 2}}
	query := u.op("Mul", u.g.Op("Transpose", []onnx.Value{parts[0]}, turn), u.g.Scalar(float32(1/math.Sqrt(float64(each)))))
	weights := u.g.Op("Softmax", []onnx.Value{u.op("MatMul", query, parts[1])}, onnx.Attribute{Name: "axis", Value: 3})
	mixed := u.op("MatMul", parts[2], u.g.Op("Transpose", []onnx.Value{weights}, turn))
	mixed = u.op("Reshape", mixed, u.g.Ints(0, channels, u.h, u.w))
	return u.op("Add", x, u.conv(name+".proj_out", mixed, 1))
}

// unshuffle turns images to the network's first map: the numbers of a patch are channels of a
// pixel.
func (u *unetGraph) unshuffle(x onnx.Value) onnx.Value {
	p, c := max(u.cfg.PatchSize, 1), u.cfg.InChannels
	u.h, u.w = u.cfg.ImageSize[0]/p, u.cfg.ImageSize[1]/p
	if p == 1 {
		return u.turn(x)
	}
	x = u.op("Reshape", x, u.g.Ints(0, c, u.h, p, u.w, p))
	x = u.g.Op("Transpose", []onnx.Value{x}, onnx.Attribute{Name: "perm", Value: []int{0, 1, 3, 5, 2, 4}})
	return u.op("Reshape", x, u.g.Ints(0, c*p*p, u.h, u.w))
}

// shuffle undoes unshuffle.
func (u *unetGraph) shuffle(x onnx.Value) onnx.Value {
	p, c := max(u.cfg.PatchSize, 1), u.cfg.InChannels
	if p == 1 {
		return u.turn(x)
	}
	x = u.op("Reshape", x, u.g.Ints(0, c, p, p, u.h, u.w))
	x = u.g.Op("Transpose", []onnx.Value{x}, onnx.Attribute{Name: "perm", Value: []int{0, 1, 4, 2, 5, 3}})
	return u.op("Reshape", x, u.g.Ints(0, c, u.h*p, u.w*p))
}

// turn turns images by 180 degrees where the network sees them so.
func (u *unetGraph) turn(x onnx.Value) onnx.Value {
	if !u.cfg.Turned {
		return x
	}
	before := u.g.Ints(-u.h-1, -u.w-1) // the first pixel, where steps go back
	return u.op("Slice", x, u.g.Ints(-1, -1), before, u.g.Ints(2, 3), u.g.Ints(-1, -1))
}
