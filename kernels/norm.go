package kernels

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/asm"
)

// A GroupNorm normalises each image over its pixels and the channels of a group (Wu and He, 2018):
// x̂ = (x - mean)/√(variance + eps), y = act(x̂·g + b). Here g = γ·(1 + scale), b = β·(1 +
// scale) + shift, and act is SiLU or nothing. scale and shift come from an embedding; without one
// they are 0.
type GroupNorm struct {
	ISA    ISA
	C      int // channels
	Groups int // divides C
	SiLU   bool
	// Epsilon is eps; 0 means NormEpsilon.
	Epsilon float64
}

// NormEpsilon is PyTorch's default for group norm.
const NormEpsilon = 1e-5

// A Modulation is the effect of an embedding on a norm: row n of Rows holds the scale and then the
// shift of the C channels of image n. The zero value has no effect.
type Modulation struct {
	Rows     []float32 // [N][2·C]
	Gradient []float32 // [N][2·C], set by Backward
}

// of returns the scale and the shift in row n of rows, or nil where there are no rows.
func (m *Modulation) of(rows []float32, n, c int) (scale, shift []float32) {
	if rows == nil {
		return nil, nil
	}
	row := rows[2*c*n : 2*c*(n+1)]
	return row[:c], row[c:]
}

// StatsLen returns the length of the statistics of n images, which Forward leaves for Backward.
func (g *GroupNorm) StatsLen(n int) int { return 2 * n * g.C }

// Forward computes y from x. gamma and beta are [C]. It is Measure and then Apply.
func (g *GroupNorm) Forward(s *Scratch, y, x Map, gamma, beta []float32, mod Modulation, stats []float32) {
	g.Measure(s, x, stats)
	g.Apply(s, y, x, gamma, beta, mod, stats)
}

// Measure sets stats, [StatsLen(x.N)], to 1/√(variance + eps) and -mean/√(variance + eps) of each
// image and channel.
func (g *GroupNorm) Measure(s *Scratch, x Map, stats []float32) {
	g.mustHaveRoom(x, stats)
	buf := s.take(3 * g.C)
	pivot, s0, s1 := buf[:g.C], buf[g.C:2*g.C], buf[2*g.C:]
	for n := range x.N {
		// Differences from a value of the map keep digits that sums of squares would lose.
		x.pixelTo(pivot, n, 0, 0)
		walk := walkOver(n, &x, nil, nil)
		walk.P0, walk.S0, walk.S1 = pointer(pivot), pointer(s0), pointer(s1)
		g.ISA.walk(moments, walk)
		rstd, offset := g.statsOf(stats, n)
		g.finishMoments(rstd, offset, pivot, s0, s1, x.H*x.W)
	}
}

// Apply computes y from x and the statistics of x's images. x may be some lines of the images.
func (g *GroupNorm) Apply(s *Scratch, y, x Map, gamma, beta []float32, mod Modulation, stats []float32) {
	mustMatch("group norm", y, x)
	g.mustFit(x, gamma, beta, stats)
	buf := s.take(2 * g.C)
	a, b := buf[:g.C], buf[g.C:]
	routine := affine
	if g.SiLU {
		routine = affineSiLU
	}
	for n := range x.N {
		rstd, offset := g.statsOf(stats, n)
		scale, shift := mod.of(mod.Rows, n, g.C)
		for c := range g.C {
			gain, bias := effective(gamma, beta, scale, shift, c)
			a[c], b[c] = rstd[c]*gain, offset[c]*gain+bias
		}
		walk := walkOver(n, &x, nil, &y)
		walk.P0, walk.P1 = pointer(a), pointer(b)
		g.ISA.walk(routine, walk)
	}
}

// statsOf returns the two halves of image n's statistics.
func (g *GroupNorm) statsOf(stats []float32, n int) (rstd, offset []float32) {
	own := stats[2*g.C*n : 2*g.C*(n+1)]
	return own[:g.C], own[g.C:]
}

// finishMoments turns s0 = Σ(x - pivot) and s1 = Σ(x - pivot)² over n pixels into the statistics
// of the groups.
func (g *GroupNorm) finishMoments(rstd, offset, pivot, s0, s1 []float32, n int) {
	size, eps := g.C/g.Groups, cmp.Or(g.Epsilon, NormEpsilon)
	for first := 0; first < g.C; first += size {
		var sum, squares float64
		for c := first; c < first+size; c++ {
			sum += float64(pivot[c])*float64(n) + float64(s0[c])
		}
		count := float64(n * size)
		mean := sum / count
		for c := first; c < first+size; c++ {
			e := float64(pivot[c]) - mean // Σ(x-mean)² = Σ(x-pivot)² + 2e·Σ(x-pivot) + n·e²
			squares += float64(s1[c]) + 2*e*float64(s0[c]) + float64(n)*e*e
		}
		r := 1 / math.Sqrt(max(squares, 0)/count+eps)
		for c := first; c < first+size; c++ {
			rstd[c], offset[c] = float32(r), float32(-mean*r)
		}
	}
}

// effective returns the factor and the summand of channel c after modulation.
func effective(gamma, beta, scale, shift []float32, c int) (gain, bias float32) {
	if scale == nil {
		return gamma[c], beta[c]
	}
	return gamma[c] * (1 + scale[c]), float32(beta[c]*(1+scale[c])) + shift[c]
}

// A NormBackward holds the operands of [GroupNorm.Backward]. X, Gamma, Beta, Mod and Stats are
// Forward's.
type NormBackward struct {
	DX         Map  // the gradient of X: set, or added to
	Accumulate bool // whether DX is added to
	DY         Map  // the gradient of Y; Backward overwrites it
	X          Map
	Y          Map // with SiLU, Backward sets it to Forward's result again, so nobody need keep it

	Gamma, Beta   []float32 // [C]
	Mod           Modulation
	Stats         []float32 // [StatsLen]
	DGamma, DBeta []float32 // [C], added to; nil where DX alone is wanted
}

// A normWork holds vectors over the channels of one image, [C] each.
type normWork struct {
	rstd, offset []float32 // x̂ = x·rstd + offset
	gain, bias   []float32 // z = x̂·gain + bias
	s0, s1       []float32 // Σdz, Σdz·x̂
	a, b, d      []float32 // dx = a·dz + b·x + d
}

// Backward computes the gradients of x, gamma, beta and the modulation from the gradient of y.
func (g *GroupNorm) Backward(s *Scratch, op *NormBackward) {
	mustMatch("group norm", op.DY, op.X)
	mustMatch("group norm", op.DX, op.X)
	if g.SiLU {
		mustMatch("group norm", op.Y, op.X)
	}
	g.mustFit(op.X, op.Gamma, op.Beta, op.Stats)
	buf := s.take(7 * g.C)
	vector := func(i int) []float32 { return buf[i*g.C : (i+1)*g.C] }
	w := normWork{
		gain: vector(0), bias: vector(1), s0: vector(2), s1: vector(3),
		a: vector(4), b: vector(5), d: vector(6),
	}
	for n := range op.X.N {
		w.rstd, w.offset = g.statsOf(op.Stats, n)
		scale, shift := op.Mod.of(op.Mod.Rows, n, g.C)
		for c := range g.C {
			w.gain[c], w.bias[c] = effective(op.Gamma, op.Beta, scale, shift, c)
		}
		g.sums(op, &w, n)
		if op.DGamma != nil {
			op.parameterGrads(&w, n)
		}
		g.inputCoefficients(&w, op.X.H*op.X.W)
		walk := walkOver(n, &op.X, &op.DY, &op.DX)
		walk.P0, walk.P1, walk.P2 = pointer(w.a), pointer(w.b), pointer(w.d)
		if op.Accumulate {
			g.ISA.walk(normGradAdd, walk)
		} else {
			g.ISA.walk(normGrad, walk)
		}
	}
}

// sums replaces dy of image n by dz, and sums up dz and dz·x̂.
func (g *GroupNorm) sums(op *NormBackward, w *normWork, n int) {
	routine, out := normSums, (*Map)(nil)
	if g.SiLU {
		routine, out = normSiLUSums, &op.Y
	}
	walk := walkOver(n, &op.X, &op.DY, out)
	walk.P0, walk.P1, walk.P2, walk.P3 = pointer(w.rstd), pointer(w.offset), pointer(w.gain), pointer(w.bias)
	walk.S0, walk.S1 = pointer(w.s0), pointer(w.s1)
	g.ISA.walk(routine, walk)
}

// parameterGrads spreads Σdz and Σdz·x̂ of image n over the parameters and the modulation.
func (op *NormBackward) parameterGrads(w *normWork, n int) {
	scale, _ := op.Mod.of(op.Mod.Rows, n, len(op.Gamma))
	dscale, dshift := op.Mod.of(op.Mod.Gradient, n, len(op.Gamma))
	for c := range op.Gamma {
		factor := float32(1)
		if scale != nil {
			factor += scale[c]
			dscale[c] = float32(w.s1[c]*op.Gamma[c]) + float32(w.s0[c]*op.Beta[c])
			dshift[c] = w.s0[c]
		}
		op.DGamma[c] += float32(w.s1[c] * factor)
		op.DBeta[c] += float32(w.s0[c] * factor)
	}
}

// inputCoefficients sets a, b and d so that dx = a·dz + b·x + d, for an image of n pixels. With
// g₁ and g₂ the means of dz·gain and of dz·gain·x̂ over a group, dx = rstd·(dz·gain -
// g₁ - x̂·g₂).
func (g *GroupNorm) inputCoefficients(w *normWork, n int) {
	size := g.C / g.Groups
	for first := 0; first < g.C; first += size {
		var g1, g2 float64
		for c := first; c < first+size; c++ {
			g1 += float64(w.gain[c]) * float64(w.s0[c])
			g2 += float64(w.gain[c]) * float64(w.s1[c])
		}
		g1 /= float64(n * size)
		g2 /= float64(n * size)
		for c := first; c < first+size; c++ {
			r := float64(w.rstd[c])
			w.a[c] = w.gain[c] * w.rstd[c]
			w.b[c] = float32(-r * r * g2)
			w.d[c] = float32(-r * (g1 + g2*float64(w.offset[c])))
		}
	}
}

func (g *GroupNorm) mustFit(x Map, gamma, beta, stats []float32) {
	g.mustHaveRoom(x, stats)
	if len(gamma) != g.C || len(beta) != g.C {
		panic(fmt.Sprintf("kernels: group norm of %d channels: %d and %d parameters", g.C, len(gamma), len(beta)))
	}
}

func (g *GroupNorm) mustHaveRoom(x Map, stats []float32) {
	if x.C != g.C || len(stats) < g.StatsLen(x.N) || g.C%g.Groups != 0 {
		panic(fmt.Sprintf("kernels: group norm of %d channels in %d groups: shape %v, room for %d statistics",
			g.C, g.Groups, x.shape(), len(stats)))
	}
}

// walkOver prepares a walk over image n of maps of one shape. Maps that the walk does not take are
// nil.
func walkOver(n int, x, y, d *Map) asm.Channels {
	var c asm.Channels
	for i, m := range [...]*Map{x, y, d} {
		if m == nil {
			continue
		}
		c.N0, c.N1, c.C = m.W, m.H, m.C
		if m.Precision == BF16 {
			c.BF16 |= [...]asm.Formats{asm.BF16X, asm.BF16Y, asm.BF16D}[i]
		}
	}
	if x != nil {
		c.X, c.LdX, c.StepX = x.ptr(n, 0, 0), x.bytes(x.Pixel), x.bytes(x.Row-x.W*x.Pixel)
	}
	if y != nil {
		c.Y, c.LdY, c.StepY = y.ptr(n, 0, 0), y.bytes(y.Pixel), y.bytes(y.Row-y.W*y.Pixel)
	}
	if d != nil {
		c.D, c.LdD, c.StepD = d.ptr(n, 0, 0), d.bytes(d.Pixel), d.bytes(d.Row-d.W*d.Pixel)
	}
	return c
}

// AddMap adds src to dst, of the same shape.
func (isa ISA) AddMap(dst, src Map) {
	mustMatch("add", dst, src)
	for n := range dst.N {
		isa.walk(addMap, walkOver(n, nil, &src, &dst))
	}
}

// AddRows adds row n of rows, [N][C], to each pixel of image n.
func (isa ISA) AddRows(s *Scratch, m Map, rows []float32) {
	ones := s.take(m.C)
	for c := range ones {
		ones[c] = 1
	}
	for n := range m.N {
		walk := walkOver(n, &m, nil, &m)
		walk.P0, walk.P1 = pointer(ones), pointer(rows[n*m.C:(n+1)*m.C])
		isa.walk(affine, walk)
	}
}

// SumRows sets row n of rows, [N][C], to the sum over the pixels of image n.
func (isa ISA) SumRows(rows []float32, m Map) {
	for n := range m.N {
		walk := walkOver(n, nil, &m, nil)
		walk.S0 = pointer(rows[n*m.C : (n+1)*m.C])
		isa.walk(columnSums, walk)
	}
}

// BiasGrad adds the sums over all pixels of dy to db, [C].
func (isa ISA) BiasGrad(s *Scratch, db []float32, dy Map) {
	sums := s.take(dy.C)
	for n := range dy.N {
		isa.SumRows(sums, dy.image(n))
		isa.Add(db, sums)
	}
}

// image returns the view of image n alone.
func (m Map) image(n int) Map {
	m.base, m.N = m.base+n*m.Image, 1
	return m
}
