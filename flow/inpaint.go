package flow

import (
	"context"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// A Known holds the numbers of a batch that are known: those of Data where Mask is true.
type Known struct {
	Data []float32 // as long as the batch
	Mask []bool    // as long as the batch
}

// put sets the known numbers of state i to their place on the path at c, with the noise eps: σ·ε +
// α·data.
func (k Known) put(x []float32, i, d int, eps []float32, c Coefficients) {
	for j := range d {
		if at := i*d + j; k.Mask[at] {
			x[at] = float32(float64(c.Sigma*float64(eps[j])) + float64(c.Alpha*float64(k.Data[at])))
		}
	}
}

// A Resampling draws the unknown numbers of states given the known ones, with a field that was not
// trained for it (Lugmayr et al. 2022, "RePaint", algorithm 1, for a flow). Before each step the
// known numbers are put where the path has them, with fresh noise. The step then moves the unknown
// numbers among them. One such step fits the unknown numbers to the known ones only a little. So
// each step is taken several times. Between two tries the state goes back along the path, with new
// noise, until both kinds of numbers agree.
type Resampling struct {
	Path  Schedule
	Steps int // equal steps from noise to data, each by the midpoint method
	Times int // how often each step is taken; at least 1
	// Observe, when not nil, is shown the states at the start and after each step, taken as often
	// as Times says.
	Observe ode.Observer
}

// show shows the states after a step to the observer.
func (r Resampling) show(step int, x []float32) {
	if r.Observe != nil {
		r.Observe(step, float64(step)/float64(r.Steps), x)
	}
}

// Solve moves n states in x from standard normal noise at t = 0 to states at t = 1 that have the
// known numbers. noise must fill eps with the standard normal numbers of a state and a draw. The
// draws of a state count from 0. An error is ctx.Err() or wraps [ode.ErrNotFinite].
func (r Resampling) Solve(
	ctx context.Context, f ode.Field, x []float32, n int, known Known, noise func(state, draw int, eps []float32),
) error {
	d := states.Size(len(x), n)
	if len(known.Data) != len(x) || len(known.Mask) != len(x) || r.Steps < 1 || r.Times < 1 {
		panic(fmt.Sprintf("flow: resampling of %d numbers with %d and %d known, %d steps %d times",
			len(x), len(known.Data), len(known.Mask), r.Steps, r.Times))
	}
	step, eps, draw := ode.Fixed(ode.Midpoint, 1), make([]float32, d), 0
	each := func(do func(i int)) {
		for i := range n {
			noise(i, draw, eps)
			do(i)
		}
		draw++
	}
	r.show(0, x)
	for k := range r.Steps {
		if k > 0 {
			r.show(k, x)
		}
		from, to := float64(k)/float64(r.Steps), float64(k+1)/float64(r.Steps)
		a, b := r.Path.At(from), r.Path.At(to)
		times := r.Times
		if k == 0 {
			times = 1 // going back to t = 0 would lose everything
		}
		for i := range times {
			if i > 0 {
				each(func(i int) { renoise(x[i*d:(i+1)*d], eps, a, b) })
			}
			each(func(i int) { known.put(x, i, d, eps, a) })
			if _, err := step.Solve(ctx, f, x, n, from, to); err != nil {
				return err
			}
		}
	}
	for i := range n {
		known.put(x, i, d, eps, Coefficients{Alpha: 1})
	}
	r.show(r.Steps, x)
	return nil
}

// renoise moves a state from the later place b of the path back to a. It is the step of the Markov
// chain from data to noise, which leads to the distribution at a: x_a = (α_a/α_b)·x_b + √(σ_a² −
// (α_a·σ_b/α_b)²)·ε.
func renoise(x, eps []float32, a, b Coefficients) {
	shrink := a.Alpha / b.Alpha
	fresh := math.Sqrt(max(0, a.Sigma*a.Sigma-shrink*shrink*b.Sigma*b.Sigma))
	for j := range x {
		x[j] = float32(float64(shrink*float64(x[j])) + float64(fresh*float64(eps[j])))
	}
}

// A PullbackField is a field whose Jacobian can be multiplied from the left.
type PullbackField interface {
	ode.Field
	// Pullback sets dx = Jᵀ·dv, J = ∂v/∂x at the x and t of the last call of Velocity.
	Pullback(dx, dv []float32)
}

// Guide returns f drawn towards the known numbers, for the linear path. It follows the gradient of
// how well the guess of the data by f fits the known numbers (Song et al. 2023,
// "Pseudoinverse-guided diffusion models"; Pokle et al. 2024, "Training-free linear image inversion
// via flows", algorithm 1). With the guess x̂1 = x + (1−t)·v,
//
//	v' = v − w·(I + (1−t)·J)ᵀ·(x̂1 − data on the mask),   w = ((1−t)² + t²)/(t·(1−t)).
//
// For data of unit variance this is E[u | x_t, known]. w grows without bound towards both ends, so
// it is bounded here. The field keeps known, and has buffers: it is for one goroutine.
func Guide(f PullbackField, known Known) ode.Field { return &guided{f: f, known: known} }

// maxGuide bounds the weight w of [Guide].
const maxGuide = 20

type guided struct {
	f       PullbackField
	known   Known
	dv, dx  []float32
	missing []float32 // x̂1 − data, and 0 for unknown numbers
}

// Velocity implements [ode.Field].
func (g *guided) Velocity(v, x, t []float32, index []int) {
	g.f.Velocity(v, x, t, index)
	d := states.Size(len(x), len(t))
	g.dv, g.dx, g.missing = states.Sized(g.dv, len(x)), states.Sized(g.dx, len(x)), states.Sized(g.missing, len(x))
	for i, k := range index {
		left := 1 - t[i]
		for j := i * d; j < (i+1)*d; j++ {
			g.missing[j] = 0
			if at := k*d + j - i*d; g.known.Mask[at] {
				g.missing[j] = x[j] + float32(left*v[j]) - g.known.Data[at]
			}
			g.dv[j] = left * g.missing[j]
		}
	}
	g.f.Pullback(g.dx, g.dv)
	for i := range t {
		at := float64(t[i])
		w := float32(min(maxGuide, ((1-at)*(1-at)+at*at)/max(at*(1-at), 1e-6)))
		for j := i * d; j < (i+1)*d; j++ {
			v[j] -= float32(w * (g.missing[j] + g.dx[j]))
		}
	}
}

// Slerp sets y to the point a share s of the way from a to b along the arc between them, on which
// the angle changes evenly. Between two vectors of normal noise the length hardly changes on the
// arc. The straight line would pass through lengths that noise never has. All have the same length;
// y may be a or b. Vectors with the same or opposite directions are interpolated along the straight
// line.
func Slerp(y, a, b []float32, s float64) {
	var aa, bb, ab float64
	for i := range y {
		u, v := float64(a[i]), float64(b[i])
		aa, bb, ab = aa+float64(u*u), bb+float64(v*v), ab+float64(u*v)
	}
	wa, wb := 1-s, s
	if cos := ab / math.Sqrt(aa*bb); math.Abs(cos) < 1-1e-9 { // false for NaN
		angle := math.Acos(cos)
		wa, wb = math.Sin((1-s)*angle)/math.Sin(angle), math.Sin(s*angle)/math.Sin(angle)
	}
	blend(y, a, b, wa, wb)
}
