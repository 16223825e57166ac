package bijection

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// A Conditioner is the network of an [AffineCoupling]. It may be any function, as it never has to
// be inverted.
type Conditioner interface {
	// Forward sets y from n states x. y has two numbers for each number of x.
	Forward(y, x []float32, n int)
	// Backward sets dx, the gradient by the x of the last Forward, for dy the gradient by its y. It
	// adds to the gradients of parameters.
	Backward(dx, dy []float32, n int)
}

// An AffineCoupling is the affine coupling layer (Dinh et al. 2017, equation 9). Some numbers of a
// state, where the mask is set, pass as they are. A network of these numbers says how to scale and
// shift the others:
//
//	y_i = x_i                   where the mask is set,
//	y_i = x_i·exp(s_i) + t_i    elsewhere, (s, t) a function of the masked x.
//
// ∂y/∂x is triangular, so its determinant is the product of the exp(s_i). The inverse needs no
// inverse of the network. s is bounded: with r from the network, s = b·tanh(r/b). So no layer can
// stretch space without bound.
type AffineCoupling struct {
	mask  []bool
	moved []movedNumber
	net   Conditioner
	bound float64

	s, t         []float32 // of each moved number, from the last pass
	x, y, dx, dy []float32 // inputs and outputs of the network
}

// A movedNumber is a number that is not masked: its place in a state, and the places of its r and t
// among the outputs of the network.
type movedNumber struct{ at, scale, shift int }

// NewAffineCoupling makes a layer over states of pixels with channels, [pixels][channels]. A state
// without this structure is one pixel. The outputs of the network are [pixels][2·channels]: the r
// of a pixel before its t. bound is the largest |s|.
func NewAffineCoupling(mask []bool, channels int, bound float64, net Conditioner) *AffineCoupling {
	if len(mask)%channels != 0 || !(bound > 0) {
		panic(fmt.Sprintf("bijection: affine coupling of %d numbers in pixels of %d, scales up to %v",
			len(mask), channels, bound))
	}
	c := &AffineCoupling{mask: mask, net: net, bound: bound}
	for i, still := range mask {
		if !still {
			out := i/channels*2*channels + i%channels
			c.moved = append(c.moved, movedNumber{i, out, out + channels})
		}
	}
	return c
}

// condition computes s and t of n states.
func (c *AffineCoupling) condition(x []float32, n int) {
	d := c.stateSize(x, n)
	c.x, c.y = states.Sized(c.x, n*d), states.Sized(c.y, 2*n*d)
	c.s, c.t = states.Sized(c.s, n*len(c.moved)), states.Sized(c.t, n*len(c.moved))
	for i, v := range x {
		if !c.mask[i%d] {
			v = 0
		}
		c.x[i] = v
	}
	c.net.Forward(c.y, c.x, n)
	k := 0
	for i := range n {
		y := c.y[2*i*d : 2*(i+1)*d]
		for _, m := range c.moved {
			c.s[k] = float32(c.bound * math.Tanh(float64(y[m.scale])/c.bound))
			c.t[k] = y[m.shift]
			k++
		}
	}
}

// stateSize returns the size of a state.
func (c *AffineCoupling) stateSize(x []float32, n int) int {
	if len(x) != n*len(c.mask) {
		panic(fmt.Sprintf("bijection: affine coupling of %d numbers: %d for %d states", len(c.mask), len(x), n))
	}
	return len(c.mask)
}

// Normalise implements [Bijection].
func (c *AffineCoupling) Normalise(x []float32, logDet []float64) {
	n := len(logDet)
	c.condition(x, n)
	d, k := len(c.mask), 0
	for i := range n {
		sum := 0.0
		for _, m := range c.moved {
			v := &x[i*d+m.at]
			s := float64(c.s[k])
			*v = float32(float64(float64(*v)*math.Exp(s)) + float64(c.t[k]))
			sum += s
			k++
		}
		logDet[i] += sum
	}
}

// Generate implements [Bijection].
func (c *AffineCoupling) Generate(y []float32, n int) {
	c.condition(y, n)
	d, k := len(c.mask), 0
	for i := range n {
		for _, m := range c.moved {
			v := &y[i*d+m.at]
			*v = float32((float64(*v) - float64(c.t[k])) * math.Exp(-float64(c.s[k])))
			k++
		}
	}
}

// Backward implements [Bijection]. With u = y − t = x·exp(s) and a bar for gradients, the gradients
// by
//
//	x: ȳ·exp(s),   s: ȳ·u + that by the log-determinant,   t: ȳ,   r: s̄·(1 − tanh²).
func (c *AffineCoupling) Backward(y, dy []float32, dLogDet []float64) {
	n := len(dLogDet)
	d, k := c.stateSize(y, n), 0
	c.dx, c.dy = states.Sized(c.dx, n*d), states.Sized(c.dy, 2*n*d)
	clear(c.dy)
	for i := range n {
		out := c.dy[2*i*d : 2*(i+1)*d]
		for _, m := range c.moved {
			v, g := &y[i*d+m.at], &dy[i*d+m.at]
			s, u, dv := float64(c.s[k]), float64(*v)-float64(c.t[k]), float64(*g)
			tanh := s / c.bound
			out[m.scale] = float32((float64(dv*u) + dLogDet[i]) * (1 - float64(tanh*tanh)))
			out[m.shift] = *g
			*v, *g = float32(u*math.Exp(-s)), float32(dv*math.Exp(s))
			k++
		}
	}
	c.net.Backward(c.dx, c.dy, n)
	for i, g := range c.dx {
		if c.mask[i%d] {
			dy[i] += g
		}
	}
}

// A Parameter holds numbers that are trained, and their gradient, to which passes add. The owner
// may change Grad between passes.
type Parameter struct{ Values, Grad []float32 }

// An ActNorm scales and shifts each channel: y = x·exp(w) + b. Its first parameters give a batch
// mean 0 and deviation 1 (Kingma and Dhariwal 2018, "Glow", section 3.1). This makes deep flows
// trainable without batch normalisation.
type ActNorm struct{ LogScale, Shift *Parameter }

// NewActNorm makes the layer. The parameters hold one number for each channel, and may be 0.
func NewActNorm(logScale, shift *Parameter) *ActNorm {
	if len(logScale.Values) == 0 || len(logScale.Values) != len(shift.Values) {
		panic(fmt.Sprintf("bijection: activation norm of %d scales and %d shifts",
			len(logScale.Values), len(shift.Values)))
	}
	return &ActNorm{logScale, shift}
}

// Normalise implements [Bijection].
func (a *ActNorm) Normalise(x []float32, logDet []float64) {
	w, b := a.LogScale.Values, a.Shift.Values
	for c := range w {
		scale := math.Exp(float64(w[c]))
		for i := c; i < len(x); i += len(w) {
			x[i] = float32(float64(float64(x[i])*scale) + float64(b[c]))
		}
	}
	each := a.logDet(len(x), len(logDet))
	for i := range logDet {
		logDet[i] += each
	}
}

// logDet returns the log-determinant of a state. n states take length numbers together.
func (a *ActNorm) logDet(length, n int) float64 {
	sum := 0.0
	for _, w := range a.LogScale.Values {
		sum += float64(w)
	}
	return sum * float64(states.Size(length, n)/len(a.LogScale.Values))
}

// Generate implements [Bijection].
func (a *ActNorm) Generate(y []float32, _ int) {
	w, b := a.LogScale.Values, a.Shift.Values
	for c := range w {
		scale := math.Exp(-float64(w[c]))
		for i := c; i < len(y); i += len(w) {
			y[i] = float32((float64(y[i]) - float64(b[c])) * scale)
		}
	}
}

// Backward implements [Bijection].
func (a *ActNorm) Backward(y, dy []float32, dLogDet []float64) {
	w, b := a.LogScale.Values, a.Shift.Values
	pixels, all := float64(states.Size(len(y), len(dLogDet))/len(w)), 0.0
	for _, g := range dLogDet {
		all += g
	}
	for c := range w {
		scale, dScale, dShift := math.Exp(float64(w[c])), pixels*all, 0.0
		for i := c; i < len(y); i += len(w) {
			u, g := float64(y[i])-float64(b[c]), float64(dy[i])
			dScale += float64(g * u)
			dShift += g
			y[i], dy[i] = float32(u/scale), float32(g*scale)
		}
		a.LogScale.Grad[c] += float32(dScale)
		a.Shift.Grad[c] += float32(dShift)
	}
}

// leastDeviation is the deviation that is taken for a channel in which the data does not vary.
const leastDeviation = 1e-3

// Initialise implements [Initialiser].
func (a *ActNorm) Initialise(x []float32, n int) {
	channels := len(a.LogScale.Values)
	for c := range channels {
		var sum, squares float64
		for i := c; i < len(x); i += channels {
			sum += float64(x[i])
			squares += float64(float64(x[i]) * float64(x[i]))
		}
		count := float64(len(x) / channels)
		mean := sum / count
		deviation := max(math.Sqrt(max(squares/count-float64(mean*mean), 0)), leastDeviation)
		a.LogScale.Values[c] = float32(-math.Log(deviation))
		a.Shift.Values[c] = float32(-mean / deviation)
	}
	a.Normalise(x, make([]float64, n))
}

// A Logit takes numbers between two bounds, such as pixels, to the whole line. It is y = logit(α +
// (1 − 2α)·s), where s is the place of x between Low and High, from 0 to 1. It keeps the density of
// bounded data from piling up at the bounds (Dinh et al. 2017, section 4.1, with α at both ends).
type Logit struct{ Alpha, Low, High float64 }

// rate returns the derivative by x of p = α + (1 − 2α)·s, the argument of the logit.
func (l Logit) rate() float64 { return (1 - 2*l.Alpha) / (l.High - l.Low) }

// Normalise implements [Bijection].
func (l Logit) Normalise(x []float32, logDet []float64) {
	d, rate := states.Size(len(x), len(logDet)), l.rate()
	for i := range logDet {
		sum := 0.0
		for k, v := range x[i*d : (i+1)*d] {
			p := l.Alpha + float64(rate*(float64(v)-l.Low))
			x[i*d+k] = float32(math.Log(p) - math.Log1p(-p))
			sum += math.Log(rate/p) - math.Log1p(-p)
		}
		logDet[i] += sum
	}
}

// Generate implements [Bijection].
func (l Logit) Generate(y []float32, _ int) {
	for i, v := range y {
		y[i] = float32(l.undo(float64(v)))
	}
}

func (l Logit) undo(y float64) float64 { return l.Low + float64((1/(1+math.Exp(-y))-l.Alpha)/l.rate()) }

// Backward implements [Bijection]. With y the logit of p, ∂y/∂x = p'/(p(1−p)), and the derivative
// of the log-determinant by x is ∂y/∂x·(2p − 1).
func (l Logit) Backward(y, dy []float32, dLogDet []float64) {
	d, rate := states.Size(len(y), len(dLogDet)), l.rate()
	for i, v := range y {
		p := 1 / (1 + math.Exp(-float64(v)))
		slope := rate / (p * (1 - p))
		dy[i] = float32(slope * (float64(dy[i]) + float64(dLogDet[i/d]*(2*p-1))))
		y[i] = float32(l.undo(float64(v)))
	}
}
