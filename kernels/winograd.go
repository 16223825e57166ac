package kernels

import (
	"unsafe"

	"github.com/fmimg/fmimg/asm"
)

// A filtering is one of Winograd's minimal filterings F(m x m, 3x3) (Lavin and Gray, 2016): tiles of
// n x n pixels, n = m + 2, of the input become n² matrix products and then m x m pixels of the output,
//
//	Y = Aᵀ·[(G·g·Gᵀ) ∘ (Bᵀ·d·B)]·A,
//
// with n²/(9·m²) of the multiplications of a direct convolution. The weight gradient is the adjoint,
// dg = Gᵀ·[(Bᵀ·d·B) ∘ (A·dY·Aᵀ)]·G.
type filtering struct {
	m, n                                   int
	input, output, pooled                  tileMatrix // Bᵀ; Aᵀ; Aᵀ and then sums of 2x2 pixels
	outputAdjoint, weights, weightsAdjoint tileMatrix // A; G; Gᵀ
}

var (
	f4 = filtering{4, 6, matrixB4, matrixA4, matrixP4, matrixAT4, matrixG4, matrixGT4}
	f2 = filtering{2, 4, matrixB2, matrixA2, matrixP2, matrixAT2, matrixG2, matrixGT2}
)

// winogradBlock is how many tiles are transformed before their matrix products are computed: some
// 28 · 36 · (32 + 32) floats, which stay in the second-level cache. It is a constant, not a size of
// this machine's cache, so that the same instruction set gives the same numbers everywhere.
const winogradBlock = 28

// planes returns the number of matrix products, n².
func (f *filtering) planes() int { return f.n * f.n }

// transformed is a set of weights G·g·Gᵀ, as a panel for each plane: [n²][OC/cols][IC][cols].
type transformed struct {
	data   []float32
	ic, oc int
	cols   int
	plane  int // length of a plane
}

// pack transforms a weight [3][3][ic][oc].
func (u *transformed) pack(isa ISA, f *filtering, weight []float32, ic, oc int) {
	u.ic, u.oc, u.cols = ic, oc, isa.panelCols(oc)
	u.plane = roundUp(oc, u.cols) * ic
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

// rotate writes the weight of the input gradient, [3][3][oc][ic] turned by 180°, into dst.
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

// A tiling walks over the tiles of a batch of images, row by row. Reading through it, a map may be
// taken for its nearest up-sampling by 2.
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

// A run is some tiles side by side: those of image n and tile row y from column x on.
type run struct{ n, y, x, count int }

// runs calls f for the runs of tiles [from, to), with the number of tiles before them.
func (t *tiling) next(at, to int) run {
	perImage := t.rows * t.cols
	in := at % perImage
	r := run{n: at / perImage, y: in / t.cols, x: in % t.cols}
	r.count = min(t.cols-r.x, to-at)
	return r
}

// gatherTiles transforms tiles [from, to) of x by the matrix of the input to v, [n²][winogradBlock][C].
func (t *tiling) gatherTiles(isa ISA, v []float32, x Map, from, to int, upsampled bool) {
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
	t.toPlanes(isa, t.f.input, &a, v, x.C, from, to, func(r run) unsafe.Pointer {
		return x.ptr(r.n, r.y*t.f.m/scale-1, r.x*t.f.m/scale-1)
	})
}

// scatterTiles transforms tiles [from, to) of dy by the adjoint of the matrix of the output to
// d, [n²][winogradBlock][C].
func (t *tiling) scatterTiles(isa ISA, d []float32, dy Map, from, to int) {
	var a asm.Transform
	for i := range t.f.m {
		a.SrcRow[i], a.SrcCol[i] = uintptr(4*i*dy.Row), uintptr(4*i*dy.Pixel)
	}
	a.SrcStep = uintptr(4 * t.f.m * dy.Pixel)
	t.toPlanes(isa, t.f.outputAdjoint, &a, d, dy.C, from, to, func(r run) unsafe.Pointer {
		return dy.ptr(r.n, r.y*t.f.m, r.x*t.f.m)
	})
}

// toPlanes runs a transform over tiles [from, to), whose runs begin at start, to planes.
func (t *tiling) toPlanes(isa ISA, m tileMatrix, a *asm.Transform, planes []float32, c, from, to int, start func(run) unsafe.Pointer) {
	plane := uintptr(4 * winogradBlock * c)
	a.Bytes, a.DstStep = uintptr(4*c), uintptr(4*c)
	a.DstRow, a.DstCol = uintptr(t.f.n)*plane, plane
	for at := from; at < to; at += a.N {
		r := t.next(at, to)
		a.Src, a.Dst, a.N = start(r), unsafe.Pointer(&planes[(at-from)*c]), r.count
		isa.transform(m, a)
	}
}

// multiply computes m = v·u for each plane, [n²][winogradBlock][OC] of which count rows are wanted;
// rows of m are as long as the panels' columns.
func (u *transformed) multiply(isa ISA, s *Scratch, f *filtering, m, v []float32, count int) {
	width := roundUp(u.oc, u.cols)
	args := &s.product
	*args = asm.Product{LdA: uintptr(4 * u.ic), LdC: uintptr(4 * width), N2: 1, N1: 1, K: u.ic}
	for plane := range f.planes() {
		a, c, b := plane*winogradBlock*u.ic, plane*winogradBlock*width, plane*u.plane
		for j := 0; j < u.oc; j += u.cols {
			args.B = unsafe.Pointer(&u.data[b+j*u.ic])
			for row := 0; row < count; {
				length := halfTile(isa, count-row)
				args.A0, args.A1 = unsafe.Pointer(&v[a+row*u.ic]), unsafe.Pointer(&v[a+(row+length)*u.ic])
				args.C0, args.C1 = unsafe.Pointer(&m[c+row*width+j]), unsafe.Pointer(&m[c+(row+length)*width+j])
				isa.product(length, u.cols, args)
				row += 2 * length
			}
		}
	}
}

// halfTile returns half the height of the tile for the next rows: the largest, unless a smaller one
// takes all that are left.
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

// convolve computes out = conv(in) + bias + residual by Winograd's filtering, forward or as an input
// gradient. upsampled reads in as its nearest up-sampling; pooled sums 2x2 pixels of the result.
func (u *transformed) convolve(isa ISA, s *Scratch, f *filtering, out, in Map, bias []float32, residual *Map, upsampled, pooled bool) {
	h, w := in.H, in.W
	if upsampled {
		h, w = 2*h, 2*w
	}
	t := newTiling(f, in.N, h, w)
	rows := winogradBlock + 2*maxSegment // the last tile of rows may reach beyond the block
	width := roundUp(u.oc, u.cols)
	buf := s.take(f.planes()*winogradBlock*(u.ic+width) + rows*(u.ic+width))
	v, m := buf[:f.planes()*winogradBlock*u.ic+rows*u.ic], buf[f.planes()*winogradBlock*u.ic+rows*u.ic:]
	for from := 0; from < t.count(); from += winogradBlock {
		to := min(from+winogradBlock, t.count())
		t.gatherTiles(isa, v, in, from, to, upsampled)
		u.multiply(isa, s, f, m, v, to-from)
		t.finish(isa, out, m, width, from, to, bias, residual, pooled)
	}
}

// maxSegment is the longest half of a tile of rows.
const maxSegment = 7

// finish transforms the planes of tiles [from, to) to pixels, and adds bias and residual.
func (t *tiling) finish(isa ISA, out Map, m []float32, width, from, to int, bias []float32, residual *Map, pooled bool) {
	side, last := t.f.m, t.f.output
	if pooled {
		side, last = side/2, t.f.pooled
	}
	plane := uintptr(4 * winogradBlock * width)
	a := asm.Transform{
		SrcStep: uintptr(4 * width), Bytes: uintptr(4 * out.C),
		DstRow: uintptr(4 * out.Row), DstCol: uintptr(4 * out.Pixel), DstStep: uintptr(4 * side * out.Pixel),
	}
	for i := range t.f.n {
		a.SrcRow[i], a.SrcCol[i] = uintptr(i*t.f.n)*plane, uintptr(i)*plane
	}
	if bias != nil {
		a.Bias = unsafe.Pointer(&bias[0])
	}
	if residual != nil {
		a.AddRow, a.AddCol, a.AddStep = uintptr(4*residual.Row), uintptr(4*residual.Pixel), uintptr(4*side*residual.Pixel)
	}
	for at := from; at < to; at += a.N {
		r := t.next(at, to)
		whole := out.W/side - r.x // tiles before one that the edge cuts
		a.N, a.Rows, a.Cols = min(r.count, whole), min(side, out.H-r.y*side), side
		if whole == 0 {
			a.N, a.Cols = 1, out.W-r.x*side
		}
		a.Src, a.Dst = unsafe.Pointer(&m[(at-from)*width]), out.ptr(r.n, r.y*side, r.x*side)
		if residual != nil {
			a.Add = residual.ptr(r.n, r.y*side, r.x*side)
		}
		isa.transform(last, &a)
	}
}

// winogradWeightGrad adds the weight gradient, [3][3][C of x][C of dy], to dw. upsampled reads x as its
// nearest up-sampling.
func winogradWeightGrad(isa ISA, s *Scratch, f *filtering, dw []float32, x, dy Map, upsampled bool) {
	t := newTiling(f, dy.N, dy.H, dy.W)
	plane, planes := x.C*dy.C, f.planes()
	buf := s.take(planes*(plane+winogradBlock*(x.C+dy.C)) + slack)
	du, v, d := buf[:planes*plane], buf[planes*plane:][:planes*winogradBlock*x.C], buf[planes*(plane+winogradBlock*x.C):]
	clear(du)
	for from := 0; from < t.count(); from += winogradBlock {
		to := min(from+winogradBlock, t.count())
		t.gatherTiles(isa, v, x, from, to, upsampled)
		t.scatterTiles(isa, d, dy, from, to)
		for p := range planes {
			addOuter(isa, s, du[p*plane:][:plane], v[p*winogradBlock*x.C:], d[p*winogradBlock*dy.C:], x.C, dy.C, to-from)
		}
	}
	// A call handles one line of output channels after another and is bounded to some 50 µs.
	const lines = 4096
	for at := 0; at < plane; at += lines {
		a := asm.Transform{Src: unsafe.Pointer(&du[at]), Dst: unsafe.Pointer(&dw[at]), Bytes: uintptr(4 * min(lines, plane-at)), N: 1}
		for i := range f.n {
			a.SrcRow[i], a.SrcCol[i] = uintptr(4*i*f.n*plane), uintptr(4*i*plane)
		}
		a.DstRow, a.DstCol = uintptr(4*3*plane), uintptr(4*plane)
		isa.transform(f.weightsAdjoint, &a)
	}
}

// addOuter adds Σ v·dᵀ over count rows v of m and d of n elements to dst, [m][n].
func addOuter(isa ISA, s *Scratch, dst, v, d []float32, m, n, count int) {
	args := &s.outer
	*args = asm.Outer{LdA: uintptr(4 * m), LdB: uintptr(4 * n), N0: count, N1: 1, N2: 1, LdC: uintptr(4 * n)}
	for j := 0; j < n; {
		width := isa.outerCols(n - j)
		args.B = unsafe.Pointer(&d[j])
		for i := 0; i < m; {
			rows := fitting(isa.outerRows(), m-i)
			args.A, args.C = unsafe.Pointer(&v[i]), unsafe.Pointer(&dst[i*n+j])
			isa.outer(rows, width, args)
			i += rows
		}
		j += width
	}
}
