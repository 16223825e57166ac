package ode

import (
	"math"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
)

// TestControllerShrinksAndGrows checks single decisions against the formula.
func TestControllerShrinksAndGrows(t *testing.T) {
	c := newController(4)
	// At err = memory = 1 the factor is the safety.
	if got := c.accepted(1, 1, false); !numtest.Near(got, 0.9, 1e-7) {
		t.Errorf("factor %v at the tolerance, want 0.9", got)
	}
	// A method of order 5: 32 times the tolerance asks for about half the step (by α = 0.17:
	// 32^−0.17·0.9 = 0.4993).
	if got := c.rejected(32); !numtest.Near(got, 0.4993, 1e-4) {
		t.Errorf("factor %v at 32 times the tolerance", got)
	}
	// PI: an error that rose from 0.01 to 0.1 asks for less than a steady 0.1.
	// 0.9·0.1^−0.17·0.01^0.04 = 1.1072.
	got, steady := c.accepted(0.1, 0.01, false), c.accepted(0.1, 0.1, false)
	if !numtest.Near(got, 1.1072, 1e-4) || got >= steady {
		t.Errorf("factor %v when the error rises, %v when it is steady", got, steady)
	}
	for what, pair := range map[string][2]float64{
		"no error":              {c.accepted(0, 1e-4, false), 10},
		"after a rejection":     {c.accepted(1e-6, 1, true), 1},
		"a huge error":          {c.rejected(1e30), 0.2},
		"an infinite error":     {c.rejected(math.Inf(1)), 0.2},
		"an error that is NaN":  {c.rejected(math.NaN()), 0.2},
		"a tiny error after it": {c.accepted(1e-30, 1, false), 10},
	} {
		if float32(pair[0]) != float32(pair[1]) {
			t.Errorf("%s: factor %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestFirstStep(t *testing.T) {
	p := firstStep{order: 5, span: 1}
	if got := p.probe(2, 4); !numtest.Near(got, 0.005, 1e-9) {
		t.Errorf("probe %v, want a hundredth of |x|/|v|", got)
	}
	if got := p.probe(2, 0); !numtest.Near(got, leastProbe, 1e-11) {
		t.Errorf("probe %v where nothing moves", got)
	}
	if got := p.probe(1e9, 1); got != 1 {
		t.Errorf("probe %v is more than the span", got)
	}
	// the velocity counts where it is steeper
	if got := p.size(0.01, 1, 32*0.01); !numtest.Near(got, math.Pow(0.01, 0.2), 1e-7) {
		t.Errorf("size %v", got)
	}
	if got := p.size(0.01, 1, 320); !numtest.Near(got, math.Pow(0.01/320, 0.2), 1e-7) {
		t.Errorf("size %v", got)
	}
	for _, d2 := range []float64{math.Inf(1), math.NaN()} {
		if got := p.size(0.01, 1, d2); !numtest.Near(got, 1e-5, 1e-11) {
			t.Errorf("size %v after a probe to %v", got, d2)
		}
	}
}
