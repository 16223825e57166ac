package numtest

import "math"

// A Problem is a differential equation with a known solution, for states of d numbers.
type Problem struct {
	Name string
	D    int
	Rate func(v, x []float64, t float64)
	// Exact returns in x the solution at t of the state that was x0 at time 0.
	Exact func(x, x0 []float64, t float64)
	Start [][]float64 // states at time 0

	Expands bool // backward in time, where float32's rounding grows more than a hundredfold
}

// Problems cover all order conditions. Linear problems see only the chains among the rooted trees,
// nonlinear ones see all trees, and those that depend on time see the times C of a tableau.
var Problems = []Problem{
	{
		Name: "linear", D: 2, // a rotation that decays
		Rate: func(v, x []float64, _ float64) {
			v[0], v[1] = -0.3*x[0]-4*x[1], 4*x[0]-0.3*x[1]
		},
		Exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, 4*t)
			decay := math.Exp(-0.3 * t)
			x[0], x[1] = decay*x[0], decay*x[1]
		},
		Start: [][]float64{{1, 0}, {-0.5, 0.7}, {0.2, -1.5}},
	},
	{
		Name: "nonlinear", D: 2, // a rotation at a speed of the radius squared
		Rate: func(v, x []float64, _ float64) {
			speed := x[0]*x[0] + x[1]*x[1]
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		Exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, (x0[0]*x0[0]+x0[1]*x0[1])*t)
		},
		Start: [][]float64{{2, 0}, {-1.2, 1.2}, {0.3, -1.9}},
	},
	{
		Name: "non-autonomous", D: 2, // a rotation that gets faster
		Rate: func(v, x []float64, t float64) {
			speed := 1 + 6*t
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		Exact: func(x, x0 []float64, t float64) { rotate(x, x0, t+3*t*t) },
		Start: [][]float64{{1, 0}, {-0.5, 0.7}},
	},
	{
		Name: "nonlinear non-autonomous", D: 2, // both together
		Rate: func(v, x []float64, t float64) {
			speed := (x[0]*x[0] + x[1]*x[1]) * (0.5 + t)
			v[0], v[1] = -speed*x[1], speed*x[0]
		},
		Exact: func(x, x0 []float64, t float64) {
			rotate(x, x0, (x0[0]*x0[0]+x0[1]*x0[1])*(t+t*t)/2)
		},
		Start: [][]float64{{1.5, 0}, {-0.9, 1.2}, {0.3, -1.4}},
	},
	{
		Name: "logistic", D: 1,
		Rate: func(v, x []float64, _ float64) { v[0] = 5 * x[0] * (1 - x[0]) },
		Exact: func(x, x0 []float64, t float64) {
			grown := x0[0] * math.Exp(5*t)
			x[0] = grown / (1 - x0[0] + grown)
		},
		Start:   [][]float64{{0.05}, {0.1}, {0.2}},
		Expands: true,
	},
	{
		Name: "Riccati", D: 1,
		Rate: func(v, x []float64, t float64) { v[0] = -8 * t * x[0] * x[0] },
		Exact: func(x, x0 []float64, t float64) {
			x[0] = x0[0] / (1 + 4*x0[0]*t*t)
		},
		Start:   [][]float64{{1}, {0.6}, {2}},
		Expands: true,
	},
}

// Field evaluates p in float64 at the float32 times and states of the batch.
func (p Problem) Field() func(v, x, t []float32, index []int) {
	v64, x64 := make([]float64, p.D), make([]float64, p.D)
	return func(v, x, t []float32, _ []int) {
		for i, ti := range t {
			for j := range p.D {
				x64[j] = float64(x[i*p.D+j])
			}
			p.Rate(v64, x64, float64(ti))
			for j := range p.D {
				v[i*p.D+j] = float32(v64[j])
			}
		}
	}
}

// At returns the batch of solutions at time t.
func (p Problem) At(t float64) []float32 {
	var batch []float32
	x := make([]float64, p.D)
	for _, x0 := range p.Start {
		p.Exact(x, x0, t)
		for _, v := range x {
			batch = append(batch, float32(v))
		}
	}
	return batch
}

// Distance returns the root mean square of a−b.
func Distance(a, b []float32) float64 {
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

// GaussianField is the marginal velocity of the linear path from N(0,1) to N(m,s²), in closed form:
// x_t ~ N(t·m, V), V = (1−t)² + t²s², and v = m + (t·s² − (1−t))/V·(x − t·m). It carries x0 to m +
// s·x0.
func GaussianField(m, s float64) func(v, x, t []float32, index []int) {
	return func(v, x, t []float32, _ []int) {
		d := len(x) / len(t)
		for i := range x {
			at := float64(t[i/d])
			variance := (1-at)*(1-at) + at*at*s*s
			v[i] = float32(m + (at*s*s-(1-at))/variance*(float64(x[i])-at*m))
		}
	}
}
