package bijection

import (
	"math"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// linearDynamics is v = a·x·(1+t), with one parameter a. Its flow is known: x_t = x0·exp(a·(t +
// t²/2)).
type linearDynamics struct {
	a, da float64
	x     [][]float32
	times []float64
}

func (l *linearDynamics) Evaluate(call int, v, div, x []float32, t float64) {
	for len(l.x) <= call {
		l.x, l.times = append(l.x, nil), append(l.times, 0)
	}
	l.x[call], l.times[call] = append(l.x[call][:0], x...), t
	for i := range x {
		v[i] = float32(l.a * (1 + t) * float64(x[i]))
	}
	for i := range div {
		div[i] = float32(l.a * (1 + t) * float64(len(x)/len(div)))
	}
}

func (l *linearDynamics) Pull(call int, dx, dv, dDiv []float32) {
	grow := 1 + l.times[call]
	for i, g := range dv {
		dx[i] = float32(l.a * grow * float64(g))
		l.da += grow * float64(g) * float64(l.x[call][i])
	}
	for _, g := range dDiv {
		l.da += grow * float64(g) * float64(len(dv)/len(dDiv))
	}
}

// logp returns the density of the linear flow's data, whose deviation is exp(a·3/2).
func (l *linearDynamics) logp(x []float32) float64 {
	s, sum := math.Exp(1.5*l.a), 0.0
	for _, v := range x {
		sum -= float64(v)*float64(v)/(2*s*s) + math.Log(s*math.Sqrt(2*math.Pi))
	}
	return sum
}

// TestCNF compares likelihood and gradient with those of a known flow. Eight steps of order 4 err
// by less than 1e-5 at this speed, and float32 by about 1e-6.
func TestCNF(t *testing.T) {
	const n, d, share = 4, 3, 0.25
	x := numtest.Normals(n*d, 5)
	for _, method := range []*ode.Tableau{ode.RK4, ode.Dopri5} {
		l, c := &linearDynamics{a: 0.4}, &CNF{Method: method, Steps: 8}
		logp := make([]float64, n)
		c.LogProb(l, logp, append([]float32(nil), x...))
		for i, got := range logp {
			if want := l.logp(x[i*d : (i+1)*d]); !numtest.Near(got, want, 1e-4) {
				t.Errorf("%s: log p %v, want %v", method.Name, got, want)
			}
		}
		loss := func(a float64) float64 {
			m, sum := &linearDynamics{a: a}, 0.0
			for i := range n {
				sum -= share * m.logp(x[i*d:(i+1)*d])
			}
			return sum
		}
		if sum := c.Gradient(l, append([]float32(nil), x...), n, share); !numtest.Near(share*sum, loss(0.4), 1e-4) {
			t.Errorf("%s: loss %v, want %v", method.Name, share*sum, loss(0.4))
		}
		const h = 1e-4
		if want := (loss(0.4+h) - loss(0.4-h)) / (2 * h); !numtest.Near(l.da, want, 1e-3) {
			t.Errorf("%s: gradient %v, want %v", method.Name, l.da, want)
		}
		if c.Calls() != 8*len(method.B) || len(l.x) != c.Calls() {
			t.Errorf("%s: %d calls, %d said", method.Name, len(l.x), c.Calls())
		}
	}
}

// TestCNFStepsGradient: gradients are those of the discretised flow, not of its limit. So they
// agree with differences also where steps are few and wrong. Rounding and h² are below 1e-4.
func TestCNFStepsGradient(t *testing.T) {
	const n, h = 3, 1. / 512
	x := numtest.Normals(n*2, 6)
	c := &CNF{Method: ode.Midpoint, Steps: 2}
	loss := func(a float64) float64 {
		logp := make([]float64, n)
		c.LogProb(&linearDynamics{a: a}, logp, append([]float32(nil), x...))
		return -(logp[0] + logp[1] + logp[2])
	}
	l := &linearDynamics{a: 0.7}
	c.Gradient(l, append([]float32(nil), x...), n, 1)
	if want := (loss(0.7+h) - loss(0.7-h)) / (2 * h); !numtest.Near(l.da, want, 1e-3*(1+math.Abs(want))) {
		t.Errorf("gradient %v, differences give %v", l.da, want)
	}
}

// cubicDynamics is v = a·x − b·x³ in each coordinate, whose divergence Σ a − 3b·x² depends on the
// state.
type cubicDynamics struct {
	a, b, da, db float64
	x            [][]float32
}

func (c *cubicDynamics) Evaluate(call int, v, div, x []float32, _ float64) {
	for len(c.x) <= call {
		c.x = append(c.x, nil)
	}
	c.x[call] = append(c.x[call][:0], x...)
	d := len(x) / len(div)
	clear(div)
	for i, xi := range x {
		at := float64(xi)
		v[i] = float32(c.a*at - c.b*at*at*at)
		div[i/d] += float32(c.a - 3*c.b*at*at)
	}
}

func (c *cubicDynamics) Pull(call int, dx, dv, dDiv []float32) {
	d := len(dv) / len(dDiv)
	for i, xi := range c.x[call] {
		at, g, h := float64(xi), float64(dv[i]), float64(dDiv[i/d])
		dx[i] = float32(g*(c.a-3*c.b*at*at) - h*6*c.b*at)
		c.da += g*at + h
		c.db -= g*at*at*at + 3*h*at*at
	}
}

// TestCNFOfCurvedField: gradients pass through divergences that depend on the state, in steps of
// order 4 and of order 2. They agree with differences. Rounding, 2⁻²⁴ of about 10 over h, and h²
// are below 1e-3.
func TestCNFOfCurvedField(t *testing.T) {
	const n, h, b = 3, 1. / 256, -0.05 // below 0: backwards in time states come together
	x := numtest.Normals(n*2, 8)
	for _, c := range []*CNF{{Method: ode.RK4, Steps: 2}, {Method: ode.Midpoint, Steps: 3}} {
		loss := func(a, b float64) float64 {
			logp := make([]float64, n)
			c.LogProb(&cubicDynamics{a: a, b: b}, logp, append([]float32(nil), x...))
			return -(logp[0] + logp[1] + logp[2])
		}
		f := &cubicDynamics{a: 0.5, b: b}
		c.Gradient(f, append([]float32(nil), x...), n, 1)
		for _, p := range []struct {
			name      string
			got, want float64
		}{
			{"a", f.da, (loss(0.5+h, b) - loss(0.5-h, b)) / (2 * h)},
			{"b", f.db, (loss(0.5, b+h) - loss(0.5, b-h)) / (2 * h)},
		} {
			if !numtest.Near(p.got, p.want, 3e-3*(1+math.Abs(p.want))) {
				t.Errorf("%s: gradient by %s is %v, differences give %v", c.Method.Name, p.name, p.got, p.want)
			}
		}
	}
}
