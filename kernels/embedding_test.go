package kernels

import (
	"math"
	"testing"
)

func TestSinusoidalEmbedding(t *testing.T) {
	for _, length := range []int{1, 2, 7, 16, 32} {
		for _, at := range []struct{ t, scale, shift float64 }{{0, 1000, 0}, {0.3, 1, 0}, {0.77, 1000, 0.5}, {1, 1000, 0}} {
			row := make([]float32, length)
			for i := range row {
				row[i] = guard // SinusoidalEmbedding must set every element
			}
			SinusoidalEmbedding(row, at.t, at.scale, at.shift)
			half := length / 2
			for i := range half {
				angle := at.scale * at.t / math.Pow(10000, float64(i)/(float64(half)-at.shift))
				c, s := math.Cos(angle), math.Sin(angle)
				if math.Abs(float64(row[i])-c) > 1e-7 || math.Abs(float64(row[half+i])-s) > 1e-7 {
					t.Errorf("length %d, t %g: element %d is %g and %g, want %g and %g",
						length, at.t, i, row[i], row[half+i], c, s)
				}
			}
			if last := row[length-1]; length%2 == 1 && last != 0 {
				t.Errorf("length %d: the odd last element is %g", length, last)
			}
		}
	}
}
