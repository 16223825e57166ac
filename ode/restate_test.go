package ode_test

import (
	"fmt"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/ode/odetest"
)

// A switched is the field v = t, with a term of 1 that acts for t within [from, to].
type switched struct {
	from, to    float32
	acts, acted bool
}

func (s *switched) Velocity(v, _, t []float32, _ []int) {
	copy(v, t)
	s.acted, s.acts = s.acts, t[0] >= s.from && t[0] <= s.to
	if s.acts {
		for i := range v {
			v[i]++
		}
	}
}

func (s *switched) Restate(v []float32) {
	for i := range v {
		switch {
		case s.acts && !s.acted:
			v[i]++
		case s.acted && !s.acts:
			v[i]--
		}
	}
}

// TestRestates: a term that acts in some steps moves the state by its size in each of these, and
// changes nothing of how the rest is extrapolated. Without restating, the state would be half a
// step ahead while the term acts. After Euler's first step of v = t, which misses h²/2, adams2 is
// exact; abm2 corrects that step.
func TestRestates(t *testing.T) {
	const steps, h = 8, 0.125
	for name, missed := range map[string][2]float64{ // after the first step, and after others
		"adams2": {h * h / 2, h * h / 2},
		"abm2":   {h * h / 2, 0},
	} {
		for _, c := range []struct{ from, to float32 }{{0.25, 0.5}, {0, 0.3}, {0.5, 1}, {0.5, 0.5}, {0.55, 0.6}, {0, 1}} {
			t.Run(fmt.Sprint(name, " ", c.from, " to ", c.to), func(t *testing.T) {
				f := &switched{from: c.from, to: c.to}
				acting := 0
				solver, err := ode.NewSolver(name, steps, 0)
				if err != nil {
					t.Fatal(err)
				}
				s := solver.Observed(func(step int, at float64, x []float32) {
					want := at*at/2 + float64(acting)*h
					if step > 0 {
						want -= missed[min(step-1, 1)]
					}
					if !numtest.Near(float64(x[0]), want, 1e-6) {
						t.Errorf("step %d: %v, want %v", step, x[0], want)
					}
					if float32(at) >= c.from && float32(at) <= c.to {
						acting++
					}
				})
				for range 2 { // a later call starts afresh
					acting = 0
					odetest.Solve(t, s, f, []float32{0, 0}, 2, 0, 1)
				}
			})
		}
	}
}
