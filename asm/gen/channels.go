package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The constants of exp: x = n·ln 2 + r, exp(x) = 2^n·p(r). ln 2 is split in two so that n·ln2hi
// is exact. Of all polynomials of degree 5 with p(0) = 1 and coefficients in float32, p has the
// smallest error on |r| ≤ ln 2 / 2: 1.1 units in the last place.
var expTable = []constant{
	{"log2e", math.Log2E}, {"ln2hi", 0.693359375}, {"ln2lo", -2.12194440e-4},
	{"max", 88}, {"min", -87},
	{"one", 1}, {"p1", 0.999999463558197}, {"p2", 0.49999138712882996},
	{"p3", 0.1666816920042038}, {"p4", 0.04189862310886383}, {"p5", 0.008262676186859608},
}

// exp replaces x by exp(x), with n, p and q as scratch; q is a spare value.
func (r *routine) exp(x, n, p, q value) {
	// x is the second operand, because amd64 returns the second operand where one is NaN.
	limit := slices.Repeat(n[:1], r.width)
	r.move(n[:1], "max")
	r.do(minimum, x, limit, x)
	r.move(n[:1], "min")
	r.do(maximum, x, limit, x)
	r.do(mul, n, x, "log2e")
	r.apply(toInt, n, n)
	r.apply(toFloat, p, n)
	r.do(fms, x, p, "ln2hi")
	r.do(fms, x, p, "ln2lo")
	r.move(p, "p5")
	for _, c := range []string{"p4", "p3", "p2", "p1", "one"} {
		p, q = r.horner(p, x, c, q)
	}
	r.shiftLeft(n, 23)
	r.do(addInt, x, p, n)
}

// sigmoid sets s to 1/(1 + exp(-z)), with n, p and q as scratch; q is a spare value.
func (r *routine) sigmoid(s, z, n, p, q, one value) {
	r.negate(s, z)
	r.exp(s, n, p, q)
	r.do(add, s, s, one)
	r.do(div, s, one, s)
}

// A walk describes a routine over the pixels of maps. It takes a few vectors of channels over all
// pixels, and then the next vectors.
type walk struct {
	name   string
	in     string // the maps that it takes, of X, Y and D
	over   string // the map that D may overwrite: X, Y or none
	params int    // parameters P0…
	sums   int    // sums S0…
	values int    // values that its body takes
	exp    bool   // whether it uses exp
	half   string // the maps that are bfloat16, in a variant of a walk
	body   func(r *routine, c channels)
	end    func(r *routine, c channels) // follows the last pixel; may be nil
}

// channels are the values of some vectors of channels: parameters, sums, and the elements of a
// pixel.
type channels struct {
	p, sum  []value
	one     value
	x, y, d memory
}

var pixelReg = map[rune]string{'X': "SI", 'Y': "DX", 'D': "DI"}
var distanceReg = map[rune]string{'X': "R8", 'Y': "R9", 'D': "R10"}

func channelRoutines(t target) []*routine {
	var all []*routine
	for _, w := range allWalks() {
		all = append(all, w.routine(t))
	}
	return all
}

// halves lists for a walk the sets of its maps that may be bfloat16. Maps that stay in the cache
// between the steps of a layer are float32 where the CPU multiplies float32 alone.
var halves = map[string][]string{
	"Moments":      {"X"},
	"Affine":       {"X", "XD"},
	"AffineSiLU":   {"X", "XD"},
	"NormSums":     {"X", "XY"},
	"NormSiLUSums": {"X", "XYD"},
	"NormGrad":     {"X", "XD", "XYD"},
	"NormGradAdd":  {"XD", "XYD"},
	"ColumnSums":   {"Y"},
	"CopyMap":      {"X", "D"},
	"AddMap":       {"YD"},
}

// allWalks lists the walks, each followed by its variants with maps of bfloat16.
func allWalks() []walk {
	var all []walk
	for _, w := range walks {
		all = append(all, w)
		for _, half := range halves[w.name] {
			v := w
			v.half = half
			all = append(all, v)
		}
	}
	return all
}

// variant names the walk with the maps that are bfloat16, such as CopyMapBF16X.
func (w walk) variant() string {
	if w.half == "" {
		return w.name
	}
	return w.name + "BF16" + w.half
}

// rounds reports whether the walk stores bfloat16.
func (w walk) rounds() bool {
	return strings.Contains(w.half, "D")
}

var walks = []walk{
	{name: "Moments", in: "X", params: 1, sums: 2, values: 1, body: func(r *routine, c channels) {
		e := r.value()
		r.move(e, c.x)
		r.do(sub, e, e, c.p[0])
		r.do(add, c.sum[0], c.sum[0], e)
		r.do(fma, c.sum[1], e, e)
	}},
	{name: "Affine", in: "XD", over: "X", params: 2, values: 2, body: func(r *routine, c channels) {
		y := r.value()
		r.mulAdd(y, c.x.into(r.spare()), c.p[0], c.p[1])
		r.store(y, c.d)
	}},
	{name: "AffineSiLU", in: "XD", over: "X", params: 2, values: 5, exp: true, body: func(r *routine, c channels) {
		z, s, n, p, q := r.value(), r.value(), r.value(), r.value(), r.spare()
		r.mulAdd(z, c.x.into(s), c.p[0], c.p[1])
		r.sigmoid(s, z, n, p, q, c.one)
		r.do(mul, z, z, s)
		r.store(z, c.d)
	}},
	{name: "NormSums", in: "XY", params: 2, sums: 2, values: 2, body: func(r *routine, c channels) {
		xhat, y := r.value(), r.value()
		r.mulAdd(xhat, c.x.into(y), c.p[0], c.p[1])
		r.move(y, c.y)
		r.do(add, c.sum[0], c.sum[0], y)
		r.do(fma, c.sum[1], y, xhat)
	}},
	{name: "NormSiLUSums", in: "XYD", params: 4, sums: 2, values: 6, exp: true, body: normSiLUSums},
	{name: "NormGrad", in: "XYD", over: "Y", params: 3, values: 2, body: func(r *routine, c channels) {
		r.store(normGrad(r, c), c.d)
	}},
	{name: "NormGradAdd", in: "XYD", params: 3, values: 3, body: func(r *routine, c channels) {
		dx := normGrad(r, c)
		r.do(add, dx, dx, r.operand(c.d))
		r.store(dx, c.d)
	}},
	{name: "ColumnSums", in: "Y", sums: 1, values: 1, body: func(r *routine, c channels) {
		r.do(add, c.sum[0], c.sum[0], r.operand(c.y))
	}},
	{name: "Maxima", in: "X", params: 1, sums: 1, values: 1, body: func(r *routine, c channels) {
		e := r.value()
		r.move(e, c.x)
		r.do(sub, e, e, c.p[0])
		r.do(largest, c.sum[0], e, c.sum[0])
	}, end: func(r *routine, c channels) { r.do(add, c.sum[0], c.sum[0], c.p[0]) }},
	{name: "ExpSums", in: "XD", over: "X", params: 2, sums: 1, values: 4, exp: true, body: expSums},
	{name: "SoftmaxGrad", in: "XYD", over: "Y", params: 2, values: 2, body: func(r *routine, c channels) {
		y, x := r.value(), r.value()
		r.mulAdd(y, c.y.into(x), c.p[0], c.p[1])
		r.move(x, c.x)
		r.do(mul, y, y, x)
		r.store(y, c.d)
	}},
	{name: "CopyMap", in: "XD", values: 1, body: func(r *routine, c channels) {
		d := r.value()
		r.move(d, c.x)
		r.store(d, c.d)
	}},
	{name: "AddMap", in: "YD", values: 2, body: func(r *routine, c channels) {
		d := r.value()
		r.move(d, c.d)
		r.do(add, d, d, r.operand(c.y))
		r.store(d, c.d)
	}},
}

// expSums computes d = exp(x·P0 + P1) and adds up d.
func expSums(r *routine, c channels) {
	x, n, p, q := r.value(), r.value(), r.value(), r.spare()
	r.mulAdd(x, c.x.into(n), c.p[0], c.p[1])
	r.exp(x, n, p, q)
	r.store(x, c.d)
	r.do(add, c.sum[0], c.sum[0], x)
}

// normGrad returns y·P0 + (x·P1 + P2).
func normGrad(r *routine, c channels) value {
	dx, y := r.value(), r.value()
	r.mulAdd(dx, c.x.into(y), c.p[1], c.p[2])
	r.move(y, c.y)
	r.do(fma, dx, y, c.p[0])
	return dx
}

// normSiLUSums computes x̂ = x·P0 + P1, z = x̂·P2 + P3, d = z·s and dz = dy·s·(1 +
// z·(1-s)).
func normSiLUSums(r *routine, c channels) {
	xhat, z, s, n, p, q := r.value(), r.value(), r.value(), r.value(), r.value(), r.spare()
	r.mulAdd(xhat, c.x.into(n), c.p[0], c.p[1])
	r.mulAdd(z, xhat, c.p[2], c.p[3])
	r.sigmoid(s, z, n, p, q, c.one)
	r.do(mul, p, z, s)
	r.store(p, c.d)
	r.do(sub, n, c.one, s)
	z, _ = r.horner(z, n, c.one, q)
	r.do(mul, z, z, s)
	r.do(mul, z, z, c.y.into(p))
	r.store(z, c.y)
	r.do(add, c.sum[0], c.sum[0], z)
	r.do(fma, c.sum[1], z, xhat)
}

// routine writes the walk. BX is the offset of the vectors of channels in bytes, R13 the channels
// left.
func (w walk) routine(t target) *routine {
	doc := fmt.Sprintf("is [%sGo] for args.C a multiple of %d%s.", w.name, t.lanes, w.condition())
	r := newRoutine(t, w.variant(), "Channels", doc)
	for _, m := range w.in {
		r.field("Ld"+string(m), distanceReg[m])
	}
	once := 0
	if w.exp {
		once = 1 + r.prepare(expTable)
	}
	if w.rounds() {
		r.roundIn(r.take(r.roundingRegs()))
		once += r.roundingRegs()
	}
	values := w.values
	if w.half != "" {
		values++ // bfloat16 is loaded before it is an operand
	}
	widths := t.widths(w.params+w.sums+values, once)
	r.width = widths[0]
	c := channels{x: w.pixel('X'), y: w.pixel('Y'), d: w.pixel('D')}
	c.p, c.sum = r.several(w.params), r.several(w.sums)
	if w.exp {
		c.one = r.same()
		r.move(c.one[:1], "one")
	}
	r.clear("BX")
	r.field("C", "R13")
	step := r.bytes()
	if w.half != "" {
		step /= 2
	}
	r.eachVector("R13", step, widths, func() { w.columns(r, c.first(r.width)) })
	return r
}

// condition says which maps of the variant are bfloat16.
func (w walk) condition() string {
	if w.half == "" {
		return ""
	}
	return fmt.Sprintf(" and args.BF16 = %s", w.formats())
}

// formats spells package asm's constants of the maps that are bfloat16.
func (w walk) formats() string {
	var all []string
	for _, m := range w.half {
		all = append(all, "BF16"+string(m))
	}
	return strings.Join(all, "|")
}

// pixel addresses the present pixel of a map.
func (w walk) pixel(m rune) memory {
	return memory{base: pixelReg[m], half: strings.ContainsRune(w.half, m)}
}

// vector addresses the present part of a vector over the channels. Where maps are bfloat16, BX
// counts the bytes of their channels.
func (w walk) vector(base string) memory {
	if w.half == "" {
		return memory{base: base, index: "BX"}
	}
	return memory{base: base, index: "BX", scale: 2}
}

// several takes n values.
func (r *routine) several(n int) []value {
	all := make([]value, n)
	for i := range all {
		all[i] = r.value()
	}
	return all
}

// first returns the channels of the first width registers of each value.
func (c channels) first(width int) channels {
	narrow := func(all []value) []value {
		var n []value
		for _, v := range all {
			n = append(n, v[:width])
		}
		return n
	}
	c.p, c.sum = narrow(c.p), narrow(c.sum)
	if c.one != nil {
		c.one = c.one[:width]
	}
	return c
}

// columns walks over the pixels of the channels at BX.
func (w walk) columns(r *routine, c channels) {
	for i, p := range c.p {
		r.field(fmt.Sprintf("P%d", i), "CX")
		r.move(p, w.vector("CX"))
	}
	for _, s := range c.sum {
		r.zero(s)
	}
	for _, m := range w.in {
		r.field(string(m), pixelReg[m])
		r.add("BX", pixelReg[m])
		if w.half != "" && !w.pixel(m).half {
			r.add("BX", pixelReg[m]) // its channels are twice as far
		}
	}
	r.field("N1", "R11")
	r.label(r.wide("lines"))
	r.field("N0", "CX")
	r.loop(r.wide("pixels"))
	w.body(r, c)
	for _, m := range w.in {
		r.add(distanceReg[m], pixelReg[m])
	}
	r.addJump(-1, "CX", "NE", r.wide("pixels"))
	for _, m := range w.in {
		r.addField("Step"+string(m), pixelReg[m])
	}
	r.addJump(-1, "R11", "NE", r.wide("lines"))
	if w.end != nil {
		w.end(r, c)
	}
	for i, s := range c.sum {
		r.field(fmt.Sprintf("S%d", i), "CX")
		r.store(s, w.vector("CX"))
	}
}
