// Package inorder sums numbers one after the other. So a sum is the same, to the bit, on every
// machine and for any number of threads.
package inorder

import "math"

// Sum returns the sum of x, 0 for none.
func Sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}

// MeanAndError returns the mean of x and the standard error of the mean, which is 0 for one number.
// x must not be empty.
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
