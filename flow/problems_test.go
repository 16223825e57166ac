package flow

import (
	"math"
)

// A problem is a differential equation with a known solution, for states of d numbers.
type problem struct {
	name string
	d    int
	rate func(v, x []float64, t float64)
	// exact returns in x the solution at t of the state that was x0 at time 0.
	exact func(x, x0 []float64, t float64)
	start [][]float64 // states at time 0

	expands bool // backward in time: float32's rounding grows more than a hundredfold
}

// problems cover what the order conditions see: linear ones only the chains among the trees, nonlinear ones all,
// and those that depend on time the nodes c.
var problems = []problem{
	{
		name: "linear", d: 2, // a rotation that decays
		rate: func(v, x []float64, _ float64) {
			v[0], v[1] = -0.3*x[0]-4*x[1], 4*x[0]-0.3*x[1]
		},
		exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, 4*t)
			decay := math.Exp(-0.3 * t)
			x[0], x[1] = decay*x[0], decay*x[1]
		},
		start: [][]float64{{1, 0}, {-0.5, 0.7}, {0.2, -1.5}},
	},
	{
		name: "nonlinear", d: 2, // a rotation at a speed of the radius squared
		rate: func(v, x []float64, _ float64) {
			speed := x[0]*x[0] + x[1]*x[1]
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, (x0[0]*x0[0]+x0[1]*x0[1])*t)
		},
		start: [][]float64{{2, 0}, {-1.2, 1.2}, {0.3, -1.9}},
	},
	{
		name: "non-autonomous", d: 2, // a rotation that gets faster
		rate: func(v, x []float64, t float64) {
			speed := 1 + 6*t
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		exact: func(x, x0 []float64, t float64) { rotate(x, x0, t+3*t*t) },
		start: [][]float64{{1, 0}, {-0.5, 0.7}},
	},
	{
		name: "nonlinear non-autonomous", d: 2, // both together
		rate: func(v, x []float64, t float64) {
			speed := (x[0]*x[0] + x[1]*x[1]) * (0.5 + t)
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, (x0[0]*x0[0]+x0[1]*x0[1])*(t+t*t)/2)
		},
		start: [][]float64{{1.5, 0}, {-0.9, 1.2}, {0.3, -1.4}},
	},
	{
		name: "logistic", d: 1,
		rate: func(v, x []float64, _ float64) { v[0] = 5 * x[0] * (1 - x[0]) },
		exact: func(x, x0 []float64, t float64) {
			grown := x0[0] * math.Exp(5*t)
			x[0] = grown / (1 - x0[0] + grown)
		},
		start:   [][]float64{{0.05}, {0.1}, {0.2}},
		expands: true,
	},
	{
		name: "Riccati", d: 1,
		rate: func(v, x []float64, t float64) { v[0] = -8 * t * x[0] * x[0] },
		exact: func(x, x0 []float64, t float64) {
			x[0] = x0[0] / (1 + 4*x0[0]*t*t)
		},
		start:   [][]float64{{1}, {0.6}, {2}},
		expands: true,
	},
}

// field evaluates p in float64 at the float32 times and states of the batch.
func (p problem) field() FieldFunc {
	v64, x64 := make([]float64, p.d), make([]float64, p.d)
	return func(v, x, t []float32, _ []int) {
		for i, ti := range t {
			for j := range p.d {
				x64[j] = float64(x[i*p.d+j])
			}
			p.rate(v64, x64, float64(ti))
			for j := range p.d {
				v[i*p.d+j] = float32(v64[j])
			}
		}
	}
}

// at returns the batch of solutions at time t.
func (p problem) at(t float64) []float32 {
	var batch []float32
	x := make([]float64, p.d)
	for _, x0 := range p.start {
		p.exact(x, x0, t)
		for _, v := range x {
			batch = append(batch, float32(v))
		}
	}
	return batch
}

// distance returns the root mean square of a−b.
func distance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		e := float64(a[i]) - float64(b[i])
		sum += e * e
	}
	return math.Sqrt(sum / float64(len(a)))
}

// rotate turns x0 by an angle.
func rotate(x, x0 []float64, angle float64) {
	sin, cos := math.Sincos(angle)
	x[0], x[1] = cos*x0[0]-sin*x0[1], sin*x0[0]+cos*x0[1]
}
