package flow

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

func TestMSEGradient(t *testing.T) {
	v, u := numtest.Normals(37, 1), numtest.Normals(37, 2)
	dv := make([]float32, len(v))
	loss := MSE(dv, v, u)
	for i := range v {
		// The loss is quadratic, so central differences are exact; float32 rounds v±h by at most
		// 2⁻²² for |v| < 4, which changes the quotient by 2⁻²²/(2h)·|gradient| < 1e-5·0.5.
		const h = 1. / 128
		old := v[i]
		v[i] = old + h
		after := MSE(nil, v, u)
		v[i] = old - h
		before := MSE(nil, v, u)
		v[i] = old
		if got := (after - before) / (2 * h); !numtest.Near(got, float64(dv[i]), 5e-6) {
			t.Errorf("gradient %d is %v, differences give %v", i, dv[i], got)
		}
	}
	if got := MSE(nil, v, u); got != loss {
		t.Errorf("loss %v without a gradient, %v with it", got, loss)
	}
}

func TestMSEValues(t *testing.T) {
	dv := make([]float32, 2)
	if loss := MSE(dv, []float32{1, 5}, []float32{2, 2}); loss != 5 || dv[0] != -1 || dv[1] != 3 {
		t.Errorf("loss %v, gradient %v; want 5, [-1 3]", loss, dv)
	}
	if loss := MSE(nil, nil, nil); loss != 0 {
		t.Errorf("loss of nothing is %v", loss)
	}
	numtest.MustPanic(t, "lengths of v and u", func() { MSE(nil, make([]float32, 2), make([]float32, 3)) })
	numtest.MustPanic(t, "length of dv", func() { MSE(make([]float32, 3), make([]float32, 2), make([]float32, 2)) })
}

func TestMSEProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(r, "n")
		v := rapid.SliceOfN(rapid.Float32Range(-100, 100), n, n).Draw(r, "v")
		u := rapid.SliceOfN(rapid.Float32Range(-100, 100), n, n).Draw(r, "u")
		dv := make([]float32, n)
		loss := MSE(dv, v, u)
		if loss != MSE(nil, u, v) || loss < 0 {
			r.Errorf("loss %v, swapped %v", loss, MSE(nil, u, v))
		}
		if MSE(nil, v, v) != 0 {
			r.Error("loss of v against itself is not 0")
		}
		inPlace := append([]float32(nil), v...)
		MSE(inPlace, inPlace, u)
		if !numtest.SameBits(inPlace, dv) {
			r.Error("the gradient differs when it takes the place of v")
		}
	})
}

// TestMSEAccumulation adds a million squares of 2⁻²⁰ to one of 2²⁰: a float32 sum would lose them
// all.
func TestMSEAccumulation(t *testing.T) {
	const n = 1_000_000
	v, u := make([]float32, n), make([]float32, n)
	for i := range v {
		v[i] = 1. / 1024
	}
	v[0] = 1024
	want := (1024.*1024 + (n-1)/1024./1024) / n
	if got := MSE(nil, v, u); !numtest.Near(got, want, 1e-12*want) {
		t.Errorf("loss %v, want %v", got, want)
	}
}

// TestWeightedMSE: weights of 1 give MSE. Otherwise the part of a state and its gradient are the
// weight times its own MSE.
func TestWeightedMSE(t *testing.T) {
	const n, d = 3, 4
	v, u := numtest.Normals(n*d, 1), numtest.Normals(n*d, 2)
	w := []float64{2, 0, 0.5}
	dv, one := make([]float32, n*d), make([]float32, d)
	got := WeightedMSE(dv, v, u, w)
	var want float64
	for i, weight := range w {
		lo, hi := i*d, (i+1)*d
		want += weight / n * MSE(one, v[lo:hi], u[lo:hi])
		for j, g := range one {
			if !numtest.Near(float64(dv[lo+j]), weight/n*float64(g), 1e-6) {
				t.Errorf("gradient %v, want %v of %v", dv[lo+j], weight/n, g)
			}
		}
	}
	if !numtest.Near(got, want, 1e-12) {
		t.Errorf("loss %v, want %v", got, want)
	}
	if got, want := WeightedMSE(dv, v, u, []float64{1, 1, 1}), MSE(nil, v, u); !numtest.Near(got, want, 1e-12) {
		t.Errorf("loss %v with weights of 1, %v without", got, want)
	}
	numtest.MustPanic(t, "weights of other states", func() { WeightedMSE(dv, v, u, make([]float64, 5)) })
	numtest.MustPanic(t, "length of dv", func() { WeightedMSE(dv[1:], v, u, w) })
}

func TestPseudoHuberGradient(t *testing.T) {
	for _, c := range []float64{0, 0.1, 1, 30} {
		for _, w := range []float64{1, 0.25} {
			v, u := numtest.Normals(37, 1), numtest.Normals(37, 2)
			dv := make([]float32, len(v))
			loss := PseudoHuber(dv, v, u, w, c)
			for i := range v {
				// The third derivative is at most 2c·w³·0.86/c² < 18 a number where c ≥ 0.1, over
				// 37 numbers, so differences err by h²/6·0.5 < 2e-5 of ± h = 1/64; float32's
				// rounding of v±h adds at most 2⁻²²/(2h)·|gradient| < 5e-6.
				const h = 1. / 64
				old := v[i]
				v[i] = old + h
				after := PseudoHuber(nil, v, u, w, c)
				v[i] = old - h
				before := PseudoHuber(nil, v, u, w, c)
				v[i] = old
				if got := (after - before) / (2 * h); !numtest.Near(got, float64(dv[i]), 3e-5) {
					t.Errorf("c %v, w %v: gradient %d is %v, differences give %v", c, w, i, dv[i], got)
				}
			}
			if got := PseudoHuber(nil, v, u, w, c); got != loss {
				t.Errorf("c %v: loss %v without a gradient, %v with it", c, got, loss)
			}
		}
	}
}

func TestPseudoHuberValues(t *testing.T) {
	// e = 2·(4−1) = 6 and c = 8: 16·(10−8) = 32, slope 2·(2·8·6/10).
	dv := []float32{0}
	loss := PseudoHuber(dv, []float32{4}, []float32{1}, 2, 8)
	if loss != 32 || !numtest.Near(float64(dv[0]), 19.2, 1e-6) {
		t.Errorf("loss %v, gradient %v; want 32, [19.2]", loss, dv)
	}
	v, u := numtest.Normals(50, 3), numtest.Normals(50, 4)
	squares := MSE(nil, v, u)
	// Beside c = 0, e⁴/4c² is what a large c leaves out: below 1e-6·6⁴/4 of an error below 6.
	for _, c := range []float64{0, 1e3} {
		if got := PseudoHuber(nil, v, u, 0.5, c); !numtest.Near(got, squares/4, 4e-4) {
			t.Errorf("c %v: loss %v, squares %v", c, got, squares/4)
		}
	}
	if loss := PseudoHuber(nil, nil, nil, 1, 1); loss != 0 {
		t.Errorf("loss of nothing is %v", loss)
	}
	numtest.MustPanic(t, "lengths of v and u", func() {
		PseudoHuber(nil, make([]float32, 2), make([]float32, 3), 1, 1)
	})
	numtest.MustPanic(t, "length of dv", func() {
		PseudoHuber(make([]float32, 3), make([]float32, 2), make([]float32, 2), 1, 1)
	})
}
