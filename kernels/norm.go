package kernels

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/asm"
)

// A GroupNorm normalises each image over its pixels and the channels of a group (Wu and He, 2018):
// x̂ = (x - mean)/√(variance + eps), y = act(x̂·g + b), with g = γ·(1 + scale) and b = β·(1 + scale) +
// shift, where scale and shift come from an embedding and may be left out; act is SiLU or nothing.
type GroupNorm struct {
	ISA    ISA
	C      int // channels
	Groups int // divides C
	SiLU   bool
}

// normEps is PyTorch's default for group norm.
const normEps = 1e-5

// A Modulation is what an embedding does to a norm: row n of Rows holds the scale of C channels and
// then the shift of C channels of image n. The zero value does nothing.
type Modulation struct {
	Rows     []float32 // [N][2·C]
	Gradient []float32 // [N][2·C], set by Backward
}

// of returns scale and shift of image n, or nil.
func (m *Modulation) of(rows []float32, n, c int) (scale, shift []float32) {
	if rows == nil {
		return nil, nil
	}
	row := rows[2*c*n : 2*c*(n+1)]
	return row[:c], row[c:]
}

// StatsLen returns how many floats Forward leaves for Backward, for n images.
func (g *GroupNorm) StatsLen(n int) int { return 2 * n * g.C }

// Forward computes y from x. gamma and beta have C elements. stats, of StatsLen(x.N) elements, receives
// 1/√(variance + eps) and -mean/√(variance + eps) of each image and channel.
func (g *GroupNorm) Forward(s *Scratch, y, x Map, gamma, beta []float32, mod Modulation, stats []float32) {
	mustMatch("group norm", y, x)
	g.mustFit(x, gamma, beta, stats)
	buf := s.take(5 * g.C)
	pivot, s0, s1, a, b := buf[:g.C], buf[g.C:2*g.C], buf[2*g.C:3*g.C], buf[3*g.C:4*g.C], buf[4*g.C:]
	routine := affine
	if g.SiLU {
		routine = affineSiLU
	}
	for n := range x.N {
		// Sums of differences from one of the values do not cancel as sums of squares would.
		copy(pivot, x.At(n, 0, 0))
		walk := walkOver(n, &x, nil, nil)
		walk.P0, walk.S0, walk.S1 = pointer(pivot), pointer(s0), pointer(s1)
		g.ISA.walk(moments, walk)
		rstd, offset := g.statsOf(stats, n)
		g.finishMoments(rstd, offset, pivot, s0, s1, x.H*x.W)

		scale, shift := mod.of(mod.Rows, n, g.C)
		for c := range g.C {
			gain, bias := effective(gamma, beta, scale, shift, c)
			a[c], b[c] = rstd[c]*gain, offset[c]*gain+bias
		}
		walk = walkOver(n, &x, nil, &y)
		walk.P0, walk.P1 = pointer(a), pointer(b)
		g.ISA.walk(routine, walk)
	}
}

// statsOf returns the two halves of image n's statistics.
func (g *GroupNorm) statsOf(stats []float32, n int) (rstd, offset []float32) {
	own := stats[2*g.C*n : 2*g.C*(n+1)]
	return own[:g.C], own[g.C:]
}

// finishMoments turns sums of x - pivot and of its square over n pixels into the statistics of groups.
func (g *GroupNorm) finishMoments(rstd, offset, pivot, s0, s1 []float32, n int) {
	size := g.C / g.Groups
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
		r := 1 / math.Sqrt(max(squares, 0)/count+normEps)
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

// Backward computes dx, or adds to it, and adds to dgamma and dbeta, for dy the gradient of y, which
// it overwrites. x and stats are those of Forward. A norm with SiLU sets y to Forward's result once more: so that
// need not be kept. Where dgamma is nil, it computes dx alone.
func (g *GroupNorm) Backward(s *Scratch, dx Map, accumulate bool, dy, x, y Map, gamma, beta []float32, mod Modulation, stats, dgamma, dbeta []float32) {
	mustMatch("group norm", dy, x)
	mustMatch("group norm", dx, x)
	if g.SiLU {
		mustMatch("group norm", y, x)
	}
	g.mustFit(x, gamma, beta, stats)
	buf := s.take(7 * g.C)
	var p [7][]float32
	for i := range p {
		p[i] = buf[i*g.C : (i+1)*g.C]
	}
	gain, bias, s0, s1 := p[0], p[1], p[2], p[3]
	for n := range x.N {
		rstd, offset := g.statsOf(stats, n)
		scale, shift := mod.of(mod.Rows, n, g.C)
		for c := range g.C {
			gain[c], bias[c] = effective(gamma, beta, scale, shift, c)
		}
		routine, out := normSums, (*Map)(nil)
		if g.SiLU {
			routine, out = normSiLUSums, &y
		}
		walk := walkOver(n, &x, &dy, out)
		walk.P0, walk.P1, walk.P2, walk.P3 = pointer(rstd), pointer(offset), pointer(gain), pointer(bias)
		walk.S0, walk.S1 = pointer(s0), pointer(s1)
		g.ISA.walk(routine, walk)
		dscale, dshift := mod.of(mod.Gradient, n, g.C)
		if dgamma != nil {
			parameterGrads(gamma, beta, scale, s0, s1, dgamma, dbeta, dscale, dshift)
		}

		g.inputCoefficients(p[4], p[5], p[6], rstd, offset, gain, s0, s1, x.H*x.W)
		walk = walkOver(n, &x, &dy, &dx)
		walk.P0, walk.P1, walk.P2 = pointer(p[4]), pointer(p[5]), pointer(p[6])
		if accumulate {
			g.ISA.walk(normGradAdd, walk)
		} else {
			g.ISA.walk(normGrad, walk)
		}
	}
}

// parameterGrads spreads Σdz and Σdz·x̂ of an image over the parameters and the modulation.
func parameterGrads(gamma, beta, scale, s0, s1, dgamma, dbeta, dscale, dshift []float32) {
	for c := range gamma {
		factor := float32(1)
		if scale != nil {
			factor += scale[c]
			dscale[c] = float32(s1[c]*gamma[c]) + float32(s0[c]*beta[c])
			dshift[c] = s0[c]
		}
		dgamma[c] += float32(s1[c] * factor)
		dbeta[c] += float32(s0[c] * factor)
	}
}

// inputCoefficients sets a, b, d so that dx = a·dz + b·x + d. With g₁ and g₂ the means over a group of
// dz·gain and dz·gain·x̂: dx = rstd·(dz·gain - g₁ - x̂·g₂) and x̂ = x·rstd + offset.
func (g *GroupNorm) inputCoefficients(a, b, d, rstd, offset, gain, s0, s1 []float32, n int) {
	size := g.C / g.Groups
	for first := 0; first < g.C; first += size {
		var g1, g2 float64
		for c := first; c < first+size; c++ {
			g1 += float64(gain[c]) * float64(s0[c])
			g2 += float64(gain[c]) * float64(s1[c])
		}
		g1 /= float64(n * size)
		g2 /= float64(n * size)
		for c := first; c < first+size; c++ {
			r := float64(rstd[c])
			a[c] = gain[c] * rstd[c]
			b[c] = float32(-r * r * g2)
			d[c] = float32(-r * (g1 + g2*float64(offset[c])))
		}
	}
}

func (g *GroupNorm) mustFit(x Map, gamma, beta, stats []float32) {
	if x.C != g.C || len(gamma) != g.C || len(beta) != g.C || len(stats) < g.StatsLen(x.N) || g.C%g.Groups != 0 {
		panic(fmt.Sprintf("kernels: group norm of %d channels in %d groups: shape %v, %d and %d parameters, room for %d statistics",
			g.C, g.Groups, x.shape(), len(gamma), len(beta), len(stats)))
	}
}

// walkOver prepares a walk over image n of maps of one shape; those that are not needed are nil.
func walkOver(n int, x, y, d *Map) asm.Channels {
	var c asm.Channels
	for _, m := range [...]*Map{x, y, d} {
		if m != nil {
			c.N0, c.N1, c.C = m.W, m.H, m.C
		}
	}
	if x != nil {
		c.X, c.LdX, c.StepX = x.ptr(n, 0, 0), uintptr(4*x.Pixel), uintptr(4*(x.Row-x.W*x.Pixel))
	}
	if y != nil {
		c.Y, c.LdY, c.StepY = y.ptr(n, 0, 0), uintptr(4*y.Pixel), uintptr(4*(y.Row-y.W*y.Pixel))
	}
	if d != nil {
		c.D, c.LdD, c.StepD = d.ptr(n, 0, 0), uintptr(4*d.Pixel), uintptr(4*(d.Row-d.W*d.Pixel))
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

// AddRows adds row n of rows, [N][C], to every pixel of image n.
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
