package ode

import (
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// A controller chooses step sizes from error estimates. It is the proportional-integral controller
// of Hairer and Wanner, "Solving Ordinary Differential Equations II", equation IV.2.43c, with the
// constants of their program DOPRI5. The scaled error err of a step is 1 when the step is just
// tolerated. After an accepted step,
//
//	h_new/h = safety · err^(−α) · memory^β,   β = 0.04,   α = 1/(q+1) − 0.75·β,
//
// where memory is the error of the accepted step before, and q the order of the weaker method of
// the pair.
type controller struct{ alpha float64 }

const (
	controllerBeta   = 0.04
	controllerSafety = 0.9
	shrinkMost       = 0.2
	growMost         = 10.0
	memoryLeast      = 1e-4 // and the memory before the first step
)

func newController(embeddedOrder int) controller {
	return controller{alpha: 1/float64(embeddedOrder+1) - 0.75*controllerBeta}
}

// accepted returns the factor for the step size after an accepted step. Right after a rejection the
// step does not grow, since its error would most likely exceed the tolerance again.
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

// coarse rounds x to 24 bits, because the last bits of math.Pow differ between architectures.
func coarse(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	return math.Ldexp(float64(float32(fraction)), exponent)
}

// firstStep chooses the size of the first step of a method of that order, within span > 0. It is
// the algorithm of Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I", section
// II.4. It needs the scaled norms d0 of x, d1 of v and d2 of the derivative of v. An Euler step of
// size probe finds the last.
type firstStep struct {
	order int
	span  float64
}

// leastProbe is the size of the Euler step, as a share of the span, when the norms say nothing. The
// book has 1e-6. Over such a step float32 velocities would differ by their rounding alone.
const leastProbe = 1e-4

// probe returns the size of the Euler step.
func (p firstStep) probe(d0, d1 float64) float64 {
	if d0 < 1e-5 || d1 < 1e-5 {
		return coarse(leastProbe * p.span)
	}
	return coarse(min(0.01*d0/d1, p.span))
}

// size returns the size of the first step from the size of the Euler step. It is far smaller when
// the Euler step overflowed.
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
