package metrics

import (
	"fmt"
	"math"
)

// An Agreement is the share of successes, and the ends of its 95 % confidence interval.
type Agreement struct {
	Share, Low, High float64
}

// ClassAgreement returns the share of images whose predicted class is the class that was asked for,
// with Wilson's interval. No images are an error.
func ClassAgreement(asked, predicted []int) (Agreement, error) {
	if len(asked) != len(predicted) {
		panic(fmt.Sprintf("metrics: %d classes asked for, %d predicted", len(asked), len(predicted)))
	}
	if len(asked) == 0 {
		return Agreement{}, errNoRows
	}
	hits := 0
	for i, class := range asked {
		if predicted[i] == class {
			hits++
		}
	}
	low, high := Wilson(hits, len(asked))
	return Agreement{float64(hits) / float64(len(asked)), low, high}, nil
}

// Wilson returns the 95 % confidence interval of a probability p after some hits in n > 0 trials.
// It holds all p with |p̂ − p| ≤ z·√(p(1−p)/n), where p̂ = hits/n (Wilson 1927, "Probable
// Inference, the Law of Succession, and Statistical Inference").
func Wilson(hits, n int) (low, high float64) {
	if n < 1 || hits < 0 || hits > n {
		panic(fmt.Sprintf("metrics: %d hits in %d trials", hits, n))
	}
	const z = 1.959963984540054 // 97.5 % of a normal distribution lie below
	p, w := float64(hits)/float64(n), z*z/float64(n)
	middle := (p + w/2) / (1 + w)
	half := math.Sqrt(p*(1-p)*w+w*w/4) / (1 + w)
	return max(middle-half, 0), min(middle+half, 1)
}

// Histogram counts the images of each class from 0 to count−1. Another class is an error.
func Histogram(classes []int, count int) ([]int, error) {
	h := make([]int, count)
	for i, class := range classes {
		if class < 0 || class >= count {
			return nil, fmt.Errorf("image %d has class %d: there are %d classes, from 0", i, class, count)
		}
		h[class]++
	}
	return h, nil
}

// TotalVariation returns the total-variation distance ½·Σ|p_i − q_i| of two histograms, each
// divided by its sum. It is 0 for equal shares, and 1 when the two have no class in common. An
// empty histogram is an error.
func TotalVariation(p, q []int) (float64, error) {
	if len(p) != len(q) {
		panic(fmt.Sprintf("metrics: histograms of %d and of %d classes", len(p), len(q)))
	}
	var n, m int
	for i := range p {
		n, m = n+p[i], m+q[i]
	}
	if n == 0 || m == 0 {
		return 0, errNoRows
	}
	var sum float64
	for i := range p {
		sum += math.Abs(float64(p[i])/float64(n) - float64(q[i])/float64(m))
	}
	return sum / 2, nil
}
