package metrics_test

import (
	"fmt"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
)

// Two circular normal distributions lie 3 apart and have the standard deviations 1 and 3. The
// distance is 3² + 2·(3−1)².
func ExampleFrechet() {
	a := metrics.Gaussian{Mean: []float64{0, 0}, Covariance: []float64{1, 0, 0, 1}}
	b := metrics.Gaussian{Mean: []float64{3, 0}, Covariance: []float64{9, 0, 0, 9}}
	distance, err := metrics.Frechet(a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", distance)
	// Output: 17.000
}

// This finds the training image nearest to a generated one. A function writes training images on
// demand.
func ExampleNearest() {
	generated := metrics.Features{N: 1, D: 4, Data: []float32{-1, 1, 1, -1}}
	training := metrics.References{N: 300, D: 4, Rows: func(first int, dst []float32) error {
		for i := range dst {
			dst[i] = float32(first+i/4)/100 - 1
		}
		return nil
	}}
	found, err := metrics.Nearest(generated, training, 2, metrics.Compute{ISA: kernels.Best()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("images %v at %.3f\n", found.Index, found.Distance)
	// Output: images [100 99] at [2.000 2.000]
}

// This is the interval of a share of 200 images.
func ExampleWilson() {
	low, high := metrics.Wilson(190, 200)
	fmt.Printf("95.0 %%, and 95 times of 100 between %.1f and %.1f %%\n", 100*low, 100*high)
	// Output: 95.0 %, and 95 times of 100 between 91.0 and 97.3 %
}
