package ode

import (
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// A controller chooses step sizes from error estimates: the proportional-integral controller of
// Hairer and Wanner, "Solving Ordinary Differential Equations II", equation IV.2.43c, with the constants of their
// program DOPRI5. After an accepted step of scaled error err ≤ 1 (1 is just tolerated), with the error
// before it as memory,
//
//	h_new/h = safety · err^(−α) · memory^β,   β = 0.04,   α = 1/(q+1) − 0.75·β,
//
// where q is the order of the weaker method of the pair.
type controller struct{ alpha float64 }

const (
	controllerBeta   = 0.04
	controllerSafety = 0.9
	shrinkMost       = 0.2
	growMost         = 10.0
	memoryLeast      = 1e-4 // also the memory before the first step
)

func newController(embeddedOrder int) controller {
	return controller{alpha: 1/float64(embeddedOrder+1) - 0.75*controllerBeta}
}

// accepted returns the factor for the step size after an accepted step. Right after a rejection it does not
// grow, as the error would most likely exceed the tolerance again.
func (c controller) accepted(err, memory float64, afterRejection bool) float64 {
	most := growMost
	if afterRejection {
		most = 1
	}
	factor := controllerSafety * math.Pow(err, -c.alpha) * math.Pow(memory, controllerBeta)
	return coarse(min(max(factor, shrinkMost), most))
}

// rejected returns the factor for the step size after a rejected step, err > 1 or NaN.
func (c controller) rejected(err float64) float64 {
	if math.IsNaN(err) {
		return shrinkMost
	}
	return coarse(max(controllerSafety*math.Pow(err, -c.alpha), shrinkMost))
}

// coarse rounds x to 24 bits, as the last ones of math.Pow differ between architectures.
func coarse(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	return math.Ldexp(float64(float32(fraction)), exponent)
}

// firstStep returns the size of a first step of a method of that order within span > 0, by the algorithm of
// Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I", section II.4: d0, d1 and d2 are
// the scaled norms of x, of v and of the derivative of v, which probe(h) finds by an Euler step of size h.
type firstStep struct {
	order int
	span  float64
}

// leastProbe is the probing step, as a share of the span, where the norms say nothing. The book has 1e-6, with
// which float32 velocities would differ by their rounding alone.
const leastProbe = 1e-4

// probe returns the size of the Euler step.
func (p firstStep) probe(d0, d1 float64) float64 {
	if d0 < 1e-5 || d1 < 1e-5 {
		return coarse(leastProbe * p.span)
	}
	return coarse(min(0.01*d0/d1, p.span))
}

// size returns the size of the first step from that of the probe. Where the probe overflowed it is far below
// that.
func (p firstStep) size(probe, d1, d2 float64) float64 {
	steepest := max(d1, d2)
	if !states.Finite(steepest) {
		return coarse(1e-3 * probe)
	}
	h := max(leastProbe*p.span, probe*1e-3)
	if steepest > 1e-15 {
		h = math.Pow(0.01/steepest, 1/float64(p.order))
	}
	return coarse(min(100*probe, h, p.span))
}
