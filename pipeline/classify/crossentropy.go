package classify

import (
	"fmt"
	"math"
)

// CrossEntropy returns the mean cross-entropy of n images between their labels and the softmax p of
// their logits, [n, K]. It computes in float64.
//
// smoothing ε, in [0, 1), spreads that share of each label over all classes (Szegedy et al. 2016,
// "Rethinking the Inception Architecture for Computer Vision", section 7). The target is
// q = (1−ε)·δ + ε/K, with δ 1 for the label and 0 elsewhere, and the loss of an image −Σ q·log p.
//
// CrossEntropy sets dlogits = ∂loss/∂logits = (p − q)/n, unless dlogits is nil. dlogits may be
// logits.
func CrossEntropy(dlogits, logits []float32, labels []int32, smoothing float64) float64 {
	n := len(labels)
	if n == 0 || len(logits)%n != 0 || dlogits != nil && len(dlogits) != len(logits) {
		panic(fmt.Sprintf("classify: cross-entropy of %d logits, %d gradients and %d labels",
			len(logits), len(dlogits), n))
	}
	k := len(logits) / n
	var loss float64
	for i, label := range labels {
		if label < 0 || int(label) >= k {
			panic(fmt.Sprintf("classify: label %d of %d classes", label, k))
		}
		row := logits[i*k : (i+1)*k]
		logSum := logSumExp(row)
		for j, z := range row {
			q := smoothing / float64(k)
			if j == int(label) {
				q += 1 - smoothing
			}
			logP := float64(z) - logSum
			loss -= float64(q * logP)
			if dlogits != nil {
				dlogits[i*k+j] = float32((math.Exp(logP) - q) / float64(n))
			}
		}
	}
	return loss / float64(n)
}

// logSumExp returns log Σ exp z. It does not overflow.
func logSumExp(z []float32) float64 {
	top := float64(z[Predict(z)])
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// Predict returns the class with the largest of an image's logits. Of equal ones it takes the
// first.
func Predict(logits []float32) int {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return best
}
