package flow

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

// TestNormalQuantile compares with mpmath 1.3.0, which solved log Φ(z) = log p with 60 digits.
func TestNormalQuantile(t *testing.T) {
	for _, c := range []struct{ p, z float64 }{
		{0x1p-1, 0},
		{0.3, -0.5244005127080408159694544},
		{0x1p-2, -0.674489750196081743202227},
		{0.1, -1.281551565544600435334517},
		{0.02, -2.053748910631823044338639},
		{0.001, -3.090232306167813535358005},
		{1e-5, -4.264890793922824610233749},
		{3e-8, -5.418801167397943163458423},
		{1.1e-12, -7.021181398884629064605342},
		{0x1p-10, -3.09726907819878246436483},
		{0x1p-20, -4.763001034267813956988554},
		{0x1p-30, -6.009353565530743893180609},
		{0x1p-40, -7.047700256664408725350992},
		{0x1p-43, -7.331627902649327088709921},
		{0x1p-44, -7.42393981198598324025012},
		{0x1p-53, -8.209536151601386855630769},
		{0x1p-100, -11.48454043497303780721629},
		{0x1p-500, -26.16824984111858071894702},
		{0x1p-1000, -37.11101193716479141011468},
	} {
		// 8 units in the last place.
		if got := normalQuantile(c.p); !numtest.Near(got, c.z, 8*0x1p-52*math.Abs(c.z)) {
			t.Errorf("Φ⁻¹(%v) = %.17g, want %.17g", c.p, got, c.z)
		}
	}
}

func TestNormalQuantileEnds(t *testing.T) {
	if got := normalQuantile(0); !math.IsInf(got, -1) {
		t.Errorf("Φ⁻¹(0) = %v", got)
	}
	if got := normalQuantile(1); !math.IsInf(got, 1) {
		t.Errorf("Φ⁻¹(1) = %v", got)
	}
	for _, u := range []float64{-0.1, 1.1, math.NaN()} {
		if got := normalQuantile(u); !math.IsNaN(got) {
			t.Errorf("Φ⁻¹(%v) = %v", u, got)
		}
	}
}

func TestNormalQuantileProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := math.Ldexp(rapid.Float64Range(0.5, 1).Draw(r, "mantissa"), -rapid.IntRange(1, 60).Draw(r, "exponent"))
		z := normalQuantile(p)
		if u := 1 - p; 1-u == p && normalQuantile(u) != -z {
			r.Errorf("Φ⁻¹(%v) = %v, but %v at 1−u", p, z, normalQuantile(u))
		}
		// An error δ of z changes Φ by the share δ·φ/Φ < δ·(|z|+1), here with δ of 8 units of |z| <
		// 9 and Erfc's own error.
		if back := math.Erfc(math.Abs(z)/math.Sqrt2) / 2; !numtest.Near(back, p, 4e-14*p*(1+z*z)) {
			r.Errorf("Φ(Φ⁻¹(%v)) = Φ(%v) = %v", p, z, back)
		}
	})
}
