package flow

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

// TestNoiseValues compares with a program in Python. It follows the documentation of Seed and of
// PCG-DXSM, and takes the normal quantile from mpmath. These numbers are the meaning of users'
// seeds: they must never change.
func TestNoiseValues(t *testing.T) {
	for _, c := range []struct {
		seed, index uint64
		want        [4]float64
	}{
		{0, 0, [4]float64{0.3557660941, 0.1679151601, -0.5139679568, 1.788860712}},
		{1, 2, [4]float64{-0.2424489874, 0.1517367137, -0.7238497466, -0.6950547092}},
		{2, 1, [4]float64{0.1886919377, 1.593250406, -1.275242223, 0.5793924246}},
		{math.MaxUint64, 7, [4]float64{-1.588920153, 2.577172874, 0.4445730085, -1.220812374}},
	} {
		var x [4]float32
		Noise(x[:], c.seed, c.index)
		for i := range x {
			if !numtest.Near(float64(x[i]), c.want[i], 0x1p-24*max(1, math.Abs(c.want[i]))+1e-9) {
				t.Errorf("noise (%d, %d) is %v, want %v", c.seed, c.index, x, c.want)
				break
			}
		}
	}
}

// TestSeedState compares with the same program in Python.
func TestSeedState(t *testing.T) {
	for _, c := range []struct {
		words []uint64
		want  string
	}{
		{[]uint64{5}, "c097314d939736f845a83c6628885e16"},
		{[]uint64{1, 2, 3}, "fb71c61ad00490803ed627970d557b43"},
	} {
		var p rand.PCG
		Seed(&p, c.words...)
		state, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(state[len("pcg:"):]); got != c.want {
			t.Errorf("Seed(%v) gives %s, want %s", c.words, got, c.want)
		}
	}
}

// TestSeedWords: other words, another order or another number of words give another stream.
func TestSeedWords(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		words := rapid.SliceOfN(rapid.Uint64Range(0, 3), 0, 4)
		a, b := words.Draw(r, "a"), words.Draw(r, "b")
		var pa, pb rand.PCG
		Seed(&pa, a...)
		Seed(&pb, b...)
		if same := pa == pb; same != slices.Equal(a, b) {
			r.Errorf("words %v and %v: same stream is %v", a, b, same)
		}
	})
}

// TestNoiseDistribution bounds moments by 5 standard errors. The distance of the distribution
// functions is above √(ln(2/p)/2n) with a probability of at most p, here 1e-6 (Dvoretzky, Kiefer
// and Wolfowitz).
func TestNoiseDistribution(t *testing.T) {
	const images, d = 256, 784
	const n = images * d
	x := make([]float32, n)
	for i := range images {
		Noise(x[i*d:(i+1)*d], 11, uint64(i))
	}
	var moments [5]float64
	var neighbours float64 // Σ of products of the same pixel in successive images
	for i, v := range x {
		for k, power := 1, float64(v); k <= 4; k, power = k+1, power*float64(v) {
			moments[k] += power / n
		}
		if i >= d {
			neighbours += float64(v) * float64(x[i-d]) / (n - d)
		}
	}
	// The k-th power of a normal has the variance E x^2k − (E x^k)²: 1, 2, 15, 96.
	for k, c := range map[int]struct{ mean, variance float64 }{1: {0, 1}, 2: {1, 2}, 3: {0, 15}, 4: {3, 96}} {
		if !numtest.Near(moments[k], c.mean, 5*math.Sqrt(c.variance/n)) {
			t.Errorf("moment %d is %v, want %v", k, moments[k], c.mean)
		}
	}
	if !numtest.Near(neighbours, 0, 5/math.Sqrt(n-d)) {
		t.Errorf("successive images have the correlation %v", neighbours)
	}
	slices.Sort(x)
	var gap float64
	for i, v := range x {
		gap = max(gap, math.Abs(math.Erfc(-float64(v)/math.Sqrt2)/2-(float64(i)+0.5)/n)-0.5/n)
	}
	if bound := math.Sqrt(math.Log(2/1e-6) / (2 * n)); gap > bound {
		t.Errorf("the distribution function misses Φ by %v, bound %v", gap, bound)
	}
}

// TestGaussianPrefix: number i does not depend on how many are drawn.
func TestGaussianPrefix(t *testing.T) {
	long, short := make([]float32, 1000), make([]float32, 10)
	Noise(long, 3, 4)
	Noise(short, 3, 4)
	if !numtest.SameBits(long[:10], short) {
		t.Errorf("the first numbers are %v or %v", long[:10], short)
	}
}

func TestOpenUniformEnds(t *testing.T) {
	// The smallest and largest draws are 2⁻⁵³ and 1−2⁻⁵³; no stream shows them, so the formula is
	// checked on its range.
	var p rand.PCG
	Seed(&p, 1)
	for range 100_000 {
		u := OpenUniform(&p)
		if !(u > 0 && u < 1) || u*(1<<53) != math.Trunc(u*(1<<53)) || math.Mod(u*(1<<53), 2) != 1 {
			t.Fatalf("drew %v, not an odd multiple of 2⁻⁵³ in (0, 1)", u)
		}
	}
}

func TestNoiseAllocations(t *testing.T) {
	x := make([]float32, 784)
	if got := testing.AllocsPerRun(10, func() { Noise(x, 1, 2) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
