package flow

import (
	"fmt"

	"github.com/fmimg/fmimg/ode"
)

// Shift returns the steps that are equal in the shifted time u, where
//
//	t = u / (u + s·(1−u)),   so 1−t = s·(1−u) / (1 + (s−1)·(1−u)).
//
// A shift s above 1 makes steps near noise, t = 0, shorter, and those near the data longer. A shift
// of 1 leaves them equal. The second form is equation 23 of Esser et al. 2024, "Scaling Rectified
// Flow Transformers for High-Resolution Image Synthesis", for the share 1−t of noise; s = 3 is
// their choice for large pictures. Times are those of a path, from 0 to 1. Shift panics when s is
// not above 0.
func Shift(s float64) ode.Spacing {
	if !(s > 0) {
		panic(fmt.Sprintf("flow: shift %v", s))
	}
	return func(i, steps int, t0, t1 float64) float64 {
		switch i { // without the rounding of a way there and back
		case 0:
			return t0
		case steps:
			return t1
		}
		u := ode.TimeOf(i, steps, Unshifted(t0, s), Unshifted(t1, s))
		return u / (u + float64(s*(1-u)))
	}
}

// Unshifted returns the time u that a shift s takes to t, see [Shift].
func Unshifted(t, s float64) float64 {
	return float64(s*t) / (1 + float64((s-1)*t))
}

// Shifted returns a solver of fixed steps with shifted times, see [Shift]. ok is false for a solver
// that chooses its steps itself.
func Shifted(solver ode.Solver, s float64) (shifted ode.Solver, ok bool) {
	spacing, text := Shift(s), "shift "+shortest(s)
	switch solver := solver.(type) {
	case *ode.FixedSteps:
		return solver.Spaced(spacing, text), true
	case *mixingSolver:
		spaced := *solver
		spaced.inner = solver.inner.Spaced(spacing, text)
		return &spaced, true
	}
	return solver, false
}
