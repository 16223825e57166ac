package metrics

import (
	"fmt"
	"math"
)

// A Reference is what is known of the features of real images, to compare generated ones with: their mean and
// covariance (the sum of products of deviations divided by Images - 1). A classifier's file holds it.
type Reference struct {
	Data       string    `json:"data"`   // which images
	Images     int       `json:"images"` // how many
	Mean       []float32 `json:"-"`      // [D]
	Covariance []float32 `json:"-"`      // [D, D], row by row
}

// NewReference computes the statistics of the features, [n, D], of n images, at least two, in float64.
func NewReference(data string, features []float32, dim int) *Reference {
	n := len(features) / dim
	if n < 2 || len(features) != n*dim {
		panic(fmt.Sprintf("metrics: statistics of %d numbers, features of %d", len(features), dim))
	}
	mean, products := make([]float64, dim), make([]float64, dim*dim)
	for i, v := range features {
		mean[i%dim] += float64(v)
	}
	for j := range mean {
		mean[j] /= float64(n)
	}
	deviation := make([]float64, dim)
	for i := range n {
		for j := range deviation {
			deviation[j] = float64(features[i*dim+j]) - mean[j]
		}
		for j, d := range deviation {
			row := products[j*dim : (j+1)*dim]
			for k, e := range deviation {
				row[k] += float64(d * e)
			}
		}
	}
	r := &Reference{Data: data, Images: n, Mean: make([]float32, dim), Covariance: make([]float32, dim*dim)}
	for j, v := range mean {
		r.Mean[j] = float32(v)
	}
	for j, v := range products {
		r.Covariance[j] = float32(v / float64(n-1))
	}
	return r
}

// check reports what no images can have.
func (r *Reference) check(dim int) error {
	if r.Images < 2 {
		return fmt.Errorf("statistics of %d images: at least two are needed", r.Images)
	}
	for j := range dim {
		for k := range j + 1 {
			a, b := r.Covariance[j*dim+k], r.Covariance[k*dim+j]
			if math.Float32bits(a) != math.Float32bits(b) || j == k && a < 0 {
				return fmt.Errorf("tensor %s: element (%d, %d) belongs to no covariance", covarianceName, j, k)
			}
		}
	}
	return nil
}
