package kernels

import (
	"fmt"
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A filtering is one of Winograd's minimal filterings F(m x m, 3x3) (Lavin and Gray, 2016). It
// turns tiles d of n x n pixels of the input, n = m + 2, into tiles Y of m x m pixels of the
// output:
//
//	Y = Aᵀ·[(G·g·Gᵀ) ∘ (Bᵀ·d·B)]·A.
//
// Over many tiles and channels, ∘ is n² matrix products. They take n²/(9·m²) of the
// multiplications of a direct convolution. The weight gradient is the adjoint, dg =
// Gᵀ·[(Bᵀ·d·B) ∘ (A·dY·Aᵀ)]·G.
type filtering struct {
	m, n                                   int
	input, output, pooled                  tileMatrix // Bᵀ; Aᵀ; Aᵀ and sums of 2x2 pixels
	outputAdjoint, weights, weightsAdjoint tileMatrix // A; G; Gᵀ
}

var (
	f4 = filtering{4, 6, matrixB4, matrixA4, matrixP4, matrixAT4, matrixG4, matrixGT4}
	f2 = filtering{2, 4, matrixB2, matrixA2, matrixP2, matrixAT2, matrixG2, matrixGT2}
)

// A planeSet is n² matrices, the planes, with rows of c elements. Plane p begins at p·stride, an
// odd number of cache lines: so the same row of different planes falls into different sets of the
// cache.
type planeSet struct {
	data      []float32
	c, stride int
}

// planeStride returns the distance between planes of size elements.
func planeStride(size int) int { return ((size+lineFloats-1)/lineFloats | 1) * lineFloats }

// split cuts n² planes off the front of buf, each of the given rows of c elements.
func (f *filtering) split(buf []float32, rows, c int) (p planeSet, rest []float32) {
	p = planeSet{c: c, stride: planeStride(rows * c)}
	n := f.planes() * p.stride
	p.data = buf[:n:n]
	return p, buf[n:]
}

// share makes two sets of planes, of c and d channels, in the same memory: plane p of the second
// set lies where plane p-1 of the first set lies. A product that goes from plane to plane may write
// the second set, because it has read that memory already.
func (f *filtering) share(s *Scratch, rows, c, d int) (p, q planeSet) {
	stride := planeStride(rows * max(c, d))
	buf := s.take((f.planes() + 1) * stride)
	return planeSet{data: buf[stride:], c: c, stride: stride}, planeSet{data: buf, c: d, stride: stride}
}

// row returns the address of a row.
func (p *planeSet) row(plane, row int) unsafe.Pointer {
	return unsafe.Pointer(&p.data[plane*p.stride+row*p.c])
}

// planes returns the number of matrix products, n².
func (f *filtering) planes() int { return f.n * f.n }

// idle reports whether a plane's product is zero, or is not used, when a map is read as its
// up-sampling or when 2x2 pixels of the result are summed. This holds for the row and the column of
// the point -1: row 2 of Bᵀ is zero on pairs of equal pixels (4b - 4b - c + c), and column 2 of
// the pooled Aᵀ is zero.
func (f *filtering) idle(plane int) bool { return plane/f.n == 2 || plane%f.n == 2 }

// transformed holds the weights G·g·Gᵀ, a panel for each plane: [n²][OC/cols][IC][cols].
type transformed struct {
	data   []float32
	ic, oc int
	cols   int
	plane  int // length of a plane
}

// pack transforms a weight [3][3][ic][oc].
func (u *transformed) pack(isa ISA, f *filtering, weight []float32, ic, oc int) {
	u.ic, u.oc, u.cols = ic, oc, isa.tileCols(oc)
	u.plane = planeStride(roundUp(oc, u.cols) * ic)
	if u.data == nil {
		u.data = aligned(f.planes() * u.plane)
	}
	tap := uintptr(4 * ic * oc)
	for j := 0; j < oc; j += u.cols {
		t := asm.Transform{
			Src: unsafe.Pointer(&weight[j]), SrcStep: uintptr(4 * oc), N: ic, Bytes: uintptr(4 * min(u.cols, oc-j)),
			Dst: unsafe.Pointer(&u.data[j*ic]), DstStep: uintptr(4 * u.cols),
			DstRow: uintptr(4 * f.n * u.plane), DstCol: uintptr(4 * u.plane),
		}
		for i := range 3 {
			t.SrcRow[i], t.SrcCol[i] = uintptr(3*i)*tap, uintptr(i)*tap
		}
		isa.transform(f.weights, &t)
	}
}

// rotate writes the weight of the input gradient into dst: the weight [3][3][ic][oc], turned by
// 180° and with its channels transposed to [oc][ic].
func rotate(dst, weight []float32, ic, oc int) {
	size := ic * oc
	for tap := range 9 {
		from, to := weight[tap*size:][:size], dst[(8-tap)*size:][:size]
		for i := range ic {
			for o, w := range from[i*oc:][:oc] {
				to[o*ic+i] = w
			}
		}
	}
}

// A tiling cuts the images of a batch into tiles, row by row.
type tiling struct {
	f          *filtering
	images     int
	h, w       int // pixels that the tiles cover
	rows, cols int // tiles
}

func newTiling(f *filtering, images, h, w int) tiling {
	return tiling{f: f, images: images, h: h, w: w, rows: (h + f.m - 1) / f.m, cols: (w + f.m - 1) / f.m}
}

func (t *tiling) count() int { return t.images * t.rows * t.cols }

// blockEnd returns the end of the block of tiles that begins at from.
func (t *tiling) blockEnd(from int) int {
	if t.count()-from <= mostTiles {
		return t.count()
	}
	return from + convolveBlock
}

// A run is count tiles side by side: of image n and tile row y, from tile column x on.
type run struct{ n, y, x, count int }

// next returns the run that begins with tile number at, and ends before tile number to.
func (t *tiling) next(at, to int) run {
	perImage := t.rows * t.cols
	in := at % perImage
	r := run{n: at / perImage, y: in / t.cols, x: in % t.cols}
	r.count = min(t.cols-r.x, to-at)
	return r
}

// gatherTiles transforms tiles [from, to) of x by the matrix of the input, into v. upsampled reads
// x as its nearest up-sampling by 2.
func (t *tiling) gatherTiles(isa ISA, v *planeSet, x Map, from, to int, upsampled bool) {
	var a asm.Transform
	scale := 1
	if upsampled {
		scale = 2
	}
	for i := range t.f.n {
		at := i
		if upsampled {
			at = (i + 1) / 2 // pixels -1, 0, 1, 2, 3, 4 show -1, 0, 0, 1, 1, 2
		}
		a.SrcRow[i], a.SrcCol[i] = uintptr(4*at*x.Row), uintptr(4*at*x.Pixel)
	}
	a.SrcStep = uintptr(4 * t.f.m / scale * x.Pixel)
	t.toPlanes(isa, t.f.input, &a, v, from, to, func(r run) unsafe.Pointer {
		return x.ptr(r.n, r.y*t.f.m/scale-1, r.x*t.f.m/scale-1)
	})
}

// scatterTiles transforms tiles [from, to) of dy by the adjoint of the matrix of the output, into
// d.
func (t *tiling) scatterTiles(isa ISA, d *planeSet, dy Map, from, to int) {
	var a asm.Transform
	for i := range t.f.m {
		a.SrcRow[i], a.SrcCol[i] = uintptr(4*i*dy.Row), uintptr(4*i*dy.Pixel)
	}
	a.SrcStep = uintptr(4 * t.f.m * dy.Pixel)
	t.toPlanes(isa, t.f.outputAdjoint, &a, d, from, to, func(r run) unsafe.Pointer {
		return dy.ptr(r.n, r.y*t.f.m, r.x*t.f.m)
	})
}

// toPlanes transforms tiles [from, to) into the first rows of the planes p; start returns the
// address of a run.
func (t *tiling) toPlanes(
	isa ISA, m tileMatrix, a *asm.Transform, p *planeSet, from, to int, start func(run) unsafe.Pointer,
) {
	a.Bytes, a.DstStep = uintptr(4*p.c), uintptr(4*p.c)
	a.DstRow, a.DstCol = uintptr(4*t.f.n*p.stride), uintptr(4*p.stride)
	for at := from; at < to; at += a.N {
		r := t.next(at, to)
		a.Src, a.Dst, a.N = start(r), p.row(0, at-from), r.count
		isa.transform(m, a)
	}
}

// multiply computes count rows of m = v·u for each plane. The bias goes to plane (1, 1): row 1 and
// column 1 of A are all ones, so the bias reaches each pixel of the result once. Idle planes of m
// become zero.
func (u *transformed) multiply(c *convolution, m, v *planeSet, count int) {
	isa, args := c.isa, &c.s.product
	*args = asm.Product{LdA: uintptr(4 * v.c), LdC: uintptr(4 * m.c), N2: 1, N1: 1, K: u.ic, Tiles: 1}
	for plane := range c.f.planes() {
		c.s.fetchAhead(isa)
		if (c.upsampled || c.pooled) && c.f.idle(plane) {
			clear(m.data[plane*m.stride:][:count*m.c])
			continue
		}
		args.Bias = nil
		for j := 0; j < u.oc; j += u.cols {
			args.B = unsafe.Pointer(&u.data[plane*u.plane+j*u.ic])
			if plane == c.f.n+1 && c.bias != nil {
				args.Bias = unsafe.Pointer(&c.bias[j])
			}
			for row := 0; row < count; {
				length := halfTile(isa, count-row)
				args.A0, args.A1 = v.row(plane, row), v.row(plane, row+length)
				args.C0 = unsafe.Add(m.row(plane, row), 4*j)
				args.C1 = unsafe.Add(m.row(plane, row+length), 4*j)
				args.Tiles = max((count-row)/(2*length), 1)
				args.TileA, args.TileC = uintptr(2*length)*args.LdA, uintptr(2*length)*args.LdC
				isa.product(length, u.cols, args)
				row += args.Tiles * 2 * length
			}
		}
	}
}

// halfTile returns half the height of the tile for the next rows: of the largest tile, unless a
// smaller tile takes all rows that are left.
func halfTile(isa ISA, left int) int {
	sizes := isa.segmentCosts()
	best := sizes[0].length
	for _, s := range sizes[1:] {
		if 2*s.length >= left {
			best = s.length
		}
	}
	return best
}

// A convolution holds the operands of a convolution by Winograd's filtering, forward or as an input
// gradient: out = conv(in) + bias.
type convolution struct {
	isa       ISA
	s         *Scratch
	f         *filtering
	out, in   Map
	bias      []float32 // padded to whole tiles, or nil
	upsampled bool      // whether in is read as its nearest up-sampling by 2
	pooled    bool      // whether 2x2 pixels of the result are summed
}

// convolve runs a convolution with the weights u, and adds the residual if it is not nil. The
// residual is not part of c because its address would escape to the heap with c's pointers.
func (u *transformed) convolve(c *convolution, residual *Map) {
	h, w := c.in.H, c.in.W
	if c.upsampled {
		h, w = 2*h, 2*w
	}
	t := newTiling(c.f, c.in.N, h, w)
	const rows = mostTiles + 2*maxSegment // the last tile of the product may reach beyond the block
	v, m := c.f.share(c.s, rows, u.ic, roundUp(u.oc, u.cols))
	for from, to := 0, 0; from < t.count(); from = to {
		to = t.blockEnd(from)
		t.gatherTiles(c.isa, &v, c.in, from, to, c.upsampled)
		u.multiply(c, &m, &v, to-from)
		t.finish(c, residual, &m, from, to)
	}
}

// bf16 returns the variant of a matrix that writes maps of bfloat16.
func (m tileMatrix) bf16() tileMatrix {
	switch m {
	case matrixA4:
		return matrixA4BF16
	case matrixA2:
		return matrixA2BF16
	case matrixP4:
		return matrixP4BF16
	case matrixP2:
		return matrixP2BF16
	}
	panic(fmt.Sprintf("kernels: matrix %d writes float32 alone", m))
}

// bytes is the size of an element of the destination.
func (m tileMatrix) bytes() int {
	switch m {
	case matrixA4BF16, matrixA2BF16, matrixP4BF16, matrixP2BF16:
		return BF16.Bytes()
	}
	return F32.Bytes()
}

// finish transforms the planes of tiles [from, to) to pixels, and adds the residual.
func (t *tiling) finish(c *convolution, residual *Map, m *planeSet, from, to int) {
	out, side, last := c.out, t.f.m, t.f.output
	if c.pooled {
		side, last = side/2, t.f.pooled
	}
	if out.Precision == BF16 {
		last = last.bf16()
	}
	a := asm.Transform{
		SrcStep: uintptr(4 * m.c), Bytes: out.bytes(out.C),
		DstRow: out.bytes(out.Row), DstCol: out.bytes(out.Pixel), DstStep: out.bytes(side * out.Pixel),
	}
	for i := range t.f.n {
		a.SrcRow[i], a.SrcCol[i] = uintptr(4*i*t.f.n*m.stride), uintptr(4*i*m.stride)
	}
	if residual != nil {
		a.AddRow, a.AddCol = residual.bytes(residual.Row), residual.bytes(residual.Pixel)
		a.AddStep = residual.bytes(side * residual.Pixel)
	}
	for at := from; at < to; at += a.N {
		r := t.next(at, to)
		whole := out.W/side - r.x // tiles that the edge does not cut
		a.N, a.Rows, a.Cols = min(r.count, whole), min(side, out.H-r.y*side), side
		if whole == 0 {
			a.N, a.Cols = 1, out.W-r.x*side
		}
		a.Src, a.Dst = m.row(0, at-from), out.ptr(r.n, r.y*side, r.x*side)
		if residual != nil {
			a.Add = residual.ptr(r.n, r.y*side, r.x*side)
		}
		c.isa.transform(last, &a)
	}
}

// winogradWeightGrad adds the planes of the weight gradient, [x.C][dy.C] each, to the sum.
// upsampled reads x as its nearest up-sampling by 2.
func winogradWeightGrad(isa ISA, s *Scratch, f *filtering, sum *WeightSum, x, dy Map, upsampled bool) {
	block := weightGradBlock(x.C + dy.C)
	t := newTiling(f, dy.N, dy.H, dy.W)
	if size := f.planes() * planeStride(x.C*dy.C); len(sum.data) < size {
		sum.data = aligned(size)
	}
	sum.planes, _ = f.split(sum.data, x.C, dy.C)
	buf := s.take(f.planes()*(planeStride(block*x.C)+planeStride(block*dy.C)) + slack)
	v, buf := f.split(buf, block, x.C)
	d, _ := f.split(buf, block, dy.C)
	for from := 0; from < t.count(); from += block {
		to := min(from+block, t.count())
		t.gatherTiles(isa, &v, x, from, to, upsampled)
		t.scatterTiles(isa, &d, dy, from, to)
		for p := range f.planes() {
			s.fetchAhead(isa)
			if upsampled && f.idle(p) {
				if !sum.begun {
					clear(sum.planes.data[p*sum.planes.stride:][:x.C*dy.C])
				}
				continue
			}
			addOuter(isa, s, &sum.planes, &v, &d, p, to-from, !sum.begun)
		}
		sum.begun = true
	}
}

// addWeightGrad transforms planes of size elements to the weight gradient, [3][3][size], and adds
// it to dw.
func (f *filtering) addWeightGrad(isa ISA, dw []float32, du *planeSet, size int) {
	for at := 0; at < size; at += weightGradPiece {
		a := asm.Transform{
			Src: unsafe.Pointer(&du.data[at]), Dst: unsafe.Pointer(&dw[at]),
			Bytes: uintptr(4 * min(weightGradPiece, size-at)), N: 1,
		}
		for i := range f.n {
			a.SrcRow[i], a.SrcCol[i] = uintptr(4*i*f.n*du.stride), uintptr(4*i*du.stride)
		}
		a.DstRow, a.DstCol = uintptr(4*3*size), uintptr(4*size)
		isa.transform(f.weightsAdjoint, &a)
	}
}

// addOuter adds Σ v·dᵀ over the first count rows of a plane to that plane of du, or sets the
// plane.
func addOuter(isa ISA, s *Scratch, du, v, d *planeSet, plane, count int, set bool) {
	args := &s.outer
	*args = asm.Outer{LdA: uintptr(4 * v.c), LdB: uintptr(4 * d.c), N0: count, N1: 1, N2: 1, LdC: uintptr(4 * du.c)}
	if set {
		args.Set = 1
	}
	a, b := v.row(plane, 0), d.row(plane, 0)
	for j := 0; j < d.c; {
		width := isa.tileCols(d.c - j)
		args.B = unsafe.Add(b, 4*j)
		for i := 0; i < v.c; {
			rows := fitting(isa.outerRows(), v.c-i)
			args.A, args.C = unsafe.Add(a, 4*i), unsafe.Add(du.row(plane, i), 4*j)
			isa.outer(rows, width, args)
			i += rows
		}
		j += width
	}
}
