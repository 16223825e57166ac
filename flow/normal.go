package flow

import "math"

// normalQuantile returns Φ⁻¹(u), the number below which a share u of standard normal numbers lies.
// It is exact to a few units in the last place for all u in (0, 1), and symmetric: Φ⁻¹(1−u) =
// −Φ⁻¹(u). It is −Inf at 0, +Inf at 1 and NaN outside.
func normalQuantile(u float64) float64 {
	if u > 0.5 {
		return -normalLower(1 - u) // 1−u is exact here
	}
	return normalLower(u)
}

// normalLower returns Φ⁻¹(p) for p ≤ 1/2. math.Erfinv needs 2p−1, which loses the digits of a small
// p. So for small p its answer is only a start, which Halley's method improves for Φ(z) − p.
func normalLower(p float64) float64 {
	const tail, lost = 1e-3, 1e-13 // Erfinv has all digits above tail, and none below lost
	switch {
	case p >= tail:
		return math.Sqrt2 * math.Erfinv(2*p-1)
	case p > lost:
		return halley(halley(math.Sqrt2*math.Erfinv(2*p-1), p), p)
	case p > 0:
		z := -math.Sqrt(-2 * math.Log(p)) // p ≈ exp(−z²/2)
		for range 8 {
			z = halley(z, p)
		}
		return z
	case p == 0:
		return math.Inf(-1)
	}
	return math.NaN()
}

// halley returns a better solution of Φ(z) = p than z, by a step of Halley's method. The second
// derivative of Φ is −z·φ.
func halley(z, p float64) float64 {
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	step := (math.Erfc(-z/math.Sqrt2)/2 - p) / density
	return z - step/(1+z*step/2)
}
