package classify

import (
	"math"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
)

// The classifier that is part of the program finds the classes of MNIST's test images, and its
// reference has the statistics of these images. Plain Go would take too long, and sees one image in
// fifty.
func TestEmbeddedClassifier(t *testing.T) {
	isa := kernels.Best()
	c, err := EmbeddedMNIST(isa)
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := set.Test.Len()
	every := 1
	if isa == kernels.Generic {
		every = 50
	}
	n := all / every
	labels := make([]int, n)
	found, err := Classify(t.Context(), c, n, 0, func(i int, dst []float32) {
		labels[i] = set.Test.Image(i*every, dst)
	})
	if err != nil {
		t.Fatal(err)
	}
	if accuracy := found.Accuracy(labels); accuracy < 0.993 {
		t.Errorf("accuracy %.4f on %d images", accuracy, n)
	}
	dim, want := c.Dim(), c.Reference()
	if c.Dim() != len(want.Mean) || want.Data != set.Test.Name() || want.Images != all {
		t.Fatalf("the reference is of %d images of %s", want.Images, want.Data)
	}
	got, err := NewReference("", found.Features, metrics.Compute{})
	if err != nil {
		t.Fatal(err)
	}
	for j := range dim {
		deviation := math.Sqrt(float64(want.Covariance[j*dim+j]))
		// Instruction sets differ in the last digits of a feature, by a hundred-thousandth of its
		// deviation at most. The mean over a part of the images has a standard error. An error of
		// six times that never happens in 64 features.
		bound := 1e-4*deviation + 6*deviation*math.Sqrt(1/float64(n)-1/float64(all))
		if d := math.Abs(float64(got.Mean[j] - want.Mean[j])); d > bound {
			t.Errorf("feature %d: mean %v, the reference says %v", j, got.Mean[j], want.Mean[j])
		}
		for k := range dim {
			// A correlation from n images has an error of about 1/√n, more for features with long
			// tails.
			scale := deviation * math.Sqrt(float64(want.Covariance[k*dim+k]))
			bound := (1e-4 + 12*math.Sqrt(1/float64(n)-1/float64(all))) * scale
			if d := math.Abs(float64(got.Covariance[j*dim+k] - want.Covariance[j*dim+k])); d > bound {
				t.Errorf("features %d and %d: covariance %v, the reference says %v",
					j, k, got.Covariance[j*dim+k], want.Covariance[j*dim+k])
			}
		}
	}
}
