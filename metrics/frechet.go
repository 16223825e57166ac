package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// notPositive is the share of the largest eigenvalue by which rounding may make one negative; a covariance
// with a lower one is none.
const notPositive = 1e-6

// Frechet returns the square of the Fréchet distance of two normal distributions,
//
//	‖μ1−μ2‖² + tr(Σ1 + Σ2 − 2(Σ1^½·Σ2·Σ1^½)^½)
//
// (Dowson and Landau 1982, "The Fréchet Distance between Multivariate Normal Distributions", equation 4), which
// of features of images is the FID (Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule
// Converge to a Local Nash Equilibrium", equation 6). Covariances may be singular. Two sets of N
// rows from one distribution lie some D²/2N of the features' variance apart, so compare at one N.
//
// A number that is not finite, and a matrix that is not symmetric and positive semi-definite, are errors.
func Frechet(a, b Gaussian) (float64, error) {
	d := len(a.Mean)
	mustMatch(d, len(b.Mean))
	for _, g := range []Gaussian{a, b} {
		if err := g.validate(); err != nil {
			return 0, err
		}
	}
	var distance float64
	for i, v := range a.Mean {
		distance += (v - b.Mean[i]) * (v - b.Mean[i])
	}
	root, err := rootTrace(mat.NewSymDense(d, slices.Clone(a.Covariance)), mat.NewSymDense(d, slices.Clone(b.Covariance)))
	if err != nil {
		return 0, err
	}
	for i := 0; i < d*d; i += d + 1 {
		distance += a.Covariance[i] + b.Covariance[i]
	}
	distance -= 2 * root
	if !finite(distance) {
		return 0, errors.New("the Fréchet distance overflows: scale the features down")
	}
	return max(distance, 0), nil // rounding may leave less than nothing of equal ones
}

// rootTrace returns tr((Σ1^½·Σ2·Σ1^½)^½), the sum of the roots of the eigenvalues. With Σ1 = V·Λ·Vᵀ the matrix
// Λ^½·Vᵀ·Σ2·V·Λ^½ has the same ones, and saves a product.
func rootTrace(s1, s2 *mat.SymDense) (float64, error) {
	if _, err := eigen(s2, nil); err != nil {
		return 0, err
	}
	d := s1.SymmetricDim()
	var half, m mat.Dense // V·Λ^½, and the matrix
	values, err := eigen(s1, &half)
	if err != nil {
		return 0, err
	}
	half.Apply(func(_, j int, v float64) float64 { return v * math.Sqrt(values[j]) }, &half)
	m.Mul(s2, &half)
	m.Mul(half.T(), &m)
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, (m.At(i, j)+m.At(j, i))/2)
		}
	}
	values, err = eigen(sym, nil)
	var trace float64
	for _, v := range values {
		trace += math.Sqrt(v)
	}
	return trace, err
}

// eigen returns the eigenvalues of a covariance, in rising order, and the eigenvectors if they are wanted.
// Those that rounding made negative become zero.
func eigen(s *mat.SymDense, vectors *mat.Dense) ([]float64, error) {
	var e mat.EigenSym
	if !e.Factorize(s, vectors != nil) {
		return nil, errors.New("the eigenvalues of a covariance do not converge: look at the features")
	}
	if vectors != nil {
		e.VectorsTo(vectors)
	}
	values := e.Values(nil)
	if least, most := values[0], values[len(values)-1]; least < -notPositive*math.Abs(most) {
		return nil, fmt.Errorf("a covariance has the eigenvalue %g, its largest is %g: it must be positive semi-definite", least, most)
	}
	for i, v := range values {
		values[i] = max(v, 0)
	}
	return values, nil
}

// validate says what of a distribution is wrong, and panics when it is the shape.
func (g Gaussian) validate() error {
	d := len(g.Mean)
	if d == 0 || len(g.Covariance) != d*d {
		panic(fmt.Sprintf("metrics: a mean of %d numbers and a covariance of %d", d, len(g.Covariance)))
	}
	var largest float64
	for _, x := range [][]float64{g.Mean, g.Covariance} {
		for _, v := range x {
			if !finite(v) {
				return errors.New("a mean or covariance has a number that is not finite: look for what made it")
			}
		}
	}
	for _, v := range g.Covariance {
		largest = max(largest, math.Abs(v))
	}
	for i := range d {
		for j := range i {
			if a, b := g.Covariance[i*d+j], g.Covariance[j*d+i]; math.Abs(a-b) > notPositive*largest {
				return fmt.Errorf("a covariance has %g in place (%d, %d) and %g in (%d, %d): it must be symmetric", a, i, j, b, j, i)
			}
		}
	}
	return nil
}
