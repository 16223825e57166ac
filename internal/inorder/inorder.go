// Package inorder sums numbers one after the other, so that a sum has the same bytes on every machine.
package inorder

import "math"

// Sum returns the sum of x.
func Sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}

// MeanAndError returns the mean and its standard error, 0 for one number.
func MeanAndError(x []float64) (mean, standardError float64) {
	n := float64(len(x))
	mean = Sum(x) / n
	if n < 2 {
		return mean, 0
	}
	var squares float64
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares / (n - 1) / n)
}
