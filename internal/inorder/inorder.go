// Package inorder sums numbers one after the other, so that a sum has the same bytes on every machine.
package inorder

// Sum returns the sum of x.
func Sum(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}
