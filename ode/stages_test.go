package ode

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

// TestStages compares the sums in blocks with sums of single numbers, for a state in the middle of
// a batch, at sizes around that of a block.
func TestStages(t *testing.T) {
	w := []float64{0.5, 0, -2, 1. / 3}
	tol := tolerance{rel: 0.1, abs: 0.02}
	for _, d := range []int{1, 2, block - 1, block, block + 1, 2*block + 3} {
		const lo, h = 5, -0.3
		var k stages
		for j := range w {
			k = append(k, numtest.Normals(lo+d+2, uint64(j)))
		}
		k[1][lo] = float32(math.NaN()) // a stage with weight 0 is not read
		x, y := numtest.Normals(d, 10), make([]float32, d)
		k.combine(y, x, lo, h, w)

		var squares, own float64
		for i := range d {
			e := h * (0.5*float64(k[0][lo+i]) - 2*float64(k[2][lo+i]) + float64(k[3][lo+i])/3)
			if want := float64(x[i]) + e; !numtest.Near(float64(y[i]), want, 0x1p-23*(1+math.Abs(want))) {
				t.Fatalf("d = %d: y[%d] = %v, want %v", d, i, y[i], want)
			}
			scale := 0.02 + 0.1*max(math.Abs(float64(x[i])), math.Abs(float64(y[i])))
			squares += e / scale * e / scale
			ownScaled := float64(y[i]) / (0.02 + 0.1*math.Abs(float64(x[i])))
			own += ownScaled * ownScaled
		}
		got, want := k.errorNorm(y, x, lo, h, w, tol), math.Sqrt(squares/float64(d))
		if !numtest.Near(got, want, 1e-12*want) {
			t.Errorf("d = %d: error %v, want %v", d, got, want)
		}
		if got, want := tol.norm(y, x), math.Sqrt(own/float64(d)); !numtest.Near(got, want, 1e-12*want) {
			t.Errorf("d = %d: norm %v, want %v", d, got, want)
		}
	}
}

// TestErrorNormNotFinite: the error of a state that overflowed or is NaN cannot pass.
func TestErrorNormNotFinite(t *testing.T) {
	for _, bad := range []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())} {
		got := stages{{1, 1}}.errorNorm([]float32{1, bad}, []float32{1, 1}, 0, 0.1, []float64{1}, tolerance{1, 1})
		if !math.IsNaN(got) {
			t.Errorf("a step to %v has the error %v", bad, got)
		}
	}
}

// TestStagesConstant: when stages are equal, only the sum of the weights counts.
func TestStagesConstant(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := rapid.IntRange(1, 600).Draw(r, "d")
		v := rapid.Float32Range(-100, 100).Draw(r, "v")
		h := rapid.Float64Range(-2, 2).Draw(r, "h")
		k := stages{make([]float32, d), make([]float32, d)}
		for i := range d {
			k[0][i], k[1][i] = v, v
		}
		y, x := make([]float32, d), make([]float32, d)
		k.combine(y, x, 0, h, []float64{0.25, 0.75})
		for i := range y {
			if want := h * float64(v); !numtest.Near(float64(y[i]), want, 0x1p-22*math.Abs(want)+1e-40) {
				r.Fatalf("y[%d] = %v, want %v", i, y[i], want)
			}
		}
	})
}
