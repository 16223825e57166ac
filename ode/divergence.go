package ode

import (
	"context"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// A DivergenceField is a velocity field that also tells its divergence.
type DivergenceField interface {
	// Divergence sets v as the Velocity of a [Field] does. It sets div to m = len(div)/len(t)
	// numbers for each state, state after state. Each number is ∇·v(x, t) or an estimate of it.
	// During a call of Solve an estimate must be one function of x and t: its random directions
	// must stay, or no solver can integrate it.
	Divergence(v []float32, div []float64, x, t []float32, index []int)
}

// A LogDetSolver is a [Solver] that integrates the divergence along the trajectories. The solvers
// of [Fixed] and [Adaptive] do.
type LogDetSolver interface {
	Solver
	// SolveLogDet does what Solve does. It also sets logDet to len(logDet)/n numbers for each
	// state: the integrals from t0 to t1 of the numbers that f sets as its divergence, along the
	// trajectory of the state. The integral of a true divergence is log |det ∂x(t1)/∂x(t0)| (Chen
	// et al. 2018, "Neural Ordinary Differential Equations", theorem 1).
	SolveLogDet(
		ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64,
	) (Stats, error)
}

// logDets are the integrals of a divergence along the states of a batch, beside the stages of the
// solver.
type logDets struct {
	f   DivergenceField // nil when no divergence is integrated
	m   int             // numbers for each state
	k   [][]float64     // for each stage, the divergences of the states under way
	out []float64       // the caller's integrals
}

// reset prepares for s stages of n states. Without a divergence m is 0, and all other methods do
// nothing.
func (l *logDets) reset(f DivergenceField, out []float64, s, n int) {
	l.f, l.out, l.m = f, out, 0
	if f == nil {
		return
	}
	if len(out) == 0 || len(out)%n != 0 {
		panic(fmt.Sprintf("ode: %d log-determinants do not belong to %d states", len(out), n))
	}
	l.m = len(out) / n
	clear(out)
	for len(l.k) < s {
		l.k = append(l.k, nil)
	}
	for i := range l.k[:s] {
		l.k[i] = states.Sized(l.k[i], len(out))
	}
}

// end drops the references to what is the caller's.
func (l *logDets) end() { l.f, l.out = nil, nil }

// advance adds h·Σ_j w[j]·k_j of live state i to the integrals of that state, whose place in the
// batch is index.
func (l *logDets) advance(i, index int, h float64, w []float64) {
	for j := range l.m {
		l.out[index*l.m+j] += l.increment(i*l.m+j, h, w)
	}
}

// increment returns h·Σ_j w[j]·k_j at one place of the stages.
func (l *logDets) increment(at int, h float64, w []float64) float64 {
	var sum float64
	for j, wj := range w {
		if wj != 0 {
			sum += float64(h * wj * l.k[j][at])
		}
	}
	return sum
}

// swap exchanges two stages.
func (l *logDets) swap(i, j int) {
	if l.m > 0 {
		l.k[i], l.k[j] = l.k[j], l.k[i]
	}
}

// errorNorm returns the root mean square of e/(d·tolerance) over the integrals of live state i. The
// error e of a step is divided by the d dimensions, since a log-determinant is a sum over
// dimensions.
func (l *logDets) errorNorm(i, index, d int, h float64, w []float64, tol tolerance) float64 {
	if l.m == 0 {
		return 0
	}
	var total float64
	for j := range l.m {
		scale := tol.abs + float64(tol.rel*math.Abs(l.out[index*l.m+j])/float64(d))
		r := l.increment(i*l.m+j, h, w) / float64(d) / scale
		total += float64(r * r)
	}
	return math.Sqrt(total / float64(l.m))
}

// carry makes the last of s stages of live state i the first of its next step.
func (l *logDets) carry(i, s int) {
	if l.m > 0 {
		copy(l.k[0][i*l.m:(i+1)*l.m], l.k[s-1][i*l.m:(i+1)*l.m])
	}
}

// move moves the first stage of live state from to place to.
func (l *logDets) move(to, from int) {
	if l.m > 0 {
		copy(l.k[0][to*l.m:(to+1)*l.m], l.k[0][from*l.m:(from+1)*l.m])
	}
}

// SlowEnd returns f in another time τ, which passes slowly towards the data: dx/dτ = v(x, t)·t'(τ)
// with t = 1 − (1−τ)^power. Solutions from τ = 1 to 0 and integrals of the divergence are the same
// as those of f.
//
// Towards t = 1 a velocity changes over distances of 1−t. Its divergence is about −1/(1−t) for each
// dimension in which the data is narrow, until the width of the data ends that. Equal steps of t
// cannot follow it there, and equal steps of τ can.
//
// The field keeps buffers, so it is for one goroutine. SlowEnd panics when power is below 1 or not
// finite.
func SlowEnd(f DivergenceField, power float64) DivergenceField {
	if !(power >= 1 && states.Finite(power)) {
		panic(fmt.Sprintf("ode: slow end of power %v", power))
	}
	return &slowedField{f: f, power: power}
}

type slowedField struct {
	f     DivergenceField
	power float64
	t     []float32
}

// Divergence implements [DivergenceField]; t holds times τ.
func (s *slowedField) Divergence(v []float32, div []float64, x, t []float32, index []int) {
	s.t = states.Sized(s.t, len(t))
	for i, tau := range t {
		s.t[i] = float32(1 - math.Pow(1-float64(tau), s.power))
	}
	s.f.Divergence(v, div, x, s.t, index)
	if len(t) == 0 {
		return
	}
	d, m := len(x)/len(t), len(div)/len(t)
	for i, tau := range t {
		rate := s.power * math.Pow(1-float64(tau), s.power-1)
		for j := range v[i*d : (i+1)*d] {
			v[i*d+j] = float32(float64(v[i*d+j]) * rate)
		}
		for j := range div[i*m : (i+1)*m] {
			div[i*m+j] *= rate
		}
	}
}
