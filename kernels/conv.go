package kernels

import (
	"fmt"
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A ConvKind names a convolution by its geometry; all pad with zeros so that sizes come out whole.
type ConvKind uint8

// The convolutions of the network.
const (
	Point ConvKind = iota // 1x1
	Same3                 // 3x3
	Down3                 // 3x3 with stride 2: H becomes ⌈H/2⌉
	Up3                   // 3x3 after nearest up-sampling by 2: H becomes 2·H
)

// An axis describes one dimension of a convolution or of its input gradient: position o of the
// output (o = from + i·step for i = 0, 1, …) sums over taps of the input, the first at first + i·stride.
// Each tap's weight is the sum of those in its list, as positions in the kernel.
type axis struct {
	from, step    int
	first, stride int
	taps          [][]int
}

// Every kind is one or more axes; those of the rows and those of the columns combine to phases. An
// up-sampling convolution reads the same input pixel through several weights: their sum is one tap.
// With y[o] = Σ_k w[k]·x[⌊(o+k-1)/2⌋], even o read x[i-1] through w0 and x[i] through w1 + w2.
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

// A phase is the part of the output that one pair of axes makes, and its packed weights.
type phase struct {
	rows, cols axis
	taps       [][]int // of each tap of the window, row by row: the kernel positions that it sums
	weights    panel
}

func (p *phase) window() window { return window{len(p.rows.taps), len(p.cols.taps)} }

// input and output return the grids of the phase's pixels.
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

// phases combines the axes of rows and columns.
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

// A ConvShape says what a convolution maps to what: its kind, the size of its input, and channels.
type ConvShape struct {
	Kind   ConvKind
	H, W   int // of the input; any for Point
	IC, OC int
}

// A Conv is a convolution with its weights packed for one instruction set. After Pack it may be used
// by several goroutines at once, each with its own Scratch.
type Conv struct {
	ConvShape
	ISA  ISA
	Plan Plan

	forward, gradient   []phase // of the direct convolution and its input gradient
	wForward, wGradient transformed
	sForward, sGradient shifted
	rotated             []float32 // the weight of the input gradient, [3][3][OC][IC]
	bias                []float32
	withoutGradient     bool
}

// NewConv makes a convolution without weights, by the algorithms of a plan: the table's is
// isa.Plan(shape). Only one with gradient can compute InputGrad.
func NewConv(isa ISA, shape ConvShape, plan Plan, gradient bool) *Conv {
	return &Conv{
		ConvShape: shape, ISA: isa, Plan: plan, withoutGradient: !gradient,
		forward:  phases(shape.Kind, forwardAxes[shape.Kind]),
		gradient: phases(shape.Kind, gradientAxes[shape.Kind]),
	}
}

// Pack takes over the weight, [KH][KW][IC][OC], and the bias, [OC].
func (c *Conv) Pack(weight, bias []float32) {
	if side := c.Kind.Side(); len(weight) != side*side*c.IC*c.OC || len(bias) != c.OC {
		panic(fmt.Sprintf("kernels: weight of %d and bias of %d elements for %d to %d channels", len(weight), len(bias), c.IC, c.OC))
	}
	if c.bias == nil {
		c.bias = aligned(roundUp(c.OC, c.ISA.panelCols(c.OC)))
	}
	copy(c.bias, bias)
	switch c.Plan.Forward {
	case Direct:
		for i := range c.forward {
			c.packForward(&c.forward[i], weight)
		}
	case Shifted:
		c.sForward.pack(c.ISA, weight, c.IC, c.OC)
	default:
		c.wForward.pack(c.ISA, c.Plan.Forward.filtering(), weight, c.IC, c.OC)
	}
	if c.withoutGradient {
		return
	}
	if c.Plan.InputGrad == Direct {
		for i := range c.gradient {
			c.packGradient(&c.gradient[i], weight)
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

// packForward fills the panel [OC/cols][tap][IC][cols].
func (c *Conv) packForward(p *phase, weight []float32) {
	win := p.window()
	p.weights.reshape(c.ISA, win.h*win.w*c.IC, c.OC)
	for tap, sources := range p.taps {
		for i, source := range sources {
			p.weights.setRows(tap*c.IC, weight[source*c.IC*c.OC:][:c.IC*c.OC], i > 0)
		}
	}
}

// packGradient fills the panel [IC/cols][tap][OC][cols] with the transposed weights.
func (c *Conv) packGradient(p *phase, weight []float32) {
	win := p.window()
	p.weights.reshape(c.ISA, win.h*win.w*c.OC, c.IC)
	for tap, sources := range p.taps {
		for i, source := range sources {
			p.weights.setColumns(tap*c.OC, weight[source*c.IC*c.OC:][:c.IC*c.OC], c.OC, i > 0)
		}
	}
}

// Forward computes y = conv(x) + bias + residual. x needs a halo unless the kind is Point; residual
// may be nil, and may be y itself.
func (c *Conv) Forward(s *Scratch, y, x Map, residual *Map) {
	c.mustFit("forward", y, x)
	c.mustHaveHalo(x)
	switch c.Plan.Forward {
	case Direct:
		c.run(s, c.forward, y, x, c.bias, residual)
	case Shifted:
		c.sForward.convolve(c.ISA, s, y, x, c.bias, residual)
	default:
		c.wForward.convolve(c.ISA, s, c.Plan.Forward.filtering(), y, x, c.bias, residual, c.Kind == Up3, false)
	}
}

// InputGrad computes dx, the gradient of x for dy that of y, or adds it to dx. dy needs a halo unless
// the kind is Point.
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
	switch c.Plan.InputGrad {
	case Direct:
		c.run(s, c.gradient, dx, dy, nil, residual)
	case Shifted:
		c.sGradient.convolve(c.ISA, s, dx, dy, nil, residual)
	default:
		c.wGradient.convolve(c.ISA, s, c.Plan.InputGrad.filtering(), dx, dy, nil, residual, false, c.Kind == Up3)
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
	if x.C != c.IC || y.C != c.OC || y.N != x.N || c.Kind != Point && (x.H != c.H || x.W != c.W) || y.H != c.Kind.OutSize(x.H) || y.W != c.Kind.OutSize(x.W) {
		panic(fmt.Sprintf("kernels: %s of a convolution from %d to %d channels: shapes %v and %v", what, c.IC, c.OC, x.shape(), y.shape()))
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

// A WeightSum holds what some algorithms sum up before it is added to a weight's gradient. The zero value is
// ready; it grows to what the largest convolution needs.
type WeightSum struct {
	data   []float32
	planes planeSet // of Winograd's weight gradient
	begun  bool
}

// PartWeightGrad does WeightGrad's work for some images of a batch; after the last of them, EndWeightGrad
// adds what is left in sum to dw.
func (c *Conv) PartWeightGrad(s *Scratch, sum *WeightSum, dw, db []float32, x, dy Map) {
	c.mustFit("weight gradient", dy, x)
	c.mustHaveHalo(x)
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

// EndWeightGrad adds to dw what PartWeightGrad has left in sum.
func (c *Conv) EndWeightGrad(sum *WeightSum, dw []float32) {
	if f := c.Plan.WeightGrad.filtering(); f != nil && sum.begun {
		sum.begun = false
		f.addWeightGrad(c.ISA, dw, &sum.planes, c.IC*c.OC)
	}
}

// foldedWeightGrad first sums up the gradient of each phase's tap, and then adds it to the gradients
// of all weights whose sum the tap's weight is.
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
	if c.OC < c.IC && c.OC < c.ISA.outerCols(c.OC) { // the wider side along the vectors
		sum = scatter{a: b, b: a, m: c.OC, n: c.IC, dst: dw, row: 1, col: c.OC}
	}
	sum.run(c.ISA, s)
}

// A scatter is a sum of outer products over pixels: dst[i·row + j·col] += Σ a_i·b_j, with i and j
// channels of the same pixel of two grids of one size.
type scatter struct {
	a, b     grid
	m, n     int
	dst      []float32
	row, col int
}

// blockBytes is the size of the pixels, of both grids, that all tiles go through before the next ones: they stay in
// the first-level cache.
const blockBytes = 24 << 10

// run cuts the grids into blocks, which also bounds a call to the assembly.
func (g *scatter) run(isa ISA, s *Scratch) {
	pixels := max(blockBytes/(4*(g.m+g.n)), 16)
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
	width := isa.outerCols(g.n)
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

// fitting returns the largest of the sizes, in falling order, that is at most n.
func fitting(sizes []int, n int) int {
	for _, size := range sizes {
		if size <= n {
			return size
		}
	}
	return sizes[len(sizes)-1]
}

// tile adds to rows [i, i+rows) and width columns from j on, in place where dst has the tile's order
// and all its columns.
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
