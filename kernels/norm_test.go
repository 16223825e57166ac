package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveNorm computes a group norm by its definition, in float64.
type naiveNorm struct {
	c, groups   int
	silu        bool
	gamma, beta []float32
	rows        []float32 // modulation, or nil
}

// A normGradient is the result of naiveNorm's backward.
type normGradient struct {
	dx, dgamma, dbeta, drows []float64
	size                     float64 // norm of the largest term of dx
	dz                       float64 // norm of the gradient of z
}

// modulation returns the scale and the shift of channel c of image n.
func (g *naiveNorm) modulation(n, c int) (scale, shift float64) {
	if g.rows == nil {
		return 0, 0
	}
	return float64(g.rows[2*g.c*n+c]), float64(g.rows[2*g.c*n+g.c+c])
}

// groupsOf calls f for each group of each image, with the dense indices of its members.
func (g *naiveNorm) groupsOf(x Map, f func(n int, members []int)) {
	for n := range x.N {
		for group := range g.groups {
			var members []int
			for i := range x.H * x.W * g.c {
				if i%g.c/(g.c/g.groups) == group {
					members = append(members, n*x.H*x.W*g.c+i)
				}
			}
			f(n, members)
		}
	}
}

// normalised returns x̂ and 1/√(variance + eps), both dense.
func (g *naiveNorm) normalised(x Map) (xhat, rstd []float64) {
	values := dense(x)
	xhat, rstd = make([]float64, len(values)), make([]float64, len(values))
	g.groupsOf(x, func(_ int, members []int) {
		var mean, variance float64
		for _, i := range members {
			mean += float64(values[i]) / float64(len(members))
		}
		for _, i := range members {
			variance += (float64(values[i]) - mean) * (float64(values[i]) - mean) / float64(len(members))
		}
		for _, i := range members {
			rstd[i] = 1 / math.Sqrt(variance+1e-5)
			xhat[i] = (float64(values[i]) - mean) * rstd[i]
		}
	})
	return xhat, rstd
}

// at returns z = x̂·γ·(1+scale) + β·(1+scale) + shift for a dense index.
func (g *naiveNorm) at(n, i int, xhat float64) float64 {
	scale, shift := g.modulation(n, i%g.c)
	return (xhat*float64(g.gamma[i%g.c])+float64(g.beta[i%g.c]))*(1+scale) + shift
}

func (g *naiveNorm) forward(x Map) []float64 {
	y, _ := g.normalised(x)
	for i, v := range y {
		z := g.at(i/(x.H*x.W*g.c), i, v)
		if y[i] = z; g.silu {
			y[i] = z / (1 + math.Exp(-z))
		}
	}
	return y
}

func (g *naiveNorm) backward(x Map, dy []float32) normGradient {
	xhat, rstd := g.normalised(x)
	d := normGradient{
		dx: make([]float64, len(dy)), dgamma: make([]float64, g.c), dbeta: make([]float64, g.c),
		drows: make([]float64, 2*g.c*x.N),
	}
	dxhat, dz := make([]float64, len(dy)), make([]float64, len(dy))
	for i := range dy {
		n, c := i/(x.H*x.W*g.c), i%g.c
		z, slope := g.at(n, i, xhat[i]), 1.
		if g.silu {
			s := 1 / (1 + math.Exp(-z))
			slope = s * (1 + z*(1-s))
		}
		scale, _ := g.modulation(n, c)
		dz[i] = float64(dy[i]) * slope
		dxhat[i] = dz[i] * float64(g.gamma[c]) * (1 + scale)
		d.dgamma[c] += dz[i] * xhat[i] * (1 + scale)
		d.dbeta[c] += dz[i] * (1 + scale)
		d.drows[2*g.c*n+c] += dz[i] * (xhat[i]*float64(g.gamma[c]) + float64(g.beta[c]))
		d.drows[2*g.c*n+g.c+c] += dz[i]
	}
	terms := make([]float64, len(dy))
	g.groupsOf(x, func(_ int, members []int) {
		var mean, along float64
		for _, i := range members {
			mean += dxhat[i] / float64(len(members))
			along += dxhat[i] * xhat[i] / float64(len(members))
		}
		for _, i := range members {
			d.dx[i] = rstd[i] * (dxhat[i] - mean - xhat[i]*along)
			terms[i] = rstd[i] * dxhat[i]
		}
	})
	d.size, d.dz = norm2(terms), norm2(dz)
	return d
}

var normShapes = []struct{ n, h, w, c, groups int }{
	{1, 1, 1, 1, 1},
	{2, 1, 1, 8, 2},
	{2, 3, 5, 3, 1},
	{1, 7, 5, 3, 3},
	{3, 4, 4, 8, 4},
	{1, 5, 3, 12, 3},
	{2, 3, 2, 16, 16},
	{2, 2, 7, 17, 17},
	{1, 4, 3, 17, 1},
	{2, 7, 7, 32, 8},
	{1, 3, 3, 48, 6},
	{2, 2, 5, 96, 32},
}

// normBound allows for the rounding of float32: some 6e-8 a step, ten steps with exp, and sums over
// up to 400 elements. A missing term is an error of at least 1e-2.
const normBound = 4e-6

// bound allows for rounding, also where x̂ = x·rstd - mean·rstd is the small difference of large
// terms: each term rounds twice, by 6e-8 of its size.
func (g *naiveNorm) bound(x Map) float64 {
	_, rstd := g.normalised(x)
	largest := 0.
	for i, v := range dense(x) {
		largest = max(largest, math.Abs(float64(v))*rstd[i])
	}
	return normBound + 2.4e-7*largest
}

// A normCase is a call of group norm in one of its variants.
type normCase struct {
	silu, modulated      bool
	accumulate, alias    bool
	n, h, w, c, groups   int
	offset, deviation    float32
	isa                  ISA
	rng                  *rand.Rand
	x, y                 Map
	gamma, beta, dg, db  []float32
	mod                  Modulation
	xOK, yOK, dgOK, dbOK func() error
}

func TestGroupNorm(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for i, s := range normShapes {
			for variant := range 16 {
				c := normCase{
					isa: isa, rng: rand.New(rand.NewPCG(uint64(i), uint64(variant))),
					silu: variant&1 != 0, modulated: variant&2 != 0, accumulate: variant&4 != 0, alias: variant&8 != 0,
					n: s.n, h: s.h, w: s.w, c: s.c, groups: s.groups, deviation: 1,
				}
				if c.accumulate && c.alias {
					continue // dx cannot be dy and keep its own values
				}
				name := fmt.Sprintf("%dx%dx%d,%d/%d silu=%t,modulated=%t,accumulate=%t,alias=%t",
					s.n, s.h, s.w, s.c, s.groups, c.silu, c.modulated, c.accumulate, c.alias)
				t.Run(name, c.run)
			}
		}
	})
}

// Values far from zero hold fewer digits of their differences. Sums of squares would lose twice as
// many.
func TestGroupNormFarFromZero(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for _, far := range []struct{ mean, deviation float32 }{{100, 1}, {-3000, 2}, {0.5, 0.01}} {
			c := normCase{
				isa: isa, rng: rand.New(rand.NewPCG(3, 3)), n: 2, h: 9, w: 9, c: 36, groups: 9,
				silu: true, modulated: true, offset: far.mean, deviation: far.deviation,
			}
			t.Run(fmt.Sprintf("%g±%g", far.mean, far.deviation), c.run)
		}
	})
}

func (c *normCase) run(t *testing.T) {
	c.prepare()
	ref := naiveNorm{c.c, c.groups, c.silu, c.gamma, c.beta, c.mod.Rows}
	op := GroupNorm{ISA: c.isa, C: c.c, Groups: c.groups, SiLU: c.silu}
	bound := ref.bound(c.x)
	var s Scratch
	stats, statsOK := testVector(c.rng, op.StatsLen(c.n), 5)
	op.Forward(&s, c.y, c.x, c.gamma, c.beta, c.mod, stats)
	want := ref.forward(c.x)
	mustBeNear(t, "forward", dense(c.y), want, max(norm2(want), math.Sqrt(float64(len(want)))), bound)

	dy, dyOK := testMap(c.rng, c.n, c.h, c.w, c.c, 4, 1, 0)
	dx, dxOK := testMap(c.rng, c.n, c.h, c.w, c.c, 2, 3, 1)
	gradient := ref.backward(c.x, dense(dy))
	if c.accumulate {
		for i, v := range dense(dx) {
			gradient.dx[i] += float64(v)
		}
	}
	if c.alias {
		dx = dy
	}
	for i := range c.c { // Backward adds to the gradients of the parameters
		gradient.dgamma[i] += float64(c.dg[i])
		gradient.dbeta[i] += float64(c.db[i])
	}
	c.y.Clear()
	op.Backward(&s, &NormBackward{
		DX: dx, Accumulate: c.accumulate, DY: dy, X: c.x, Y: c.y,
		Gamma: c.gamma, Beta: c.beta, Mod: c.mod, Stats: stats, DGamma: c.dg, DBeta: c.db,
	})
	if c.silu {
		size := max(norm2(want), math.Sqrt(float64(len(want))))
		mustBeNear(t, "forward's result again", dense(c.y), want, size, bound)
	}
	mustBeNear(t, "dx", dense(dx), gradient.dx, max(norm2(gradient.dx), gradient.size), bound)
	mustBeNear(t, "dgamma", c.dg, gradient.dgamma, max(norm2(gradient.dgamma), gradient.dz), bound)
	mustBeNear(t, "dbeta", c.db, gradient.dbeta, max(norm2(gradient.dbeta), gradient.dz), bound)
	if c.modulated {
		size := max(norm2(gradient.drows), gradient.dz)
		mustBeNear(t, "dmodulation", c.mod.Gradient, gradient.drows, size, bound)
	}
	mustBeIntact(t, c.xOK, c.yOK, dyOK, dxOK, c.dgOK, c.dbOK, statsOK)
}

// prepare makes the operands.
func (c *normCase) prepare() {
	c.x, c.xOK = testMap(c.rng, c.n, c.h, c.w, c.c, 5, 3, 0)
	c.y, c.yOK = testMap(c.rng, c.n, c.h, c.w, c.c, 1, 6, 1)
	values := dense(c.x)
	for i, v := range values {
		values[i] = c.offset + c.deviation*v
	}
	c.x.Load(values)
	c.gamma, c.beta = randoms(c.rng, c.c), randoms(c.rng, c.c)
	c.dg, c.dgOK = testVector(c.rng, c.c, 1)
	c.db, c.dbOK = testVector(c.rng, c.c, 2)
	if c.modulated {
		c.mod = Modulation{Rows: randoms(c.rng, 2*c.c*c.n), Gradient: randoms(c.rng, 2*c.c*c.n)}
	}
}

func TestGroupNormGradients(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		const n, h, w, c, groups = 2, 4, 5, 12, 3
		for _, silu := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(5, 5))
			op := GroupNorm{ISA: isa, C: c, Groups: groups, SiLU: silu}
			x, y, dy, dx := NewMap(n, h, w, c), NewMap(n, h, w, c), NewMap(n, h, w, c), NewMap(n, h, w, c)
			x.Load(randoms(rng, n*h*w*c))
			gamma, beta, projection := randoms(rng, c), randoms(rng, c), randoms(rng, n*h*w*c)
			mod := Modulation{Rows: randoms(rng, 2*c*n), Gradient: make([]float32, 2*c*n)}
			dgamma, dbeta, stats := make([]float32, c), make([]float32, c), make([]float32, op.StatsLen(n))
			var s Scratch
			f := func() float64 {
				op.Forward(&s, y, x, gamma, beta, mod, stats)
				return dot(dense(y), projection)
			}
			f()
			dy.Load(projection)
			op.Backward(&s, &NormBackward{
				DX: dx, DY: dy, X: x, Y: y, Gamma: gamma, Beta: beta, Mod: mod,
				Stats: stats, DGamma: dgamma, DBeta: dbeta,
			})
			mustBeGradients(t, rng, f, mapVariable("x", x, dense(dx)), flatVariable("gamma", gamma, dgamma),
				flatVariable("beta", beta, dbeta), flatVariable("modulation", mod.Rows, mod.Gradient))
		}
	})
}

// The result for an image may not depend on the other images of the batch, to the bit.
func TestGroupNormIgnoresBatchMates(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		const n, h, w, c, groups = 4, 5, 3, 20, 5
		rng := rand.New(rand.NewPCG(6, 6))
		op := GroupNorm{ISA: isa, C: c, Groups: groups, SiLU: true}
		x, _ := testMap(rng, n, h, w, c, 0, 0, 1)
		dy, _ := testMap(rng, n, h, w, c, 0, 0, 1)
		y, dx := NewMap(n, h, w, c), NewMap(n, h, w, c)
		gamma, beta, ignored := randoms(rng, c), randoms(rng, c), make([]float32, c)
		rows, drows := randoms(rng, 2*c*n), make([]float32, 2*c*n)
		pass := func(x, y, dx, dy Map, rows, drows []float32) {
			var s Scratch
			stats := make([]float32, op.StatsLen(x.N))
			mod := Modulation{Rows: rows, Gradient: drows}
			op.Forward(&s, y, x, gamma, beta, mod, stats)
			op.Backward(&s, &NormBackward{
				DX: dx, DY: dy, X: x, Y: y, Gamma: gamma, Beta: beta, Mod: mod,
				Stats: stats, DGamma: ignored, DBeta: ignored,
			})
		}
		loneDy := NewMap(n, h, w, c)
		loneDy.Copy(dy) // the pass overwrites dy
		pass(x, y, dx, dy, rows, drows)
		for i := range n {
			loneY, loneDx, loneRows := NewMap(1, h, w, c), NewMap(1, h, w, c), make([]float32, 2*c)
			pass(x.image(i), loneY, loneDx, loneDy.image(i), rows[2*c*i:2*c*(i+1)], loneRows)
			mustBeSame(t, "y", dense(y.image(i)), dense(loneY))
			mustBeSame(t, "dx", dense(dx.image(i)), dense(loneDx))
			mustBeSame(t, "dmodulation", drows[2*c*i:2*c*(i+1)], loneRows)
		}
	})
}

func TestRowsOfMaps(t *testing.T) {
	eachISA(t, func(t *testing.T, isa ISA) {
		for i, s := range normShapes {
			rng := rand.New(rand.NewPCG(uint64(i), 8))
			var scratch Scratch
			m, mOK := testMap(rng, s.n, s.h, s.w, s.c, 3, 5, 1)
			other, otherOK := testMap(rng, s.n, s.h, s.w, s.c, 1, 0, 0)
			rows, rowsOK := testVector(rng, s.n*s.c, 3)
			bias, biasOK := testVector(rng, s.c, 9)
			added, withRows := make([]float64, len(dense(m))), make([]float64, len(dense(m)))
			sums, total := make([]float64, len(rows)), make([]float64, len(bias))
			for k, v := range bias {
				total[k] = float64(v)
			}
			for k, v := range dense(m) {
				row := k/(s.h*s.w*s.c)*s.c + k%s.c
				added[k] = float64(v) + float64(dense(other)[k])
				withRows[k] = added[k] + float64(rows[row])
				sums[row] += withRows[k]
				total[k%s.c] += withRows[k]
			}
			isa.AddMap(m, other)
			mustBeClose(t, "AddMap", dense(m), added, normBound)
			isa.AddRows(&scratch, m, rows)
			mustBeClose(t, "AddRows", dense(m), withRows, normBound)
			isa.SumRows(rows, m)
			mustBeNear(t, "SumRows", rows, sums, norm2(withRows), normBound)
			isa.BiasGrad(&scratch, bias, m)
			mustBeNear(t, "BiasGrad", bias, total, norm2(withRows), normBound)
			mustBeIntact(t, mOK, otherOK, rowsOK, biasOK)
		}
	})
}

func TestGroupNormPanicsWithBothShapes(t *testing.T) {
	op := GroupNorm{C: 4, Groups: 2}
	var s Scratch
	x, y := NewMap(1, 2, 2, 4), NewMap(1, 2, 3, 4)
	four, stats := make([]float32, 4), make([]float32, op.StatsLen(1))
	forward := func(y Map, gamma, stats []float32) func() {
		return func() { op.Forward(&s, y, x, gamma, four, Modulation{}, stats) }
	}
	mustPanic(t, "maps of two sizes", forward(y, four, stats), "[1 2 3 4]", "[1 2 2 4]")
	mustPanic(t, "short parameters", forward(x, four[:3], stats), "4 channels", "3 and 4 parameters")
	mustPanic(t, "short statistics", forward(x, four, slices.Clone(stats[:7])), "7 statistics")
}
