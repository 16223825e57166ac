package kernels

import (
	"fmt"
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A ConvKind names a convolution by its geometry. All kinds pad with zeros.
type ConvKind uint8

// The convolutions of the network.
const (
	Point ConvKind = iota // 1x1
	Same3                 // 3x3
	Down3                 // 3x3 with stride 2: H becomes ⌈H/2⌉
	Up3                   // 3x3 after nearest up-sampling by 2: H becomes 2·H
)

// An axis describes one dimension of a convolution or of its input gradient. Position from +
// i·step of the output, i = 0, 1, …, sums over neighbouring positions of the input, the taps;
// the first tap is at first + i·stride.
type axis struct {
	from, step    int
	first, stride int
	taps          [][]int // for each tap, the positions in the kernel whose weights the tap sums
}

// Each kind has one or more axes. Each pair of an axis for rows and an axis for columns is a phase.
// An up-sampling convolution reads the same input pixel through several weights, whose sum is one
// tap: with y[o] = Σ_k w[k]·x[⌊(o+k-1)/2⌋], even positions o = 2·i read x[i-1] through w0
// and x[i] through w1 + w2.
var (
	forwardAxes = [...][]axis{
		Point: {{0, 1, 0, 1, [][]int{{0}}}},
		Same3: {{0, 1, -1, 1, [][]int{{0}, {1}, {2}}}},
		Down3: {{0, 1, -1, 2, [][]int{{0}, {1}, {2}}}},
		Up3:   {{0, 2, -1, 1, [][]int{{0}, {1, 2}}}, {1, 2, 0, 1, [][]int{{0, 1}, {2}}}},
	}
	// The input gradient sums over the output gradient: dx[i] = Σ_o w[k(i, o)]·dy[o].
	gradientAxes = [...][]axis{
		Point: {{0, 1, 0, 1, [][]int{{0}}}},
		Same3: {{0, 1, -1, 1, [][]int{{2}, {1}, {0}}}},
		Down3: {{0, 2, 0, 1, [][]int{{1}}}, {1, 2, 0, 1, [][]int{{2}, {0}}}},
		Up3:   {{0, 1, -1, 2, [][]int{{2}, {1, 2}, {0, 1}, {0}}}},
	}
)

// Side returns the length of the kernel's sides: 1 or 3.
func (k ConvKind) Side() int {
	if k == Point {
		return 1
	}
	return 3
}

// OutSize returns the size of the output for an input of h rows or columns.
func (k ConvKind) OutSize(h int) int {
	switch k {
	case Down3:
		return (h + 1) / 2
	case Up3:
		return 2 * h
	}
	return h
}

// A phase is the part of the output that one pair of axes makes, with its packed weights.
type phase struct {
	rows, cols axis
	taps       [][]int // for each tap of the window, row by row: the kernel positions that it sums
	weights    panel
	pairs      pairPanel
}

func (p *phase) window() window { return window{len(p.rows.taps), len(p.cols.taps)} }

// input and output return the phase's pixels of the input and of the output.
func (p *phase) input(x Map) grid {
	return grid{m: x, y0: p.rows.first, x0: p.cols.first, dy: p.rows.stride, dx: p.cols.stride}
}

func (p *phase) output(y Map) grid {
	return grid{
		m: y, y0: p.rows.from, x0: p.cols.from, dy: p.rows.step, dx: p.cols.step,
		h: (y.H - p.rows.from + p.rows.step - 1) / p.rows.step,
		w: (y.W - p.cols.from + p.cols.step - 1) / p.cols.step,
	}
}

// phases makes the phases of a kind, one for each pair of axes.
func phases(kind ConvKind, axes []axis) []phase {
	var all []phase
	for _, rows := range axes {
		for _, cols := range axes {
			p := phase{rows: rows, cols: cols}
			for _, ys := range rows.taps {
				for _, xs := range cols.taps {
					p.taps = append(p.taps, sources(kind.Side(), ys, xs))
				}
			}
			all = append(all, p)
		}
	}
	return all
}

// sources lists the kernel positions of all pairs of a row and a column.
func sources(side int, ys, xs []int) []int {
	var all []int
	for _, y := range ys {
		for _, x := range xs {
			all = append(all, y*side+x)
		}
	}
	return all
}

// A ConvShape is the kind of a convolution, the size of its input, and its channels in and out.
type ConvShape struct {
	Kind   ConvKind
	H, W   int // of the input; Point ignores them
	IC, OC int
}

// A Conv is a convolution with its weights packed for one instruction set. After Pack it may be
// used by several goroutines at once, each with its own Scratch.
type Conv struct {
	ConvShape
	ISA  ISA
	Plan Plan

	// The weights of the forward pass and of the input gradient, for each algorithm.
	forward, gradient   []phase
	wForward, wGradient transformed
	sForward, sGradient shifted
	rotated             []float32 // the weight of the input gradient, [3][3][OC][IC]
	bias                []float32
	withoutGradient     bool
	dot                 asm.Dot // the arithmetic of Pairs
}

// NewConv makes a convolution without weights that uses the algorithms of a plan; isa.Plan(shape)
// is the fastest plan. InputGrad needs a convolution that was made with gradient.
func NewConv(isa ISA, shape ConvShape, plan Plan, gradient bool) *Conv {
	return &Conv{
		ConvShape: shape, ISA: isa, Plan: plan, withoutGradient: !gradient, dot: isa.pairDot(),
		forward:  phases(shape.Kind, forwardAxes[shape.Kind]),
		gradient: phases(shape.Kind, gradientAxes[shape.Kind]),
	}
}

// Pack takes over the weight, [KH][KW][IC][OC], and the bias, [OC].
func (c *Conv) Pack(weight, bias []float32) {
	if side := c.Kind.Side(); len(weight) != side*side*c.IC*c.OC || len(bias) != c.OC {
		panic(fmt.Sprintf("kernels: weight of %d and bias of %d elements for %d to %d channels",
			len(weight), len(bias), c.IC, c.OC))
	}
	if c.bias == nil {
		c.bias = aligned(roundUp(roundUp(c.OC, c.ISA.tileCols(c.OC)), asm.PairCols))
	}
	copy(c.bias, bias)
	c.packForward(weight)
	if !c.withoutGradient {
		c.packGradient(weight)
	}
}

// packForward packs the weight for the forward pass.
func (c *Conv) packForward(weight []float32) {
	switch c.Plan.Forward {
	case Direct:
		for i := range c.forward {
			c.packPhase(&c.forward[i], weight)
		}
	case Pairs:
		for i := range c.forward {
			c.packPairs(&c.forward[i], weight)
		}
	case Shifted:
		c.sForward.pack(c.ISA, weight, c.IC, c.OC)
	default:
		c.wForward.pack(c.ISA, c.Plan.Forward.filtering(), weight, c.IC, c.OC)
	}
}

// packGradient packs the weight for the input gradient.
func (c *Conv) packGradient(weight []float32) {
	switch c.Plan.InputGrad {
	case Direct:
		for i := range c.gradient {
			c.packTransposed(&c.gradient[i], weight)
		}
		return
	case Pairs:
		for i := range c.gradient {
			c.packTransposedPairs(&c.gradient[i], weight)
		}
		return
	}
	if c.rotated == nil {
		c.rotated = make([]float32, len(weight))
	}
	rotate(c.rotated, weight, c.IC, c.OC)
	if c.Plan.InputGrad == Shifted {
		c.sGradient.pack(c.ISA, c.rotated, c.OC, c.IC)
	} else {
		c.wGradient.pack(c.ISA, c.Plan.InputGrad.filtering(), c.rotated, c.OC, c.IC)
	}
}

// packPhase fills the panel [OC/cols][tap][IC][cols].
func (c *Conv) packPhase(p *phase, weight []float32) {
	win := p.window()
	p.weights.reshape(c.ISA, win.h*win.w*c.IC, c.OC)
	for tap, sources := range p.taps {
		for i, source := range sources {
			p.weights.setRows(tap*c.IC, weight[source*c.IC*c.OC:][:c.IC*c.OC], i > 0)
		}
	}
}

// packTransposed fills the panel [IC/cols][tap][OC][cols] with the transposed weights.
func (c *Conv) packTransposed(p *phase, weight []float32) {
	win := p.window()
	p.weights.reshape(c.ISA, win.h*win.w*c.OC, c.IC)
	for tap, sources := range p.taps {
		for i, source := range sources {
			p.weights.setColumns(tap*c.OC, weight[source*c.IC*c.OC:][:c.IC*c.OC], c.OC, i > 0)
		}
	}
}

// ForwardByLines reports whether Forward takes some lines of a map, [Map.Lines], as it takes a
// whole map.
func (c *Conv) ForwardByLines() bool { return c.byLines(c.Plan.Forward) }

func (c *Conv) byLines(a Algorithm) bool {
	return c.Kind == Point || c.Kind == Same3 && a != Shifted
}

// Forward computes y = conv(x) + bias + residual. x needs a halo unless the kind is Point. residual
// has the shape and precision of y; it may be nil, and may be y itself.
func (c *Conv) Forward(s *Scratch, y, x Map, residual *Map) {
	c.mustFit("forward", y, x)
	c.mustHaveHalo(x)
	if residual != nil {
		mustMatch("residual of a convolution", *residual, y)
		residual.mustBe(y.Precision)
	}
	if c.Plan.Forward == Pairs {
		c.runPairs(s, c.forward, y, x, c.bias, residual)
		return
	}
	x = s.wide(c.ISA, wideInput, x)
	if y.Precision == BF16 && c.Plan.Forward.filtering() == nil {
		w := s.wideResult(c.ISA, y, residual)
		if residual != nil {
			residual = &w
		}
		c.forwardTo(s, w, x, residual)
		c.ISA.Convert(y, w)
		return
	}
	c.forwardTo(s, y, x, residual)
}

// forwardTo is Forward with x in float32, and with y in bfloat16 for Winograd's algorithms alone.
func (c *Conv) forwardTo(s *Scratch, y, x Map, residual *Map) {
	switch c.Plan.Forward {
	case Direct:
		c.run(s, c.forward, y, x, c.bias, residual)
	case Shifted:
		c.sForward.convolve(c.ISA, s, y, x, c.bias, residual)
	default:
		c.wForward.convolve(&convolution{
			isa: c.ISA, s: s, f: c.Plan.Forward.filtering(),
			out: y, in: x, bias: c.bias, upsampled: c.Kind == Up3,
		}, residual)
	}
}

// InputGrad sets dx to the gradient of x, or adds the gradient to dx; dy is the gradient of y. dy
// needs a halo unless the kind is Point.
func (c *Conv) InputGrad(s *Scratch, dx, dy Map, accumulate bool) {
	c.mustFit("input gradient", dy, dx)
	c.mustHaveHalo(dy)
	if c.withoutGradient {
		panic("kernels: input gradient of a convolution without the gradient's weights")
	}
	var residual *Map
	if accumulate {
		residual = &dx
	}
	if c.Plan.InputGrad == Pairs {
		c.runPairs(s, c.gradient, dx, dy, nil, residual)
		return
	}
	dy = s.wide(c.ISA, wideInput, dy)
	if dx.Precision == BF16 && c.Plan.InputGrad.filtering() == nil {
		w := s.wideResult(c.ISA, dx, residual)
		c.inputGradTo(s, w, dy, accumulate)
		c.ISA.Convert(dx, w)
		return
	}
	c.inputGradTo(s, dx, dy, accumulate)
}

// inputGradTo is InputGrad with dy in float32, and with dx in bfloat16 for Winograd's algorithms
// alone.
func (c *Conv) inputGradTo(s *Scratch, dx, dy Map, accumulate bool) {
	var residual *Map
	if accumulate {
		residual = &dx
	}
	switch c.Plan.InputGrad {
	case Direct:
		c.run(s, c.gradient, dx, dy, nil, residual)
	case Shifted:
		c.sGradient.convolve(c.ISA, s, dx, dy, nil, residual)
	default:
		c.wGradient.convolve(&convolution{
			isa: c.ISA, s: s, f: c.Plan.InputGrad.filtering(),
			out: dx, in: dy, pooled: c.Kind == Up3,
		}, residual)
	}
}

func (c *Conv) run(s *Scratch, phases []phase, out, in Map, bias []float32, residual *Map) {
	for i := range phases {
		p := &phases[i]
		g := gather{in: p.input(in), win: p.window(), b: &p.weights, bias: bias, out: p.output(out)}
		if residual != nil {
			g.add, g.residual = true, p.output(*residual)
		}
		g.run(c.ISA, s)
	}
}

func (c *Conv) mustFit(what string, y, x Map) {
	size := c.Kind == Point || x.H <= c.H && x.W == c.W // x may be some lines
	if !size || x.C != c.IC || y.shape() != [4]int{x.N, c.Kind.OutSize(x.H), c.Kind.OutSize(x.W), c.OC} {
		panic(fmt.Sprintf("kernels: %s of a convolution from %d to %d channels: shapes %v and %v",
			what, c.IC, c.OC, x.shape(), y.shape()))
	}
}

// mustHaveHalo panics when a 3x3 convolution would read beyond the pixels of a map without halo.
func (c *Conv) mustHaveHalo(m Map) {
	if c.Kind != Point && m.halo == 0 {
		panic("kernels: a 3x3 convolution reads a map without halo")
	}
}

// WeightGrad adds the gradients of the weight, [KH][KW][IC][OC], and of the bias to dw and db. x
// and dy need a halo unless the kind is Point.
func (c *Conv) WeightGrad(s *Scratch, dw, db []float32, x, dy Map) {
	c.PartWeightGrad(s, &s.sum, dw, db, x, dy)
	c.EndWeightGrad(&s.sum, dw)
}

// A WeightSum holds the sums that Winograd's algorithms collect over a batch before they add to a
// weight's gradient. The zero value is ready; it grows to the size that the largest convolution
// needs.
type WeightSum struct {
	data   []float32
	planes planeSet
	begun  bool // whether planes holds a sum
}

// PartWeightGrad does the work of WeightGrad for some images of a batch. After the last images,
// call EndWeightGrad, which adds the rest of the sum to dw.
func (c *Conv) PartWeightGrad(s *Scratch, sum *WeightSum, dw, db []float32, x, dy Map) {
	c.mustFit("weight gradient", dy, x)
	c.mustHaveHalo(x)
	if c.Plan.WeightGrad == Pairs {
		c.pairWeightGrad(s, dw, s.narrow(c.ISA, wideInput, x), s.narrow(c.ISA, wideGradient, dy))
		c.ISA.BiasGrad(s, db, dy)
		return
	}
	x, dy = s.wide(c.ISA, wideInput, x), s.wide(c.ISA, wideGradient, dy)
	size := c.IC * c.OC
	if f := c.Plan.WeightGrad.filtering(); f != nil {
		c.mustHaveHalo(dy)
		winogradWeightGrad(c.ISA, s, f, sum, x, dy, c.Kind == Up3)
	} else if c.Kind == Up3 {
		c.foldedWeightGrad(s, dw, x, dy)
	} else {
		for i := range c.forward {
			p := &c.forward[i]
			for tap, sources := range p.taps {
				c.tapGrad(s, dw[sources[0]*size:][:size], p, tap, x, dy)
			}
		}
	}
	c.ISA.BiasGrad(s, db, dy)
}

// EndWeightGrad adds to dw the rest that PartWeightGrad has left in sum.
func (c *Conv) EndWeightGrad(sum *WeightSum, dw []float32) {
	if f := c.Plan.WeightGrad.filtering(); f != nil && sum.begun {
		sum.begun = false
		f.addWeightGrad(c.ISA, dw, &sum.planes, c.IC*c.OC)
	}
}

// foldedWeightGrad sums up the gradient of each tap of each phase, and adds it to the gradients of
// all weights that the tap sums.
func (c *Conv) foldedWeightGrad(s *Scratch, dw []float32, x, dy Map) {
	size := c.IC * c.OC
	for i := range c.forward {
		p := &c.forward[i]
		for tap, sources := range p.taps {
			sum := s.take(size)
			clear(sum)
			c.tapGrad(s, sum, p, tap, x, dy)
			for _, source := range sources {
				c.ISA.Add(dw[source*size:][:size], sum)
			}
		}
	}
}

// tapGrad adds Σ x·dyᵀ over the pixels of a phase's tap to dw, [IC][OC].
func (c *Conv) tapGrad(s *Scratch, dw []float32, p *phase, tap int, x, dy Map) {
	a, b := p.input(x), p.output(dy)
	width := len(p.cols.taps)
	a.y0 += tap / width
	a.x0 += tap % width
	a.h, a.w = b.h, b.w
	sum := scatter{a: a, b: b, m: c.IC, n: c.OC, dst: dw, row: c.OC, col: 1}
	if c.OC < c.IC && c.OC < c.ISA.tileCols(c.OC) { // the wider side lies along the vectors
		sum = scatter{a: b, b: a, m: c.OC, n: c.IC, dst: dw, row: 1, col: c.OC}
	}
	sum.run(c.ISA, s)
}

// A scatter is a sum of outer products: dst[i·row + j·col] += Σ a_i·b_j over the pixels of two
// grids of the same size, for channel i of a and channel j of b.
type scatter struct {
	a, b     grid
	m, n     int
	dst      []float32
	row, col int
}

// run cuts the grids into blocks that stay in the cache.
func (g *scatter) run(isa ISA, s *Scratch) {
	pixels := max(scatterBytes/(4*(g.m+g.n)), scatterPixels)
	lines := max(pixels/max(g.a.w, 1), 1)
	if g.a.h <= lines {
		images := max(lines/max(g.a.h, 1), 1)
		for n := 0; n < g.a.m.N; n += images {
			g.block(isa, s, n, 0, min(images, g.a.m.N-n), g.a.h)
		}
		return
	}
	for n := range g.a.m.N {
		for y := 0; y < g.a.h; y += lines {
			g.block(isa, s, n, y, 1, min(lines, g.a.h-y))
		}
	}
}

// block adds the pixels of lines [y, y+lines) of images [n, n+images).
func (g *scatter) block(isa ISA, s *Scratch, n, y, images, lines int) {
	args := &s.outer
	*args = asm.Outer{LdA: g.a.pixelStep(), LdB: g.b.pixelStep(), N0: g.a.w, N1: lines, N2: images}
	args.StepA1 = g.a.rowStep() - uintptr(g.a.w)*args.LdA
	args.StepB1 = g.b.rowStep() - uintptr(g.b.w)*args.LdB
	args.StepA2 = uintptr(4*g.a.m.Image) - uintptr(lines)*g.a.rowStep()
	args.StepB2 = uintptr(4*g.b.m.Image) - uintptr(lines)*g.b.rowStep()
	a, b := g.a.ptr(n, y, 0), g.b.ptr(n, y, 0)
	width := isa.tileCols(g.n)
	for j := 0; j < g.n; j += width {
		args.B = unsafe.Add(b, 4*j)
		for i := 0; i < g.m; {
			rows := fitting(isa.outerRows(), g.m-i)
			args.A = unsafe.Add(a, 4*i)
			g.tile(isa, s, i, j, rows, width)
			i += rows
		}
	}
}

// fitting returns the largest size that is at most n, or else the smallest. The sizes are in
// falling order.
func fitting(sizes []int, n int) int {
	for _, size := range sizes {
		if size <= n {
			return size
		}
	}
	return sizes[len(sizes)-1]
}

// tile adds to rows [i, i+rows) and to width columns from j on. It adds in place where dst has all
// the columns, side by side.
func (g *scatter) tile(isa ISA, s *Scratch, i, j, rows, width int) {
	args := &s.outer
	if g.col == 1 && j+width <= g.n {
		args.C, args.LdC = unsafe.Pointer(&g.dst[i*g.row+j]), uintptr(4*g.row)
		isa.outer(rows, width, args)
		return
	}
	args.C, args.LdC, args.Set = unsafe.Pointer(&s.tile[0]), uintptr(4*width), 1
	isa.outer(rows, width, args)
	args.Set = 0
	for k := range rows {
		for l := range min(width, g.n-j) {
			g.dst[(i+k)*g.row+(j+l)*g.col] += s.tile[k*width+l]
		}
	}
}
