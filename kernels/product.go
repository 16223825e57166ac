package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A Scratch is the working memory of one goroutine's kernels. The zero value is ready; it grows to
// the size that the largest operation needs, and is then reused.
type Scratch struct {
	tile   [maxTile]float32 // a tile of which some columns or rows are not wanted
	floats []float32
	maps   [wideMaps][]float32 // the memory of maps in another precision
	sum    WeightSum
	ahead  ahead
	// Attention's working memory.
	attention attentionWork
	// The arguments of the assembly are here so that no call allocates them.
	product asm.Product
	outer   asm.Outer
	fetch   asm.Fetch
	pairs   pairWork
}

// take returns n floats of unknown content from the beginning of a cache line, valid until the next
// call.
func (s *Scratch) take(n int) []float32 {
	if cap(s.floats) < n+slack {
		s.floats = aligned(n + slack)
	}
	return s.floats[:n]
}

// A panel is a matrix of k rows and n columns as the tiles of the matrix product read it:
// [n/cols][k][cols], the last columns padded with zeros.
type panel struct {
	data    []float32
	k, n    int
	cols    int
	reserve []float32 // the memory of data, as allocated
}

// reshape makes room for k rows and n columns. The content is unknown; only the padding of a new
// panel is zero.
func (p *panel) reshape(isa ISA, k, n int) {
	cols := isa.tileCols(n)
	size := (n + cols - 1) / cols * k * cols
	if len(p.reserve) < size {
		p.reserve = aligned(size)
	}
	p.data, p.k, p.n, p.cols = p.reserve[:size], k, n, cols
}

// setRows writes m, rows of n elements, into the rows of the panel from first on, or adds m to
// them.
func (p *panel) setRows(first int, m []float32, add bool) {
	for j := 0; j < p.n; j += p.cols {
		width := min(p.cols, p.n-j)
		for i := 0; i < len(m)/p.n; i++ {
			row, part := m[i*p.n+j:][:width], p.data[j*p.k+(first+i)*p.cols:][:width]
			if !add {
				copy(part, row)
				continue
			}
			for c, v := range row {
				part[c] += v
			}
		}
	}
}

// setColumns writes the transpose of m, rows of k elements, into rows [first, first+k) of the
// panel, or adds it to them.
func (p *panel) setColumns(first int, m []float32, k int, add bool) {
	for j := 0; j < p.n; j += p.cols {
		block := p.data[j*p.k+first*p.cols:][:k*p.cols]
		for c := range min(p.cols, p.n-j) {
			row := m[(j+c)*k:][:k]
			if add {
				for i, v := range row {
					block[i*p.cols+c] += v
				}
				continue
			}
			for i, v := range row {
				block[i*p.cols+c] = v
			}
		}
	}
}

// A grid is a regular set of pixels of a map: place (i, j) is the pixel (y0+i·dy, x0+j·dx), which
// may lie in the halo.
type grid struct {
	m      Map
	y0, x0 int
	dy, dx int
	h, w   int
}

func (g *grid) ptr(n, i, j int) unsafe.Pointer { return g.m.ptr(n, g.y0+i*g.dy, g.x0+j*g.dx) }

// pixelStep and rowStep are the distances between neighbouring places in bytes.
func (g *grid) pixelStep() uintptr { return uintptr(4 * g.dx * g.m.Pixel) }
func (g *grid) rowStep() uintptr   { return uintptr(4 * g.dy * g.m.Row) }

// all returns the grid of all pixels of a map.
func all(m Map) grid { return grid{m: m, dy: 1, dx: 1, h: m.H, w: m.W} }

// A window is the h rows of w neighbouring pixels of the input that a pixel of the output sums
// over.
type window struct{ h, w int }

// A gather is a matrix product out = in·b + bias + residual. A row of the product is a pixel of
// the grid out; its factor is the window of pixels that begins at the same place of the grid in.
type gather struct {
	in       grid
	win      window
	b        *panel
	bias     []float32 // padded to whole tiles, or nil
	add      bool      // whether there is a residual
	residual grid
	out      grid
}

// run computes the product, one block of images after another.
func (g *gather) run(isa ISA, s *Scratch) {
	images := g.out.m.N
	block := max(gatherPixels/max(g.out.h*g.out.w, 1), 1)
	args := &s.product
	*args = asm.Product{
		LdA: g.in.pixelStep(), LdC: g.out.pixelStep(),
		N2: g.win.h, N1: g.win.w, K: g.in.m.C, Fetch: 1, Tiles: 1,
	}
	if g.in.m.Pixel == g.in.m.C || g.win.w == 1 { // the elements of a window's row lie side by side
		args.K, args.N1 = g.in.m.C*g.win.w, 1
	}
	if args.N1 > 1 {
		args.Step1 = uintptr(4 * (g.in.m.Pixel - args.K))
	}
	args.Step2 = uintptr(4*(g.in.m.Row-args.N1*args.K) - args.N1*int(args.Step1))
	if g.add {
		args.LdR = g.residual.pixelStep()
	}
	for n := 0; n < images; n += block {
		for j := 0; j < g.b.n; j += g.b.cols {
			args.B = unsafe.Pointer(&g.b.data[j*g.b.k])
			args.Bias = nil
			if g.bias != nil {
				args.Bias = unsafe.Pointer(&g.bias[j])
			}
			g.columns(isa, s, n, min(n+block, images), j)
		}
	}
}

// columns computes the columns of one tile, from j on, for images [from, to). Each row of pixels is
// cut into the same segments. Two segments of the same length make a tile; they are paired in
// order, across rows and images.
func (g *gather) columns(isa ISA, s *Scratch, from, to, j int) {
	counts := cut(isa, g.out.w)
	x := 0
	for i, seg := range isa.segmentCosts() {
		var first place
		waiting := false
		for n := from; n < to; n++ {
			for y := range g.out.h {
				next, left := place{n, y, x}, counts[i]
				if waiting && left > 0 {
					g.tiles(isa, s, seg.length, j, 1, first, next)
					next, left, waiting = next.right(seg.length), left-1, false
				}
				if left > 1 {
					g.tiles(isa, s, seg.length, j, left/2, next, next.right(seg.length))
					next = next.right(left / 2 * 2 * seg.length)
				}
				if left%2 == 1 {
					first, waiting = next, true
				}
			}
		}
		if waiting {
			g.alone(isa, s, seg.length, j, first)
		}
		x += counts[i] * seg.length
	}
}

// A place is a pixel of a grid: image n, row i, column j.
type place struct{ n, i, j int }

// right returns the place some pixels to the right.
func (p place) right(pixels int) place { return place{p.n, p.i, p.j + pixels} }

// tiles computes count pairs of segments side by side. The first pair begins at a and b.
func (g *gather) tiles(isa ISA, s *Scratch, length, j, count int, a, b place) {
	args := &s.product
	if g.b.n-j < g.b.cols {
		for range count {
			args.A0, args.A1 = g.in.ptr(a.n, a.i, a.j), g.in.ptr(b.n, b.i, b.j)
			g.partial(isa, s, length, j, a, b, 2)
			a, b = a.right(2*length), b.right(2*length)
		}
		return
	}
	shift, pair := 4*j, uintptr(2*length)
	args.Tiles, args.TileA, args.TileC, args.TileR = count, pair*args.LdA, pair*args.LdC, pair*args.LdR
	args.A0, args.A1 = g.in.ptr(a.n, a.i, a.j), g.in.ptr(b.n, b.i, b.j)
	args.C0 = unsafe.Add(g.out.ptr(a.n, a.i, a.j), shift)
	args.C1 = unsafe.Add(g.out.ptr(b.n, b.i, b.j), shift)
	if g.add {
		args.R0 = unsafe.Add(g.residual.ptr(a.n, a.i, a.j), shift)
		args.R1 = unsafe.Add(g.residual.ptr(b.n, b.i, b.j), shift)
	}
	isa.product(length, g.b.cols, args)
}

// alone computes a segment that has no partner.
func (g *gather) alone(isa ISA, s *Scratch, length, j int, a place) {
	args := &s.product
	args.A0 = g.in.ptr(a.n, a.i, a.j)
	args.A1 = args.A0
	g.partial(isa, s, length, j, a, a, 1)
}

// partial computes a tile into scratch memory, and copies the columns that the matrix has, of one
// segment or of both.
func (g *gather) partial(isa ISA, s *Scratch, length, j int, a, b place, segments int) {
	cols := g.b.cols
	args, full := &s.product, s.product.LdC
	args.Tiles = 1
	args.C0, args.C1 = unsafe.Pointer(&s.tile[0]), unsafe.Pointer(&s.tile[length*cols])
	args.LdC, args.R0, args.R1 = uintptr(4*cols), nil, nil
	isa.product(length, cols, args)
	args.LdC = full
	wanted := min(g.b.n-j, cols)
	for k := range segments {
		p := a
		if k == 1 {
			p = b
		}
		for i := range length {
			at := (k*length + i) * cols
			row := s.tile[at : at+wanted]
			if g.add {
				r := unsafe.Slice((*float32)(g.residual.ptr(p.n, p.i, p.j+i)), j+wanted)[j:]
				for c := range row {
					row[c] += r[c]
				}
			}
			copy(unsafe.Slice((*float32)(g.out.ptr(p.n, p.i, p.j+i)), j+wanted)[j:], row)
		}
	}
}

// cut divides a row of w pixels into segments at the least cost. It returns how many segments there
// are of each length.
func cut(isa ISA, w int) [maxSegments]int {
	costs := isa.segmentCosts()
	longest := costs[0].length
	var counts [maxSegments]int
	const table = 64
	if w >= table { // a long row begins with segments of the greatest length
		counts[0] = (w - table/2) / longest
		w -= counts[0] * longest
	}
	var cost [table]int
	var last [table]uint8
	for i := 1; i <= w; i++ {
		cost[i] = 1 << 30
		for k, seg := range costs {
			if seg.length <= i && cost[i-seg.length]+seg.cost < cost[i] {
				cost[i], last[i] = cost[i-seg.length]+seg.cost, uint8(k)
			}
		}
	}
	for w > 0 {
		k := last[w]
		counts[k]++
		w -= costs[k].length
	}
	return counts
}
