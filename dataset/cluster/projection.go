package cluster

import (
	"errors"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// mostAxes is the largest number of principal components.
const mostAxes = 40

// leastVariance is the smallest variance of an axis, as a share of the largest: what is below comes
// from rounding.
const leastVariance = 1e-12

// A projection brings features to their principal components.
type projection struct {
	mean []float32 // [features]
	axes []float32 // [axes][features], orthonormal, that of the largest variance first
}

// newProjection finds the principal components of rows of features. There are at most [mostAxes] of
// them, and none where all rows are the same.
func newProjection(rows *mat.Dense) (projection, error) {
	n, d := rows.Dims()
	p := projection{mean: make([]float32, d)}
	sums := make([]float64, d)
	for i := range n {
		for k, v := range rows.RawRowView(i) {
			sums[k] += v
		}
	}
	for k, sum := range sums {
		p.mean[k] = float32(sum / float64(n))
	}
	if n < 2 {
		return p, nil
	}
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, rows, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, true) {
		return p, errors.New("the principal components of the images were not found")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // the largest last
	for axis := d - 1; axis >= max(0, d-mostAxes) && values[axis] > leastVariance*values[d-1]; axis-- {
		for k := range d {
			p.axes = append(p.axes, float32(vectors.At(k, axis)))
		}
	}
	return p, nil
}

// dims returns the number of axes.
func (p projection) dims() int { return len(p.axes) / len(p.mean) }

// project writes the coordinates of features to dst, one for each axis.
func (p projection) project(dst, features []float64) {
	for axis := range dst {
		sum := 0.0
		for k, weight := range p.axes[axis*len(p.mean) : (axis+1)*len(p.mean)] {
			sum += float64(float64(weight) * (features[k] - float64(p.mean[k])))
		}
		dst[axis] = sum
	}
}
