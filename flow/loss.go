package flow

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// MSE returns the conditional flow-matching loss of a batch, L = mean (v−u)² over all numbers,
// summed in float64 (Lipman et al. 2023, equation 9, divided by the size of a state). It sets dv =
// ∂L/∂v = 2(v−u)/len(v), unless dv is nil. dv may be v or u. The loss of no numbers is 0.
func MSE(dv, v, u []float32) float64 {
	if len(u) != len(v) || (dv != nil && len(dv) != len(v)) {
		panic(fmt.Sprintf("flow: lengths differ: dv %d, v %d, u %d", len(dv), len(v), len(u)))
	}
	if len(v) == 0 {
		return 0
	}
	scale := 2 / float64(len(v))
	var sum float64
	for i := range v {
		e := float64(v[i]) - float64(u[i])
		sum += float64(e * e)
		if dv != nil {
			dv[i] = float32(scale * e)
		}
	}
	return sum / float64(len(v))
}

// WeightedMSE is [MSE] of len(w) states with a weight for the error of each
// ([Coefficients.LossWeight]): L = mean w_i·(v−u)², dv = 2·w_i·(v−u)/len(v).
func WeightedMSE(dv, v, u []float32, w []float64) float64 {
	d := states.Size(len(v), len(w))
	if len(u) != len(v) || len(dv) != len(v) {
		panic(fmt.Sprintf("flow: lengths differ: dv %d, v %d, u %d", len(dv), len(v), len(u)))
	}
	var sum float64
	for i, weight := range w {
		lo, hi := i*d, (i+1)*d
		share := weight / float64(len(w))
		sum += share * MSE(dv[lo:hi], v[lo:hi], u[lo:hi])
		for j := lo; j < hi; j++ {
			dv[j] *= float32(share)
		}
	}
	return sum
}

// PseudoHuber returns L = mean 2c(√(e²+c²) − c) over all numbers, for the errors e = w·(v−u),
// summed in float64 (Charbonnier et al. 1997, "Deterministic edge-preserving regularization in
// computed imaging", equation 28; Song and Dhariwal 2024, "Improved techniques for training
// consistency models", section 3.3). The loss is about e² for e small beside c, and about 2c|e| for
// large e, whose minimum is a median rather than a mean. With c = 0 it is e² everywhere.
// PseudoHuber sets dv = ∂L/∂v, unless dv is nil. dv may be v or u. The loss of no numbers is 0.
func PseudoHuber(dv, v, u []float32, w, c float64) float64 {
	if len(u) != len(v) || (dv != nil && len(dv) != len(v)) {
		panic(fmt.Sprintf("flow: lengths differ: dv %d, v %d, u %d", len(dv), len(v), len(u)))
	}
	if len(v) == 0 {
		return 0
	}
	scale := 2 * w / float64(len(v))
	var sum float64
	for i := range v {
		e := w * (float64(v[i]) - float64(u[i]))
		square, slope := float64(e*e), 1.0
		if c > 0 {
			root := math.Sqrt(square + float64(c*c))
			square, slope = 2*c*(square/(root+c)), c/root
		}
		sum += square
		if dv != nil {
			dv[i] = float32(scale * slope * e)
		}
	}
	return sum / float64(len(v))
}
