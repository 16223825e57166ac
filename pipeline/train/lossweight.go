package train

import (
	"github.com/fmimg/fmimg/flow"
)

// lossWeightMost is the largest weight of an image in the loss, as in Li and He 2025, "Back to Basics": where the noise is less
// than a twentieth of the data, the error of the velocity is more than this many times that of the data, and of a few
// images of a batch would be all that a step follows.
const lossWeightMost = 400

// lossWeight returns how much the error of a prediction counts.
func lossWeight(c flow.Coefficients, predicted, loss flow.Objective) float64 {
	return min(c.LossWeight(predicted, loss), lossWeightMost)
}
