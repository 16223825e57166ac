package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// roundingShare bounds what rounding does to a covariance, as a share of its largest eigenvalue or
// element. A matrix with an eigenvalue below minus that is not a covariance.
const roundingShare = 1e-6

// Frechet returns the square of the Fréchet distance of two normal distributions,
//
//	‖μ1−μ2‖² + tr(Σ1 + Σ2 − 2(Σ1^½·Σ2·Σ1^½)^½)
//
// (Dowson and Landau 1982, "The Fréchet Distance between Multivariate Normal Distributions",
// equation 4). For features of images it is the FID (Heusel et al. 2017, "GANs Trained by a Two
// Time-Scale Update Rule Converge to a Local Nash Equilibrium", equation 6). Covariances may be
// singular.
//
// Two sets of N rows from one distribution lie about D²/2N of the features' variance apart. So
// compare distances at one N.
//
// A number that is not finite is an error. So is a matrix that is not symmetric and positive
// semi-definite.
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
	matrix := func(g Gaussian) *mat.SymDense { return mat.NewSymDense(d, slices.Clone(g.Covariance)) }
	root, err := rootTrace(matrix(a), matrix(b))
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
	return max(distance, 0), nil // rounding may make the distance of equal ones negative
}

// rootTrace returns tr((Σ1^½·Σ2·Σ1^½)^½), the sum of the roots of the eigenvalues of Σ1^½·Σ2·Σ1^½.
// With Σ1 = V·Λ·Vᵀ the matrix Λ^½·Vᵀ·Σ2·V·Λ^½ has the same eigenvalues, and takes one product less.
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

// eigen returns the eigenvalues of a covariance in rising order. Eigenvalues that rounding made
// negative become zero. vectors, unless it is nil, receives the eigenvectors.
func eigen(s *mat.SymDense, vectors *mat.Dense) ([]float64, error) {
	var e mat.EigenSym
	if !e.Factorize(s, vectors != nil) {
		return nil, errors.New("the eigenvalues of a covariance do not converge: look at the features")
	}
	if vectors != nil {
		e.VectorsTo(vectors)
	}
	values := e.Values(nil)
	if least, most := values[0], values[len(values)-1]; least < -roundingShare*math.Abs(most) {
		return nil, fmt.Errorf(
			"a covariance has the eigenvalue %g, its largest is %g: it must be positive semi-definite", least, most)
	}
	for i, v := range values {
		values[i] = max(v, 0)
	}
	return values, nil
}

// validate fails when the numbers are not those of a distribution. It panics when the shape is
// wrong.
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
			if a, b := g.Covariance[i*d+j], g.Covariance[j*d+i]; math.Abs(a-b) > roundingShare*largest {
				return fmt.Errorf("a covariance has %g in place (%d, %d) and %g in (%d, %d): it must be symmetric",
					a, i, j, b, j, i)
			}
		}
	}
	return nil
}
