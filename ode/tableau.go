package ode

import (
	"fmt"
	"math"
)

// A Tableau is an explicit Runge-Kutta method with s stages, as the numbers of Butcher's table. One
// step of size h from x at t is
//
//	k_i = v(x + h·Σ_{j<i} A[i][j]·k_j, t + C[i]·h),   x ← x + h·Σ_i B[i]·k_i.
type Tableau struct {
	Name  string
	Order int         // the error of a step is O(h^(Order+1))
	A     [][]float64 // row i has i numbers
	B     []float64   // s weights
	C     []float64   // s times

	// Embedded holds the s weights of a second method, of order EmbeddedOrder. The difference of
	// both methods estimates the error. Embedded is nil when there is no second method.
	Embedded      []float64
	EmbeddedOrder int

	// Dense holds, for each stage, the coefficients of θ, θ², … in the weight b_i(θ). These weights
	// give the solution inside the step, x(t+θh) = x + h·Σ_i b_i(θ)·k_i, to order DenseOrder. Dense
	// may be nil.
	Dense      [][]float64
	DenseOrder int
}

// tableauTolerance bounds the rounding of an order condition: about 20 products of coefficients
// below 20.
const tableauTolerance = 1e-12

// Check verifies the table against the theory: its shape, the sums of its rows (Σ_j A[i][j] =
// C[i]), and every order condition of B, Embedded and Dense up to the order that each claims
// (Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I", section II.2).
func (tab *Tableau) Check() error {
	if err := tab.checkShape(); err != nil {
		return err
	}
	for i, row := range tab.A {
		if sum := sumOf(row); !(math.Abs(sum-tab.C[i]) <= tableauTolerance) {
			return fmt.Errorf("ode: tableau %s: row %d sums to %v, not to c = %v", tab.Name, i, sum, tab.C[i])
		}
	}
	if err := tab.checkOrder("b", tab.B, tab.Order, 1); err != nil {
		return err
	}
	if tab.Embedded != nil {
		if err := tab.checkOrder("embedded", tab.Embedded, tab.EmbeddedOrder, 1); err != nil {
			return err
		}
	}
	return tab.checkDense()
}

// checkShape verifies that the parts fit together and that the method is explicit.
func (tab *Tableau) checkShape() error {
	s := len(tab.B)
	if s == 0 || tab.Order < 1 {
		return fmt.Errorf("ode: tableau %s: %d stages, order %d", tab.Name, s, tab.Order)
	}
	if len(tab.A) != s || len(tab.C) != s {
		return fmt.Errorf("ode: tableau %s: %d rows and %d times for %d weights", tab.Name, len(tab.A), len(tab.C), s)
	}
	for i, row := range tab.A {
		if len(row) != i {
			return fmt.Errorf("ode: tableau %s: row %d has %d numbers; an explicit method has %d there",
				tab.Name, i, len(row), i)
		}
	}
	if tab.Embedded != nil && len(tab.Embedded) != s {
		return fmt.Errorf("ode: tableau %s: %d embedded weights for %d stages", tab.Name, len(tab.Embedded), s)
	}
	if tab.Dense != nil && len(tab.Dense) != s {
		return fmt.Errorf("ode: tableau %s: %d dense weights for %d stages", tab.Name, len(tab.Dense), s)
	}
	return nil
}

// checkOrder verifies the order conditions of weights at θ, Σ_i weights_i·Φ_i(τ) = θ^|τ|/γ(τ), for
// every rooted tree τ with at most order nodes.
func (tab *Tableau) checkOrder(name string, weights []float64, order int, theta float64) error {
	for _, tau := range rootedTrees(order) {
		var got float64
		for i, phi := range tau.elementaryWeights(tab.A) {
			got += weights[i] * phi
		}
		want := math.Pow(theta, float64(tau.nodes)) / tau.density()
		if !(math.Abs(got-want) <= tableauTolerance) {
			return fmt.Errorf("ode: tableau %s: %s weights miss a condition of order %d: %v, not %v",
				tab.Name, name, tau.nodes, got, want)
		}
	}
	return nil
}

// checkDense verifies that the dense weights are B at θ = 1, and that they have their order inside
// the step.
func (tab *Tableau) checkDense() error {
	if tab.Dense == nil {
		return nil
	}
	weights := make([]float64, len(tab.B))
	tab.denseWeights(weights, 1)
	for i, w := range weights {
		if !(math.Abs(w-tab.B[i]) <= tableauTolerance) {
			return fmt.Errorf("ode: tableau %s: dense weight %d ends in %v, not in b = %v", tab.Name, i, w, tab.B[i])
		}
	}
	// with 0 and 1 these fix a polynomial of degree 5
	for _, theta := range []float64{0.2, 0.4, 0.6, 0.8} {
		tab.denseWeights(weights, theta)
		if err := tab.checkOrder("dense", weights, tab.DenseOrder, theta); err != nil {
			return err
		}
	}
	return nil
}

// denseWeights sets w to b(θ), the weights of the solution at t + θ·h.
func (tab *Tableau) denseWeights(w []float64, theta float64) {
	for i, poly := range tab.Dense {
		w[i] = 0
		for p := len(poly) - 1; p >= 0; p-- { // Horner
			w[i] = float64((w[i] + poly[p]) * theta)
		}
	}
}

// firstSameAsLast reports whether the last stage of a step is the velocity at the end of the step.
// Then it is the first stage of the next step too.
func (tab *Tableau) firstSameAsLast() bool {
	last := len(tab.B) - 1
	for j, a := range tab.A[last] {
		if a != tab.B[j] {
			return false
		}
	}
	return last > 0 && tab.B[last] == 0 && tab.C[last] == 1
}

// stagesUsed returns how many stages a step needs when nobody asks for its error.
func (tab *Tableau) stagesUsed() int {
	s := len(tab.B)
	for s > 1 && tab.B[s-1] == 0 {
		s--
	}
	return s
}

func sumOf(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum
}
