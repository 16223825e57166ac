package numtest

import "math"

// A Mixture is the distribution Σ_k N(m_k, s_k²·I)/K of states of D numbers. Its flow along the
// linear path is known.
type Mixture struct {
	D     int
	Means [][]float64
	Stds  []float64
}

// LogDensity returns log p1(x).
func (g Mixture) LogDensity(x []float32) float64 { return g.logMarginal(x, 1, nil) }

// logMarginal returns log p_t(x), where component k is N(t·m_k, (t·s_k)² + (1−t)²). It sets weights
// to the weights of the components at x.
func (g Mixture) logMarginal(x []float32, t float64, weights []float64) float64 {
	logs, total := make([]float64, len(g.Means)), 0.0
	for k, m := range g.Means {
		variance := t*t*g.Stds[k]*g.Stds[k] + (1-t)*(1-t)
		for j, v := range x {
			r := float64(v) - t*m[j]
			logs[k] -= (r*r/variance + math.Log(2*math.Pi*variance)) / 2
		}
		logs[k] -= math.Log(float64(len(g.Means)))
		total += math.Exp(logs[k])
	}
	for k := range weights {
		weights[k] = math.Exp(logs[k]) / total
	}
	return math.Log(total)
}

// Divergence is that of the interface in package ode. With w_k the weight of component k at x, the
// velocity is v = Σ_k w_k·v_k, v_k = m_k + a_k·(x − t·m_k), a_k = (t·s_k² − (1−t))/variance. So the
// divergence is ∇·v = Σ_k w_k·(d·a_k + (g_k − ḡ)·v_k), where g_k = ∇ log N_k and ḡ = Σ_k w_k·g_k.
// Several numbers of a state are multiples: twice the divergence in the second.
func (g Mixture) Divergence(v []float32, div []float64, x, t []float32, _ []int) {
	numbers := len(div) / len(t)
	w, mean := make([]float64, len(g.Means)), make([]float64, g.D)
	for i := range t {
		at, xi, vi := float64(t[i]), x[i*g.D:(i+1)*g.D], make([]float64, g.D)
		g.logMarginal(xi, at, w)
		clear(mean)
		var trace float64
		pass := func(f func(k, j int, velocity, score, a float64)) {
			for k, m := range g.Means {
				variance := at*at*g.Stds[k]*g.Stds[k] + (1-at)*(1-at)
				a := (at*g.Stds[k]*g.Stds[k] - (1 - at)) / variance
				for j := range g.D {
					r := float64(xi[j]) - at*m[j]
					f(k, j, m[j]+a*r, -r/variance, a)
				}
			}
		}
		pass(func(k, j int, velocity, score, _ float64) {
			vi[j] += w[k] * velocity
			mean[j] += w[k] * score
		})
		pass(func(k, j int, velocity, score, a float64) { trace += w[k] * (a + (score-mean[j])*velocity) })
		for j := range g.D {
			v[i*g.D+j] = float32(vi[j])
		}
		for k := range numbers {
			div[i*numbers+k] = float64(k+1) * trace
		}
	}
}

// Mixtures have one or several components, in one or several dimensions.
var Mixtures = []Mixture{
	{D: 1, Means: [][]float64{{0.7}}, Stds: []float64{0.4}},
	{D: 3, Means: [][]float64{{-1, 0.5, 2}}, Stds: []float64{0.6}},
	{D: 1, Means: [][]float64{{-1.5}, {1}}, Stds: []float64{0.4, 0.3}},
	{D: 2, Means: [][]float64{{-1, -1}, {1.5, 0}, {0, 2}}, Stds: []float64{0.5, 0.3, 0.4}},
}

// States returns n states around the mean of the first component.
func (g Mixture) States(n int) []float32 {
	x := Normals(n*g.D, 9)
	for i := range x {
		x[i] = float32(g.Means[0][i%g.D] + 1.2*g.Stds[0]*float64(x[i]))
	}
	return x
}
