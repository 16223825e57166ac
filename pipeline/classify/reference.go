package classify

import (
	"fmt"
	"math"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/metrics"
)

// A Reference holds statistics of the features of real images: the mean and the unbiased
// covariance. Generated images are compared with them. A classifier's file may hold one.
type Reference struct {
	Data       string    `json:"data"`   // data set and part, such as mnist/test
	Images     int       `json:"images"` // number of images
	Mean       []float32 `json:"-"`      // [D]
	Covariance []float32 `json:"-"`      // [D, D], row by row
}

// NewReference computes the statistics of the features of at least two images. data names the
// images, as [Reference] says.
func NewReference(data string, f metrics.Features, on metrics.Compute) (*Reference, error) {
	var m metrics.Moments
	if err := m.Add(f, on); err != nil {
		return nil, err
	}
	g, err := m.Gaussian()
	if err != nil {
		return nil, err
	}
	return &Reference{Data: data, Images: f.N, Mean: rounded(g.Mean), Covariance: rounded(g.Covariance)}, nil
}

// DataSet returns the name of the images' data set: Data up to the slash.
func (r *Reference) DataSet() string {
	name, _, _ := strings.Cut(r.Data, "/")
	return name
}

// Gaussian returns the distribution, for [metrics.Frechet].
func (r *Reference) Gaussian() metrics.Gaussian {
	return metrics.Gaussian{Mean: widened(r.Mean), Covariance: widened(r.Covariance)}
}

// check returns an error if the statistics are impossible: fewer than two images, or a covariance
// that is not symmetric or has a negative variance.
func (r *Reference) check(dim int) error {
	if r.Images < 2 {
		return fmt.Errorf("statistics of %s: at least two are needed", text.Count(r.Images, "image", "images"))
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

// rounded returns x in float32.
func rounded(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// widened returns x in float64.
func widened(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
