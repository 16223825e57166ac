package classify

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// The loss is −Σ q·log p with the softmax p, which the test computes without care for overflow.
func TestCrossEntropy(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n, k = 4, 5
	logits, labels := kernelstest.Normals(rng, n*k), []int32{0, 4, 2, 2}
	for _, smoothing := range []float64{0, 0.1, 0.9} {
		var want float64
		for i, label := range labels {
			var sum float64
			for _, z := range logits[i*k : (i+1)*k] {
				sum += math.Exp(float64(z))
			}
			for j, z := range logits[i*k : (i+1)*k] {
				q := smoothing / k
				if j == int(label) {
					q = 1 - smoothing + smoothing/k
				}
				want -= q * math.Log(math.Exp(float64(z))/sum) / n
			}
		}
		if got := CrossEntropy(nil, logits, labels, smoothing); math.Abs(got-want) > 1e-12*want {
			t.Errorf("smoothing %v: %v, want %v", smoothing, got, want)
		}
	}
}

// The gradient is the difference quotient. With steps of 2⁻¹⁰, exact in float32, the quotient errs
// by about 1e-7. Rounding of the gradient to float32 is less.
func TestCrossEntropyGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	logits, labels := kernelstest.Normals(rng, 3*4), []int32{1, 0, 3}
	grad := make([]float32, len(logits))
	CrossEntropy(grad, logits, labels, 0.2)
	const h = 1. / 1024
	for i := range logits {
		at := func(d float32) float64 {
			moved := slices.Clone(logits)
			moved[i] += d
			return CrossEntropy(nil, moved, labels, 0.2)
		}
		if want := (at(h) - at(-h)) / (2 * h); math.Abs(float64(grad[i])-want) > 1e-6 {
			t.Errorf("logit %d: %v, differences say %v", i, grad[i], want)
		}
	}
	inPlace := slices.Clone(logits)
	CrossEntropy(inPlace, inPlace, labels, 0.2)
	if !slices.Equal(inPlace, grad) {
		t.Error("the gradient changes when it replaces the logits")
	}
}

// A softmax computed without care would overflow for these logits.
func TestCrossEntropyOfLargeLogits(t *testing.T) {
	grad := make([]float32, 3)
	got := CrossEntropy(grad, []float32{3e4, 0, -3e4}, []int32{1}, 0)
	if got != 3e4 || !slices.Equal(grad, []float32{1, -1, 0}) {
		t.Errorf("loss %v, gradient %v", got, grad)
	}
}

func TestCrossEntropyMisused(t *testing.T) {
	for _, labels := range [][]int32{nil, {3}, {-1}, {0, 0}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("labels %v: no panic", labels)
				}
			}()
			CrossEntropy(nil, make([]float32, 3), labels, 0)
		}()
	}
}

func TestPredict(t *testing.T) {
	for want, logits := range [][]float32{{2, 1, 2}, {-3, -1, -2}, {0, 1, 2}} {
		if got := Predict(logits); got != want {
			t.Errorf("%v: class %d", logits, got)
		}
	}
}

func ExampleCrossEntropy() {
	logits := []float32{2, 0, 0, 0, 0, 3} // two images of three classes
	fmt.Printf("%.4f\n", CrossEntropy(nil, logits, []int32{0, 2}, 0))
	// Output: 0.1672
}
