package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// A kernelCase is one pass of one kernel on one shape.
type kernelCase struct {
	kernel, shape, pass string
	algorithm           string // of a convolution
	chosen              bool   // the plan of the instruction set has it: the network uses it
	precision           kernels.Precision

	work  float64 // work of a call, in operations, or in bytes of float32 where the unit is GB/s
	unit  string
	share float64 // share of this pass's work in all convolutions of the network

	// prepare makes data for one thread, and returns the call to time.
	prepare func(on arithmetic) func()
}

// The units of rates.
const (
	gflops = "GFLOP/s"
	gbytes = "GB/s"
)

// name returns what the option run matches: kernel/shape, the pass where there are several, the
// algorithm of a convolution, and the precision where it is not float32.
func (c *kernelCase) name() string {
	return joinName(c.kernel, c.shape, c.pass, c.algorithm, unlessF32(c.precision.String()))
}

// base returns the name without the algorithm.
func (c *kernelCase) base() string {
	return joinName(c.kernel, c.shape, c.pass, unlessF32(c.precision.String()))
}

// peak returns the rate that bounds the case. Linear layers and attention multiply float32 in every
// precision.
func (c *kernelCase) peak(l Limit) float64 {
	if c.kernel == linearKernel || c.kernel == attentionKernel {
		return l.GFLOPs
	}
	return l.peak(c.precision.String())
}

// joinName joins the parts that are not empty.
func joinName(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// The kernels that multiply float32 in every precision.
const (
	linearKernel    = "linear"
	attentionKernel = "attention"
)

// The passes of a kernel.
const (
	forward    = "forward"
	inputGrad  = "inputgrad"
	weightGrad = "weightgrad"
	backward   = "backward"
)

// An arithmetic is an instruction set and the precision of a network.
type arithmetic struct {
	isa       kernels.ISA
	precision kernels.Precision
}

// working returns the precision of the maps that the steps of a layer pass on to each other.
func (a arithmetic) working() kernels.Precision { return a.isa.Working(a.precision) }

// plan returns the algorithms of a convolution or linear layer of the network. A linear layer is
// float32 in every precision.
func (a arithmetic) plan(s kernels.ConvShape) kernels.Plan {
	if isLinear(s) {
		return a.isa.Plan(s)
	}
	return a.isa.PlanFor(a.precision, s)
}

// isLinear reports whether a shape is that of a linear layer.
func isLinear(s kernels.ConvShape) bool { return s.Kind == kernels.Point && s.H*s.W == 1 }

// kernelCases lists the cases of a network for batches of images. Its convolutions and linear
// layers come first, by their share of the work, then norms, attention and vector operations. With
// every, a convolution is there with each algorithm that can compute it, and else with the chosen
// one alone. Vector operations are float32 in every precision: they are listed in that one alone.
func kernelCases(cfg unet.Config, on arithmetic, images int, every bool) []kernelCase {
	cases := slices.Concat(convCases(cfg, on, images, every), normCases(cfg, images))
	for _, s := range unique(cfg.Attentions()) {
		cases = append(cases, attentionCase(s.shape, images, forward), attentionCase(s.shape, images, backward))
	}
	for i := range cases {
		cases[i].precision = on.precision
	}
	if on.precision != kernels.F32 {
		return cases
	}
	return append(cases, vectorCases()...)
}

// A counted is a shape with the number of times that it occurs in a network.
type counted[S comparable] struct {
	shape S
	count int
}

// unique counts the shapes of a list, in the order of their first occurrence.
func unique[S comparable](list []S) []counted[S] {
	var found []counted[S]
	for _, s := range list {
		i := slices.IndexFunc(found, func(c counted[S]) bool { return c.shape == s })
		if i < 0 {
			found = append(found, counted[S]{s, 1})
		} else {
			found[i].count++
		}
	}
	return found
}

// convCases lists the convolutions, the largest share of the work first.
func convCases(cfg unet.Config, on arithmetic, images int, every bool) []kernelCase {
	var cases []kernelCase
	shapes := unique(cfg.Convs())
	slices.SortStableFunc(shapes, func(a, b counted[kernels.ConvShape]) int {
		return cmp.Compare(float64(b.count)*b.shape.FLOPs(), float64(a.count)*a.shape.FLOPs())
	})
	for _, s := range shapes {
		plan := on.plan(s.shape)
		for _, pass := range []struct {
			name   string
			chosen kernels.Algorithm
		}{{forward, plan.Forward}, {inputGrad, plan.InputGrad}, {weightGrad, plan.WeightGrad}} {
			for _, algorithm := range algorithms(s.shape, pass.chosen, every) {
				c := convCase(s.shape, images, pass.name, algorithm)
				c.chosen = algorithm == pass.chosen
				c.share = float64(s.count) * s.shape.FLOPs() / cfg.FLOPs()
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// algorithms lists the chosen algorithm of a pass and, with every, the others that can compute it.
func algorithms(s kernels.ConvShape, chosen kernels.Algorithm, every bool) []kernels.Algorithm {
	list := []kernels.Algorithm{chosen}
	if !every {
		return list
	}
	others := []kernels.Algorithm{kernels.Direct}
	if s.CanWinograd() {
		others = append(others, kernels.Winograd4, kernels.Winograd2)
	}
	for _, a := range others {
		if a != chosen {
			list = append(list, a)
		}
	}
	return list
}

// convCase returns the case of a convolution in one pass.
func convCase(s kernels.ConvShape, images int, pass string, a kernels.Algorithm) kernelCase {
	kernel, shape := s.Kind.String(), fmt.Sprintf("%dx%d/%d-%d", s.H, s.W, s.IC, s.OC)
	if isLinear(s) {
		kernel, shape = linearKernel, fmt.Sprintf("%d-%d", s.IC, s.OC)
	}
	return kernelCase{
		kernel: kernel, shape: shape, pass: pass, algorithm: a.String(),
		work: float64(images) * s.FLOPs(), unit: gflops,
		prepare: func(on arithmetic) func() { return prepareConv(on, s, images, pass, a) },
	}
}

// prepareConv makes a convolution and maps of random numbers. As in the network's layers, what a
// convolution reads is in the working precision, and so are gradients.
func prepareConv(on arithmetic, s kernels.ConvShape, images int, pass string, a kernels.Algorithm) func() {
	rng := rand.New(rand.NewPCG(1, 1))
	written := on.working()
	if pass == forward {
		written = on.precision
	}
	x := on.working().NewMap(images, s.H, s.W, s.IC)
	y := written.NewMap(images, s.Kind.OutSize(s.H), s.Kind.OutSize(s.W), s.OC)
	if isLinear(s) {
		// A linear layer's rows are the pixels of one map, float32 in every precision.
		x, y = kernels.NewDense(1, 1, images, s.IC), kernels.NewDense(1, 1, images, s.OC)
	}
	fill(rng, x)
	fill(rng, y)
	side := s.Kind.Side()
	weight, bias := normals(rng, side*side*s.IC*s.OC), normals(rng, s.OC)
	// A weight gradient packs no weights. The plan's other passes are direct: all shapes have that
	// algorithm.
	var plan kernels.Plan
	switch pass {
	case forward:
		plan.Forward = a
	case inputGrad:
		plan.InputGrad = a
	default:
		plan.WeightGrad = a
	}
	conv := kernels.NewConv(on.isa, s, plan, pass == inputGrad)
	conv.Pack(weight, bias)
	scratch := new(kernels.Scratch)
	switch pass {
	case forward:
		return func() { conv.Forward(scratch, y, x, nil) }
	case inputGrad:
		return func() { conv.InputGrad(scratch, x, y, false) }
	}
	dw, db := make([]float32, len(weight)), make([]float32, len(bias))
	return func() { conv.WeightGrad(scratch, dw, db, x, y) }
}

// A normShape is a group norm over an image.
type normShape struct{ h, w, c, groups int }

// normCases lists the group norms, with SiLU, before 3x3 convolutions.
func normCases(cfg unet.Config, images int) []kernelCase {
	var shapes []normShape
	for _, s := range cfg.Convs() {
		if groups := max(cfg.NormGroups, 1); s.Kind == kernels.Same3 && s.IC%groups == 0 {
			shapes = append(shapes, normShape{s.H, s.W, s.IC, groups})
		}
	}
	var cases []kernelCase
	for _, s := range unique(shapes) {
		for _, pass := range []string{forward, backward} {
			cases = append(cases, normCase(s.shape, images, pass))
		}
	}
	return cases
}

// normCase returns the case of a norm. Its bytes count each operand once, as float32: x and y
// forward, x, dy and dx backward.
func normCase(s normShape, images int, pass string) kernelCase {
	operands := 2
	if pass == backward {
		operands = 3
	}
	return kernelCase{
		kernel: "norm", shape: fmt.Sprintf("%dx%d/%d", s.h, s.w, s.c), pass: pass,
		work: float64(4 * operands * images * s.h * s.w * s.c), unit: gbytes,
		prepare: func(on arithmetic) func() { return prepareNorm(on, s, images, pass) },
	}
}

// prepareNorm makes a norm and maps of random numbers. What it passes on to a convolution, and gets
// from it, is in the working precision.
func prepareNorm(on arithmetic, s normShape, images int, pass string) func() {
	rng := rand.New(rand.NewPCG(1, 1))
	x, dx := on.precision.NewMap(images, s.h, s.w, s.c), on.precision.NewMap(images, s.h, s.w, s.c)
	y, dy := on.working().NewMap(images, s.h, s.w, s.c), on.working().NewMap(images, s.h, s.w, s.c)
	fill(rng, x)
	norm := kernels.GroupNorm{ISA: on.isa, C: s.c, Groups: s.groups, SiLU: true}
	gamma, beta, stats := make([]float32, s.c), make([]float32, s.c), make([]float32, norm.StatsLen(images))
	for i := range gamma {
		// Backward overwrites dy with dy·SiLU'(y). SiLU' is 1 at y of about 20. So dy does not
		// fade, with repeated calls, into denormal numbers, which are slow.
		gamma[i], beta[i] = 1, 20
	}
	scratch := new(kernels.Scratch)
	run := func() { norm.Forward(scratch, y, x, gamma, beta, kernels.Modulation{}, stats) }
	if pass == forward {
		return run
	}
	run()
	fill(rng, dy)
	dgamma, dbeta := make([]float32, s.c), make([]float32, s.c)
	return func() {
		norm.Backward(scratch, &kernels.NormBackward{
			DX: dx, DY: dy, X: x, Y: y, Gamma: gamma, Beta: beta, Stats: stats, DGamma: dgamma, DBeta: dbeta,
		})
	}
}

// attentionCase returns the case of attention's own products: two forward, four backward.
func attentionCase(s unet.AttentionShape, images int, pass string) kernelCase {
	work := float64(images) * s.FLOPs()
	if pass == backward {
		work *= 2
	}
	return kernelCase{
		kernel: attentionKernel, shape: fmt.Sprintf("%dx%d/%d", s.H, s.W, s.C), pass: pass, work: work, unit: gflops,
		prepare: func(on arithmetic) func() { return prepareAttention(on, s, images, pass) },
	}
}

// prepareAttention makes maps of random numbers for attention. Gradients are in the working
// precision.
func prepareAttention(on arithmetic, s unet.AttentionShape, images int, pass string) func() {
	rng := rand.New(rand.NewPCG(1, 1))
	o, do := on.precision.NewDense(images, s.H, s.W, s.C), on.working().NewDense(images, s.H, s.W, s.C)
	qkv, dqkv := on.precision.NewDense(images, s.H, s.W, 3*s.C), on.working().NewDense(images, s.H, s.W, 3*s.C)
	fill(rng, qkv)
	op := &kernels.Attention{ISA: on.isa, Heads: s.Heads}
	kept, scratch := make([]float32, op.KeptLen(images, s.H*s.W)), new(kernels.Scratch)
	run := func() { op.Forward(scratch, o, qkv, kept) }
	if pass == forward {
		return run
	}
	run()
	fill(rng, do)
	return func() { op.Backward(scratch, dqkv, do, o, qkv, kept) }
}

// vectorLen is the length of the vector operations: about the parameters of the base preset.
const vectorLen = 1 << 20

// vectorCases lists the operations on all parameters in each step, and exp. Their bytes count each
// operand once for reading and once for writing.
func vectorCases() []kernelCase {
	step := kernels.AdamWStep{
		LR: 1e-3, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.01, Bias1: 0.5, Bias2: 0.5, GradScale: 1,
	}
	var cases []kernelCase
	for _, v := range []struct {
		kernel string
		floats int // read and written for each element
		call   func(isa kernels.ISA, a, b, c, d []float32)
	}{
		{"adamw", 7, func(isa kernels.ISA, p, m, v, g []float32) { isa.AdamW(p, m, v, g, step) }},
		{"lerp", 3, func(isa kernels.ISA, dst, src, _, _ []float32) { isa.Lerp(dst, src, 0.002) }},
		{"add", 3, func(isa kernels.ISA, dst, src, _, _ []float32) { isa.Add(dst, src) }},
		{"sumsquares", 1, func(isa kernels.ISA, x, _, _, _ []float32) { isa.SumSquares(x) }},
		{"exp", 2, func(isa kernels.ISA, dst, src, _, _ []float32) { isa.Exp(dst, src) }},
	} {
		cases = append(cases, kernelCase{
			kernel: v.kernel, shape: strconv.Itoa(vectorLen), work: float64(4 * v.floats * vectorLen), unit: gbytes,
			prepare: func(on arithmetic) func() {
				rng := rand.New(rand.NewPCG(1, 1))
				a, b := normals(rng, vectorLen), normals(rng, vectorLen)
				c, d := make([]float32, vectorLen), normals(rng, vectorLen)
				return func() { v.call(on.isa, a, b, c, d) }
			},
		})
	}
	return cases
}

// fill fills a map with normal numbers.
func fill(rng *rand.Rand, m kernels.Map) { m.Load(normals(rng, m.N*m.H*m.W*m.C)) }

// normals returns n normal numbers, which repeat after some thousands. So making the data takes
// little of the time to measure.
func normals(rng *rand.Rand, n int) []float32 {
	const period = 4096
	x := make([]float32, n)
	for i := range min(n, period) {
		x[i] = float32(rng.NormFloat64())
	}
	for i := period; i < n; i += period {
		copy(x[i:], x[:period])
	}
	return x
}
