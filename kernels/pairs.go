package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
	"github.com/fmimg/fmimg/internal/bfloat16"
)

// This file multiplies pairs: two neighbouring elements of bfloat16 at a time, as matrix units and
// dot products do. A convolution is a matrix product that reads its input in place, as in Direct.
// Sums are float32, and a result is rounded once.
//
// A tile of the product is up to asm.PairUnit places of the input that lie at equal distances in
// memory. Tiles go on from the end of a line of pixels over the halo to the next line, so that
// narrow maps fill them too; segments say which rows of a tile are pixels, and where their results
// belong.

// A pairPanel is a matrix of k rows and n columns as the products of pairs read it:
// [n/PairCols][k/2][PairCols][2], padded with zeros. k is even.
type pairPanel struct {
	data []float32 // each holds a pair
	k, n int
}

// reshape makes room for k rows and n columns. Only the padding of a new panel is zero.
func (p *pairPanel) reshape(k, n int) {
	size := roundUp(n, asm.PairCols) * k / 2
	if cap(p.data) < size {
		p.data = aligned(size)
	}
	p.data, p.k, p.n = p.data[:size], k, n
}

// pair returns the place of rows 2·i and 2·i+1 of column j.
func (p *pairPanel) pair(i, j int) *[2]uint16 {
	at := (j/asm.PairCols*(p.k/2)+i)*asm.PairCols + j%asm.PairCols
	return (*[2]uint16)(unsafe.Pointer(&p.data[at]))
}

// pairUnit returns the pairs of a block: the most that divide a row of the given even number of
// elements.
func pairUnit(elements int) int {
	for unit := asm.PairUnit; ; unit-- {
		if elements/2%unit == 0 {
			return unit
		}
	}
}

// packPairs fills the panel of a phase, [tap][IC] by OC, with the sums of the weights of each tap.
func (c *Conv) packPairs(p *phase, weight []float32) {
	size := c.IC * c.OC
	p.pairs.reshape(len(p.taps)*c.IC, c.OC)
	for tap, sources := range p.taps {
		for i := 0; i < c.IC; i += 2 {
			for o := range c.OC {
				var sum [2]float32
				for _, source := range sources {
					w := weight[source*size+i*c.OC+o:]
					sum[0], sum[1] = sum[0]+w[0], sum[1]+w[c.OC]
				}
				*p.pairs.pair((tap*c.IC+i)/2, o) = [2]uint16{bfloat16.From(sum[0]), bfloat16.From(sum[1])}
			}
		}
	}
}

// packTransposedPairs fills the panel of a phase of the input gradient, [tap][OC] by IC.
func (c *Conv) packTransposedPairs(p *phase, weight []float32) {
	size := c.IC * c.OC
	p.pairs.reshape(len(p.taps)*c.OC, c.IC)
	for tap, sources := range p.taps {
		for i := range c.IC {
			for o := 0; o < c.OC; o += 2 {
				var sum [2]float32
				for _, source := range sources {
					w := weight[source*size+i*c.OC+o:]
					sum[0], sum[1] = sum[0]+w[0], sum[1]+w[1]
				}
				*p.pairs.pair((tap*c.OC+o)/2, i) = [2]uint16{bfloat16.From(sum[0]), bfloat16.From(sum[1])}
			}
		}
	}
}

// runPairs computes the phases of a convolution, forward or as an input gradient. It reads
// bfloat16, and rounds the result to the precision of out, which is that of the residual.
func (c *Conv) runPairs(s *Scratch, phases []phase, out, in Map, bias []float32, residual *Map) {
	in = s.narrow(c.ISA, wideInput, in)
	for i := range phases {
		p := &phases[i]
		from, to := p.input(in), p.output(out)
		if out.N*to.h*to.w == 0 { // a map of one line has no second one, on which a phase begins
			continue
		}
		args := s.pairs.begin(c.dot)
		args.gather(&from, p.window())
		g := pairGrid{n: out.N, h: to.h, w: to.w, a: from.steps(), c: to.steps()}
		args.C = to.ptr(0, 0, 0)
		if out.Precision == F32 {
			args.Wide = 1
		}
		if residual != nil {
			r := p.output(*residual)
			args.R, g.r = r.ptr(0, 0, 0), r.steps()
		}
		g.multiply(c.ISA, &s.pairs, &p.pairs, bias)
	}
}

// gather sets the rows of A: the windows of the places of a grid.
func (args *pairArgs) gather(g *grid, win window) {
	m := &g.m
	args.A, args.LdA = g.ptr(0, 0, 0), g.steps().place
	args.N2, args.N1, args.Unit = win.h, win.w, pairUnit(m.C)
	args.Inner = m.C / 2
	args.Step1, args.Step2 = m.bytes(m.Pixel-m.C), m.bytes(m.Row-win.w*m.Pixel)
	if m.Pixel == m.C { // the elements of a window's line lie side by side
		args.N1, args.Inner, args.Step2 = 1, win.w*m.C/2, m.bytes(m.Row-win.w*m.Pixel)
	}
	args.Blocks = args.Inner / args.Unit
}

// strides are the distances in bytes between the places of a grid.
type strides struct{ image, line, place uintptr }

// steps returns the distances between the places of a grid.
func (g *grid) steps() strides {
	return strides{g.m.bytes(g.m.Image), g.m.bytes(g.dy * g.m.Row), g.m.bytes(g.dx * g.m.Pixel)}
}

// at returns the offset of a place.
func (s strides) at(n, y, x int) uintptr {
	return uintptr(n)*s.image + uintptr(y)*s.line + uintptr(x)*s.place
}

// pairArgs are the arguments of a product.
type pairArgs struct{ asm.Pairs }

// pairWork is what products of pairs need of a [Scratch].
type pairWork struct {
	args       pairArgs
	interleave asm.Interleave
	turn       asm.Turn
	tiles      []asm.PairTile
	segments   []asm.PairSegment
	sums       []float32
	heights    map[pairLines]int // what height found
	left       []float32         // planes of the left factor of a weight gradient
	pairs      []float32         // pixels of the left factor as pairs, before they are turned
	right      pairPanel
}

// begin returns arguments with the working memory alone.
func (w *pairWork) begin(dot asm.Dot) *pairArgs {
	if w.sums == nil {
		w.sums = aligned(4 * asm.PairUnit * asm.PairCols)
		w.tiles = make([]asm.PairTile, 0, pairTiles)
		w.heights = map[pairLines]int{}
	}
	w.args = pairArgs{asm.Pairs{Dot: dot, Sums: unsafe.Pointer(&w.sums[0])}}
	return &w.args
}

// A pairGrid is the places whose windows are the rows of a product: h lines of w places in each of
// n images. a, c and r are the distances between places in A, and in the maps C and R.
type pairGrid struct {
	n, h, w int
	a, c, r strides
}

// multiply computes the product of all places with a panel. The arguments have A, its loops, C and
// R.
func (g *pairGrid) multiply(isa ISA, work *pairWork, b *pairPanel, bias []float32) {
	t := pairTiling{isa: isa, work: work, b: b, bias: bias}
	work.args.LdC, work.args.LdR = g.c.place, g.r.place
	t.begin(g)
	for n := range g.n {
		for y := range g.h {
			t.line(g, n, y)
		}
	}
	t.flush()
}

// A pairTiling collects tiles, in the order of their places, until there are pairTiles.
type pairTiling struct {
	isa    ISA
	work   *pairWork
	b      *pairPanel
	bias   []float32
	lines  pairLines
	last   int // one behind the last place of all
	height int // rows of a tile
	end    int // one behind the last place of the present tile
}

// pairLines says where the lines of an image lie: pitch and image are the distances between two
// lines and two images in places, or 0 if no tile may go on to the next line.
type pairLines struct {
	isa               ISA
	h, w              int
	pitch, image, few int // few is how many places there are, if they are fewer than PairUnit
}

func (t *pairTiling) begin(g *pairGrid) {
	t.lines = pairLines{isa: t.isa, h: g.h, w: g.w}
	t.last = g.w
	if place := g.a.place; g.a.line%place == 0 && g.a.image%place == 0 {
		t.lines.pitch, t.lines.image = int(g.a.line/place), int(g.a.image/place)
		t.last += (g.n-1)*t.lines.image + (g.h-1)*t.lines.pitch
	}
	t.lines.few = min(t.last, asm.PairUnit)
	height, known := t.work.heights[t.lines]
	if !known {
		height = t.lines.height()
		t.work.heights[t.lines] = height
	}
	t.height, t.end = height, 0
	t.work.tiles, t.work.segments = t.work.tiles[:0], t.work.segments[:0]
}

// height returns the height of tiles that cost the least for an image.
func (l pairLines) height() int {
	best, least := 1, 0
	for _, size := range l.isa.pairHeights() {
		if size.length > l.few {
			continue
		}
		if cost := l.tiles(size.length) * size.cost; least == 0 || cost < least {
			best, least = size.length, cost
		}
	}
	return best
}

// tiles counts the tiles of a height that an image takes. Places without gaps count as a long line,
// because tiles go on to the next image too.
func (l pairLines) tiles(height int) int {
	if l.pitch == l.w && l.image == l.h*l.w {
		const many = 1 << 10
		return (many + height - 1) / height
	}
	count, end := 0, 0
	for y := range l.h {
		for x := 0; x < l.w; x = end - y*l.pitch {
			if l.pitch == 0 && x == 0 || y*l.pitch+x >= end {
				count++
				end = y*l.pitch + x + height
			}
		}
	}
	return count
}

// line adds the places of a line.
func (t *pairTiling) line(g *pairGrid, n, y int) {
	first := n*t.lines.image + y*t.lines.pitch
	if t.lines.pitch == 0 {
		t.end = 0
	}
	for x := 0; x < g.w; {
		if first+x >= t.end {
			if len(t.work.tiles) == pairTiles {
				t.flush()
			}
			start := min(first+x, t.last-t.height)
			t.end = start + t.height
			t.work.tiles = append(t.work.tiles, asm.PairTile{A: g.a.at(n, y, start-first)})
		}
		rows := min(g.w-x, t.end-first-x)
		t.segment(g, asm.PairSegment{
			Row: first + x - (t.end - t.height), Rows: rows, C: g.c.at(n, y, x), R: g.r.at(n, y, x),
		})
		x += rows
	}
}

// segment adds a segment to the present tile, or makes its last segment longer.
func (t *pairTiling) segment(g *pairGrid, s asm.PairSegment) {
	tile := &t.work.tiles[len(t.work.tiles)-1]
	if tile.Segments > 0 {
		last := &t.work.segments[len(t.work.segments)-1]
		n := uintptr(last.Rows)
		if last.Row+last.Rows == s.Row && last.C+n*g.c.place == s.C && last.R+n*g.r.place == s.R {
			last.Rows += s.Rows
			return
		}
	}
	tile.Segments++
	t.work.segments = append(t.work.segments, s)
}

// flush computes the tiles collected so far, one block of columns after another.
func (t *pairTiling) flush() {
	w, args, b := t.work, &t.work.args, t.b
	if len(w.tiles) == 0 {
		return
	}
	steps := args.N2 * args.N1 * args.Inner
	most := max(maxPairCycles/(t.isa.pairCycles()*steps), 1)
	if most > 1 {
		most &^= 1 // a matrix unit takes two tiles at once
	}
	args.Config = asm.PairConfig(t.height, args.Unit)
	args.GroupB = uintptr(4 * asm.PairCols * b.k / 2)
	c, r := args.C, args.R
	block := t.isa.pairGroups() * asm.PairCols
	for j := 0; j < b.n; j += block {
		args.B = unsafe.Pointer(&b.data[j*b.k/2])
		args.Bias = nil
		if t.bias != nil {
			args.Bias = unsafe.Pointer(&t.bias[j])
		}
		size := 2 << args.Wide
		if args.C = unsafe.Add(c, j*size); r != nil {
			args.R = unsafe.Add(r, j*size)
		}
		t.columns(min(b.n-j, block), most)
	}
	args.C, args.R = c, r
	w.tiles, w.segments, t.end = w.tiles[:0], w.segments[:0], 0
}

// columns computes a block of columns for all collected tiles, most tiles in a call.
func (t *pairTiling) columns(cols, most int) {
	w, args := t.work, &t.work.args
	args.Cols, args.Mask = cols, [2]uintptr{pairMask(cols), pairMask(cols - asm.PairCols)}
	width, segment := roundUp(cols, asm.PairCols), 0
	for from := 0; from < len(w.tiles); from += most {
		tiles := w.tiles[from:min(from+most, len(w.tiles))]
		args.Tiles, args.N = unsafe.Pointer(&tiles[0]), len(tiles)
		args.Segments = unsafe.Pointer(&w.segments[segment])
		if cols < width && tilesOf[t.isa].whole {
			asm.PairsGo(&args.Pairs, width)
		} else {
			t.isa.pairs(t.height, width, &args.Pairs)
		}
		for _, tile := range tiles {
			segment += tile.Segments
		}
	}
}

// pairMask returns a bit for each of the first n columns of a group.
func pairMask(n int) uintptr { return 1<<min(max(n, 0), asm.PairCols) - 1 }

// pairHeights lists the heights of tiles of products of pairs, the tallest first. Instruction sets
// without such products take those of a matrix unit, for the Go loop.
func (isa ISA) pairHeights() []segmentCost {
	if p := tilesOf[isa].pairs; p != nil {
		return p
	}
	return tilesOf[AMX].pairs
}

// pairGroups returns how many groups of columns a product takes at once.
func (isa ISA) pairGroups() int { return max(tilesOf[isa].groups, 1) }

// pairCycles returns about how many cycles a tile of two groups of columns takes for each pair.
func (isa ISA) pairCycles() int { return max(tilesOf[isa].cycles, 1) }

// pairDot returns the arithmetic of products of pairs.
func (isa ISA) pairDot() asm.Dot { return tilesOf[isa].dot }
