package main

import (
	"fmt"
	"slices"
)

// flats are the routines that work element by element on flat vectors.
var flats = []struct {
	name string
	make func(t target, name string) *routine
}{
	{"Add", addVector},
	{"Lerp", lerpVector},
	{"SumSquares", sumSquares},
	{"AdamW", adamW},
	{"Exp", expVector},
	{"Peak", peak},
}

func vectorRoutines(t target) []*routine {
	var all []*routine
	for _, f := range flats {
		all = append(all, f.make(t, f.name))
	}
	return append(all, fetch(t))
}

// The operands of flat routines, at the offset BX.
var (
	flatX = memory{base: "DI", index: "BX"}
	flatY = memory{base: "SI", index: "BX"}
	flatZ = memory{base: "DX", index: "BX"}
	flatW = memory{base: "R8", index: "BX"}
)

// flat begins a routine over args.N elements of the first operands of X, Y, Z, W.
func flat(t target, name string, operands int) *routine {
	r := newRoutine(t, name, "Vectors", fmt.Sprintf("is [%sGo] for args.N a multiple of %d.", name, t.lanes))
	for i := range operands {
		r.field(string("XYZW"[i]), [...]string{"DI", "SI", "DX", "R8"}[i])
	}
	r.field("N", "CX")
	r.clear("BX")
	return r
}

// scalars spreads the first n of args.F over registers, for values of width registers.
func (r *routine) scalars(n, width int) []value {
	r.width = width
	all := make([]value, n)
	for i := range all {
		all[i] = r.same()
		r.broadcast(all[i], fmt.Sprintf("F+%d", 4*i))
	}
	return all
}

func addVector(t target, name string) *routine {
	r := flat(t, name, 2)
	r.eachVector("CX", r.bytes(), t.widths(2, 0), func() {
		x := r.value()
		r.move(x, flatX)
		r.do(add, x, x, flatY.into(r.spare()))
		r.store(x, flatX)
	})
	return r
}

func lerpVector(t target, name string) *routine {
	r := flat(t, name, 2)
	widths := t.widths(2, 1)
	share := r.scalars(1, widths[0])[0]
	r.eachVector("CX", r.bytes(), widths, func() {
		x, y := r.value(), r.value()
		r.move(x, flatX)
		r.move(y, flatY)
		r.do(sub, y, y, x)
		r.do(fma, x, y, share)
		r.store(x, flatX)
	})
	return r
}

// sumSquares keeps one sum for each lane; the caller adds the lanes up in float64.
func sumSquares(t target, name string) *routine {
	r := flat(t, name, 2)
	widths := t.widths(2, 0)
	sum := r.take(widths[0])
	r.zero(sum)
	r.eachVector("CX", r.bytes(), widths, func() {
		y := r.value()
		r.move(y, flatY)
		r.do(fma, sum[:r.width], y, y)
	})
	for n := len(sum) / 2; n > 0; n /= 2 {
		r.do(add, sum[:n], sum[:n], sum[n:2*n])
	}
	r.store(sum[:1], memory{base: "DI"})
	return r
}

func adamW(t target, name string) *routine {
	r := flat(t, name, 4)
	widths := t.widths(5, 9)
	f := r.scalars(9, widths[0])
	scale, decay, beta1, rest1 := f[0], f[1], f[2], f[3]
	beta2, rest2, factor, eps, rate := f[4], f[5], f[6], f[7], f[8]
	r.eachVector("CX", r.bytes(), widths, func() {
		g, m, v, p := r.value(), r.value(), r.value(), r.value()
		free := r.spare()
		r.do(mul, g, scale, flatW.into(g))
		r.do(mul, m, beta1, flatY.into(m))
		r.do(fma, m, rest1, g)
		r.store(m, flatY)
		r.do(mul, g, g, g)
		r.do(mul, v, beta2, flatZ.into(v))
		r.do(fma, v, rest2, g)
		r.store(v, flatZ)
		r.apply(root, v, v)
		v, _ = r.horner(v, factor, eps, free)
		r.do(div, m, m, v)
		r.do(mul, p, decay, flatX.into(p))
		r.do(fms, p, rate, m)
		r.store(p, flatX)
	})
	return r
}

func expVector(t target, name string) *routine {
	r := flat(t, name, 2)
	once := r.prepare(expTable)
	r.eachVector("CX", r.bytes(), t.widths(4, once), func() {
		x, n, p, q := r.value(), r.value(), r.value(), r.spare()
		r.move(x, flatY)
		r.exp(x, n, p, q)
		r.store(x, flatX)
	})
	return r
}

// fetch asks for pieces of memory, a line at a time.
func fetch(t target) *routine {
	r := newRoutine(t, "Fetch", "Fetch", "asks for memory that will soon be used. See [Fetch].")
	r.field("P", "SI")
	r.field("Ld", "R8")
	r.field("N", "R11")
	r.loop("piece")
	r.clear("DI")
	r.add("SI", "DI")
	r.field("Bytes", "CX")
	r.loop("line")
	r.prefetch(memory{base: "DI"}, 2)
	r.add(number(4*lineFloats), "DI")
	r.addJump(-4*lineFloats, "CX", "GT", "line")
	r.add("R8", "SI")
	r.addJump(-1, "R11", "NE", "piece")
	return r
}

// peakChains is the number of independent sums of a round: enough to hide the latency of an
// addition on CPUs with two pipes.
const peakChains = 12

// peak runs N rounds on registers alone; a round is one fused multiply-add for each chain. On
// arm64, every other round has chains of its own, because large cores have four pipes.
func peak(t target, name string) *routine {
	r := newRoutine(t, name, "Vectors", fmt.Sprintf("does args.N rounds of [PeakChains] fused multiply-adds "+
		"of %d lanes on registers alone,\nto measure the peak of the CPU.", t.lanes))
	r.field("N", "CX")
	sets := 1
	if t.arch == "arm64" {
		sets = 2
	}
	chains := r.take(sets * peakChains)
	a, b := r.take(1), r.take(1)
	r.zero(slices.Concat(chains, a, b))
	r.loop("round")
	for set := range sets {
		for _, sum := range chains[set*peakChains:][:peakChains] {
			r.do(fma, value{sum}, a, b)
		}
		if set < sets-1 {
			r.addJump(-1, "CX", "EQ", "done")
		}
	}
	r.addJump(-1, "CX", "NE", "round")
	r.label("done")
	return r
}
