package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// This file makes the weight gradient of products of pairs: dw[tap][i][o] = Σ x[p+tap][i]·dy[p][o]
// over places p. The sum runs along the rows of A, so x is transposed to planes, a row of places
// for each channel; a tap is then an offset into the rows. B is dy as pairs of places.
//
// The planes hold lines of places, each with one place more than dy has, and images with one line
// more. There dy is zero in B. In x these are the halo on the left and above; the halo on the right
// of a line is that on the left of the next one.

// A placement says where the places of a block lie in the rows of A and in the columns of B.
type placement struct {
	n, images int // images [n, n+images) of the batch
	y, lines  int // lines [y, y+lines) of each
	w         int // places of a line that dy has
	pitch     int // places between two lines, which is even
	extra     int // lines of an image, and places of a line, that dy lacks
	sum       int // places of all images, a multiple of 2·PairUnit
}

func (p placement) perImage() int { return (p.lines + p.extra) * p.pitch }

// pairWeightGrad adds the weight gradient of maps in bfloat16.
func (c *Conv) pairWeightGrad(s *Scratch, dw []float32, x, dy Map) {
	if c.Kind == Point && x.isContiguous() && dy.isContiguous() {
		c.lineWeightGrad(s, dw, x, dy)
		return
	}
	out := c.forward[0].output(dy)
	p := placement{w: out.w}
	if c.Kind != Point {
		p.extra = 1
	}
	p.pitch = roundUp(out.w+p.extra, 2)
	most := pairBlock(c.IC + c.OC)
	lines := min(max(most/p.pitch-p.extra, 1), out.h)
	images := 1
	if lines == out.h {
		images = max(most/((out.h+p.extra)*p.pitch), 1)
	}
	for p.n = 0; p.n < x.N; p.n += images {
		for p.y = 0; p.y < out.h; p.y += lines {
			p.images, p.lines = min(images, x.N-p.n), min(lines, out.h-p.y)
			c.blockWeightGrad(s, p, dw, x, dy)
		}
	}
}

// lineWeightGrad adds the weight gradient of maps whose pixels lie at equal distances, in pieces of
// one long line.
func (c *Conv) lineWeightGrad(s *Scratch, dw []float32, x, dy Map) {
	pixels, most := x.N*x.H*x.W, pairBlock(c.IC+c.OC)
	for from := 0; from < pixels; from += most {
		n := min(most, pixels-from)
		p := placement{images: 1, lines: 1, w: n, pitch: roundUp(n, 2)}
		c.blockWeightGrad(s, p, dw, x.stretch(from, n), dy.stretch(from, n))
	}
}

// isContiguous reports whether all pixels lie at equal distances.
func (m Map) isContiguous() bool { return m.Row == m.W*m.Pixel && m.Image == m.H*m.Row }

// stretch returns n pixels of a contiguous map, counted over all lines and images, as a line.
func (m Map) stretch(from, n int) Map {
	m.base += from * m.Pixel
	m.N, m.H, m.W, m.Row, m.Image = 1, 1, n, n*m.Pixel, n*m.Pixel
	return m
}

// blockWeightGrad adds the part of a block of lines.
func (c *Conv) blockWeightGrad(s *Scratch, p placement, dw []float32, x, dy Map) {
	p.sum = roundUp(p.images*p.perImage(), 2*asm.PairUnit)
	stride := c.forward[0].rows.stride
	for class := range stride * stride {
		row, col := class/stride, class%stride
		ld := c.turnPlanes(&s.pairs, p, x, row, col)
		for i := range c.forward {
			f := &c.forward[i]
			if class == 0 || len(c.forward) > 1 {
				g := f.output(dy)
				c.pairPlaces(&s.pairs, p, &g)
			}
			for tap, sources := range f.taps {
				ty, tx := f.position(tap)
				if ty%stride == row && tx%stride == col {
					offset := ty/stride*p.pitch + tx/stride
					c.addPairTap(s, p, dw, sources, unsafe.Add(unsafe.Pointer(&s.pairs.left[0]), 2*offset), ld)
				}
			}
		}
	}
}

// position returns the row and column of a tap in the window of all taps of the kind.
func (p *phase) position(tap int) (y, x int) {
	width := len(p.cols.taps)
	if len(p.rows.taps) == 1 { // Point
		return 0, 0
	}
	return p.rows.first + 1 + tap/width, p.cols.first + 1 + tap%width
}

// turnPlanes writes the planes of x: the places (row + stride·i, col + stride·j) of the window of
// all taps. It returns the distance between two planes in bytes.
func (c *Conv) turnPlanes(w *pairWork, p placement, x Map, row, col int) uintptr {
	stride := forwardAxes[c.Kind][0].stride
	reach, right := 0, 0 // the last line and column of a window
	g := grid{m: x, dy: stride, dx: stride}
	if c.Kind != Point {
		reach, right = (2-row)/stride, (2-col)/stride
		g.y0, g.x0 = row-1, col-1
	}
	places := roundUp(p.sum+reach*(p.pitch+1), 2*asm.PairUnit)
	groups := (x.C + asm.PairCols - 1) / asm.PairCols
	ld := (places*2/lineBytes | 1) * lineBytes
	w.pairs = grown(w.pairs, groups*asm.PairCols*places/2)
	w.left = grown(w.left, groups*asm.PairCols*ld/4)
	pixels := p.w + min(p.extra, right)
	w.interleavePlaces(c.ISA, p, &g, unsafe.Pointer(&w.pairs[0]), places, pixels, reach)
	for i := range groups {
		w.turn = asm.Turn{
			Src: unsafe.Pointer(&w.pairs[i*asm.PairCols*places/2]), LdSrc: 4 * asm.PairCols,
			Dst: unsafe.Pointer(&w.left[i*asm.PairCols*ld/4]), LdDst: uintptr(ld),
			Blocks: places / (2 * asm.PairUnit),
		}
		c.ISA.turn(&w.turn)
	}
	return uintptr(ld)
}

// grown returns x, or where x is shorter a new slice, of n elements.
func grown(x []float32, n int) []float32 {
	if len(x) < n {
		return aligned(n)
	}
	return x
}

// pairPlaces writes dy as pairs of places.
func (c *Conv) pairPlaces(w *pairWork, p placement, dy *grid) {
	w.right.reshape(p.sum, c.OC)
	w.interleavePlaces(c.ISA, p, dy, unsafe.Pointer(&w.right.data[0]), p.sum, p.w, 0)
}

// interleavePlaces writes the places of a grid as pairs, in groups of channels, into memory for the
// given number of places. It reads the first pixels of each line, and as many lines as p has and
// reach more; other places become zero.
func (w *pairWork) interleavePlaces(isa ISA, p placement, g *grid, dst unsafe.Pointer, places, pixels, reach int) {
	const pairBytes = 4 * asm.PairCols
	groups, steps := (g.m.C+asm.PairCols-1)/asm.PairCols, g.steps()
	args := &w.interleave
	*args = asm.Interleave{
		LdSrc: steps.place, LineSrc: steps.line, Group: uintptr(places / 2 * pairBytes),
		C: g.m.C, Last: pairMask(g.m.C - (groups-1)*asm.PairCols),
	}
	at := 0 // the present place
	write := func(n, lines, pixels, length int) {
		if lines*length == 0 {
			return
		}
		args.Src, args.Dst = g.ptr(n, p.y, 0), unsafe.Add(dst, at/2*pairBytes)
		args.Lines, args.Pixels, args.Pairs, args.Rest = lines, pixels, length/2, length/2-(pixels+1)/2
		if args.C%asm.PairCols != 0 && tilesOf[isa].whole {
			asm.InterleaveGo(args)
		} else {
			isa.interleave(args)
		}
		at += lines * length
	}
	for k := range p.images {
		lines := p.lines + reach
		if k < p.images-1 {
			lines = p.lines + min(reach, p.extra)
		}
		write(p.n+k, lines, pixels, p.pitch)
		if next := (k + 1) * p.perImage(); next > at {
			write(p.n, 1, 0, next-at)
		}
	}
	write(p.n, 1, 0, places-at)
}

// addPairTap adds the gradient of a tap, whose places begin at a in the first plane, to the
// gradients of the weights that the tap sums.
func (c *Conv) addPairTap(s *Scratch, p placement, dw []float32, sources []int, a unsafe.Pointer, ld uintptr) {
	size := c.IC * c.OC
	sum := pairSum{a: a, ld: ld, row: uintptr(4 * c.OC)}
	if len(sources) == 1 {
		sum.c, sum.add = unsafe.Pointer(&dw[sources[0]*size]), true
		c.sumPairs(s, p, sum)
		return
	}
	result := s.take(size)
	sum.c = unsafe.Pointer(&result[0])
	c.sumPairs(s, p, sum)
	for _, source := range sources {
		c.ISA.Add(dw[source*size:][:size], result)
	}
}

// A pairSum is a sum over places: the rows of A begin at a, ld bytes apart, and those of the result
// at c, row bytes apart.
type pairSum struct {
	a   unsafe.Pointer
	ld  uintptr
	c   unsafe.Pointer
	row uintptr
	add bool // to what the result holds
}

// sumPairs multiplies IC rows of planes with the places that are paired.
func (c *Conv) sumPairs(s *Scratch, p placement, sum pairSum) {
	args := s.pairs.begin(c.dot)
	args.A, args.LdA, args.C, args.Wide = sum.a, sum.ld, sum.c, 1
	args.N2, args.N1, args.Unit = 1, 1, asm.PairUnit
	args.Inner, args.Blocks = p.sum/2, p.sum/2/asm.PairUnit
	row := strides{place: sum.row}
	g := pairGrid{n: 1, h: 1, w: c.IC, a: strides{place: sum.ld}, c: row, r: row}
	if sum.add {
		args.R = args.C
	}
	g.multiply(c.ISA, &s.pairs, &s.pairs.right, nil)
}
