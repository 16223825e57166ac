package ode

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
)

var tableaus = []*Tableau{Euler, Midpoint, Heun, RK4, Dopri5}

// clone copies a tableau with all its numbers, so that a test can change the copy.
func clone(tab *Tableau) *Tableau {
	rows := func(a [][]float64) [][]float64 {
		var b [][]float64
		for _, row := range a {
			b = append(b, slices.Clone(row))
		}
		return b
	}
	c := *tab
	c.A, c.Dense = rows(tab.A), rows(tab.Dense)
	c.B, c.C, c.Embedded = slices.Clone(tab.B), slices.Clone(tab.C), slices.Clone(tab.Embedded)
	return &c
}

// coefficients lists all numbers of a tableau by name.
func coefficients(tab *Tableau) map[string]*float64 {
	all := map[string]*float64{}
	add := func(name string, x []float64) {
		for i := range x {
			all[fmt.Sprintf("%s[%d]", name, i)] = &x[i]
		}
	}
	for i := range tab.A {
		add(fmt.Sprintf("A[%d]", i), tab.A[i])
	}
	for i := range tab.Dense {
		add(fmt.Sprintf("Dense[%d]", i), tab.Dense[i])
	}
	add("B", tab.B)
	add("C", tab.C)
	add("Embedded", tab.Embedded)
	return all
}

// TestTableauOrders: every method has the order that it claims, and no more.
func TestTableauOrders(t *testing.T) {
	for _, tab := range tableaus {
		if err := tab.Check(); err != nil {
			t.Error(err)
		}
		for what, raise := range map[string]func(*Tableau){
			"b":        func(c *Tableau) { c.Order++ },
			"embedded": func(c *Tableau) { c.EmbeddedOrder++ },
			"dense":    func(c *Tableau) { c.DenseOrder++ },
		} {
			if c := clone(tab); what == "b" || c.Embedded != nil {
				raise(c)
				if c.Check() == nil {
					t.Errorf("%s: the %s weights pass as of a higher order than the method has", tab.Name, what)
				}
			}
		}
	}
}

// TestTableauCorruption: the check finds any coefficient that is wrong by a millionth.
func TestTableauCorruption(t *testing.T) {
	for _, tab := range tableaus {
		for name := range coefficients(tab) {
			c := clone(tab)
			*coefficients(c)[name] += 1e-6
			if c.Check() == nil {
				t.Errorf("%s: a wrong %s passes", tab.Name, name)
			}
		}
	}
}

// TestTableauCorruptionKeepsSums shifts weight within a row, which only the order conditions can
// find.
func TestTableauCorruptionKeepsSums(t *testing.T) {
	for _, tab := range []*Tableau{RK4, Dopri5} {
		for i := 2; i < len(tab.A); i++ {
			c := clone(tab)
			c.A[i][0] += 1e-6
			c.A[i][i-1] -= 1e-6
			if c.Check() == nil {
				t.Errorf("%s: a wrong row %d of A passes", tab.Name, i)
			}
		}
	}
}

func TestTableauShape(t *testing.T) {
	for what, spoil := range map[string]func(*Tableau){
		"no order":           func(c *Tableau) { c.Order = 0 },
		"no stages":          func(c *Tableau) { c.A, c.B, c.C = nil, nil, nil },
		"a missing row":      func(c *Tableau) { c.A = c.A[:6] },
		"a missing time":     func(c *Tableau) { c.C = c.C[:6] },
		"an implicit row":    func(c *Tableau) { c.A[3] = append(c.A[3], 0) },
		"a missing embedded": func(c *Tableau) { c.Embedded = c.Embedded[:6] },
		"a missing dense":    func(c *Tableau) { c.Dense = c.Dense[:6] },
		"NaN":                func(c *Tableau) { c.B[1] = math.NaN() },
	} {
		c := clone(Dopri5)
		spoil(c)
		if c.Check() == nil {
			t.Errorf("a tableau with %s passes", what)
		}
	}
}

// TestRootedTrees compares with the numbers of rooted trees, OEIS A000081.
func TestRootedTrees(t *testing.T) {
	count := map[int]int{}
	for _, tau := range rootedTrees(8) {
		count[tau.nodes]++
	}
	for nodes, want := range []int{0, 1, 1, 2, 4, 9, 20, 48, 115} {
		if count[nodes] != want {
			t.Errorf("%d trees of %d nodes, want %d", count[nodes], nodes, want)
		}
	}
}

func TestFirstSameAsLast(t *testing.T) {
	for _, tab := range tableaus {
		if got := tab.firstSameAsLast(); got != (tab == Dopri5) {
			t.Errorf("%s: first-same-as-last is %v", tab.Name, got)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	wrong := clone(RK4)
	wrong.B[0] += 1e-3
	numtest.MustPanic(t, "Fixed with a wrong tableau", func() { Fixed(wrong, 10) })
	numtest.MustPanic(t, "Fixed with no steps", func() { Fixed(RK4, 0) })
	loose := AdaptiveOptions{RTol: 1e-3, ATol: 1e-3}
	numtest.MustPanic(t, "Adaptive without an embedded method", func() { Adaptive(RK4, loose) })
	for _, o := range []AdaptiveOptions{
		{}, {RTol: 1e-3}, {RTol: -1, ATol: 1}, {RTol: 1, ATol: 1, MaxSteps: -1}, {RTol: 1, ATol: 1, Frames: -1},
	} {
		numtest.MustPanic(t, fmt.Sprintf("options %+v", o), func() { Adaptive(Dopri5, o) })
	}
}
