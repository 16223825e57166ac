package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// naiveMMD computes the unbiased estimate from its definition, in float64.
func naiveMMD(x, y Features) float64 {
	mean := func(a, b Features, same bool) float64 {
		var sum, n float64
		for i := range a.N {
			for j := range b.N {
				if same && i == j {
					continue
				}
				var product float64
				for k, v := range a.Row(i) {
					product += float64(v) * float64(b.Row(j)[k])
				}
				sum, n = sum+math.Pow(product/float64(a.D)+1, 3), n+1
			}
		}
		return sum / n
	}
	return mean(x, x, true) + mean(y, y, true) - 2*mean(x, y, false)
}

// The distance is that of the definition, with blocks of two sizes and rows left over. Products of
// 9 numbers in float32 err by 5e-7 of the kernel's mean, which is about one.
func TestKIDEqualsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 1))
	x, y := normals(rng, 305, 9), normals(rng, 40, 9)
	var want float64
	for i := range 3 {
		want += naiveMMD(Features{101, 9, x.Data[i*101*9:][:101*9]}, Features{13, 9, y.Data[i*13*9:][:13*9]}) / 3
	}
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		got, err := KID(x, y, KIDOptions{Blocks: 3}, Compute{ISA: isa})
		if err != nil || got.Blocks != 3 {
			t.Fatal(got, err)
		}
		mustBeNear(t, "distance", got.Value, want, 1e-6)
		if again, _ := KID(x, y, KIDOptions{Blocks: 3}, Compute{ISA: isa, Parallel: together}); again != got {
			t.Errorf("%v with several workers, %v with one", again, got)
		}
	})
}

// All rows of a set are one point. So each block has k(x,x) + k(y,y) − 2k(x,y) = 2³ + 2³ − 2·1³.
func TestKIDOfTwoPoints(t *testing.T) {
	x, y := Features{N: 20, D: 2}, Features{N: 30, D: 2}
	for range x.N {
		x.Data = append(x.Data, 1, 1)
	}
	for range y.N {
		y.Data = append(y.Data, 1, -1)
	}
	if got, err := KID(x, y, KIDOptions{}, Compute{}); err != nil || got != (KIDScore{14, 0, 10}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// In one dimension k(x,y) = Σ C(3,p)·xᵖyᵖ, so MMD² = Σ C(3,p)·(E xᵖ − E yᵖ)². N(1, 1) has the
// moments 1, 2, 4 and N(0, 1) has 0, 1, 0: MMD² = 3·1 + 3·1 + 1·16 = 22. The mean of the blocks is
// more than 4 standard errors away in 0.1 % of draws (Student's t with 19 degrees of freedom).
func TestKIDOfNormals(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	x, y := normals(rng, 8000, 1), normals(rng, 8000, 1)
	for i := range x.Data {
		x.Data[i]++
	}
	got, err := KID(x, y, KIDOptions{Blocks: 20}, Compute{ISA: kernels.Best()})
	if err != nil {
		t.Fatal(err)
	}
	mustBeNear(t, "distance", got.Value, 22, 4*got.StandardError)
	if got.StandardError > 2 {
		t.Errorf("standard error %g", got.StandardError)
	}
}

// For two samples of one distribution the estimate is zero on average. So half of the estimates are
// negative. With 10 blocks, value/error is Student's t with 9 degrees of freedom. It exceeds 2.26
// in 1 of 20 trials, and in more than 9 of 60 with a probability of 0.1 %. The mean of 60 has the
// deviation √(9/7)/√60 = 0.15.
func TestKIDOfOneDistribution(t *testing.T) {
	const trials = 60
	rng := rand.New(rand.NewPCG(12, 1))
	var mean float64
	outside, negative := 0, 0
	for range trials {
		got, err := KID(normals(rng, 200, 6), normals(rng, 200, 6), KIDOptions{}, Compute{ISA: kernels.Best()})
		if err != nil {
			t.Fatal(err)
		}
		ratio := got.Value / got.StandardError
		mean += ratio / trials
		if math.Abs(ratio) > 2.26 {
			outside++
		}
		if ratio < 0 {
			negative++
		}
	}
	mustBeNear(t, "mean ratio", mean, 0, 4*0.15)
	if outside > 9 || negative < trials/5 || negative > trials*4/5 {
		t.Errorf("of %d trials %d lie outside of 2.26 errors, %d are negative", trials, outside, negative)
	}
}

// Rows sorted by class make blocks of one class each. So two sets whose classes come in other
// orders have a mean far from zero. A random order mends that.
func TestKIDOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 1))
	x, y := normals(rng, 1000, 4), normals(rng, 1000, 4)
	for i := range 1000 {
		x.Row(i)[0] += 4 * float32(i/100)
		y.Row(i)[0] += 4 * float32(9-i/100)
	}
	sorted, err := KID(x, y, KIDOptions{}, Compute{ISA: kernels.Best()})
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := KID(x, y, KIDOptions{Rand: rng}, Compute{ISA: kernels.Best()})
	if err != nil {
		t.Fatal(err)
	}
	mustBeNear(t, "mixed", mixed.Value, 0, 5*mixed.StandardError)
	if sorted.Value < 20*mixed.StandardError {
		t.Errorf("sorted rows: %v, mixed rows: %v", sorted, mixed)
	}
}

func TestMeanAndError(t *testing.T) {
	mean, standardError := MeanAndError([]float64{1, 2, 3, 6}) // deviations −2, −1, 0, 3
	mustBeNear(t, "mean", mean, 3, 0)
	mustBeNear(t, "standard error", standardError, math.Sqrt(14./3/4), 1e-15)
	if mean, standardError = MeanAndError([]float64{5}); mean != 5 || standardError != 0 {
		t.Errorf("one number: %g ± %g", mean, standardError)
	}
}

func TestKIDErrors(t *testing.T) {
	x := normals(rand.New(rand.NewPCG(14, 1)), 40, 2)
	few, bad := Features{19, 2, x.Data[:38]}, Features{40, 2, append([]float32(nil), x.Data...)}
	bad.Data[79] = float32(math.NaN())
	_, err := KID(x, few, KIDOptions{}, Compute{})
	mustFail(t, "few rows", err, "40 and 19 rows for 10 blocks")
	_, err = KID(x, x, KIDOptions{Blocks: 1}, Compute{})
	mustFail(t, "one block", err, "1 blocks")
	for _, parallel := range []func(int, func(int)) error{nil, together} {
		_, err = KID(x, bad, KIDOptions{}, Compute{Parallel: parallel})
		mustFail(t, "NaN in y", err, "set 2: row 39", "not finite")
		_, err = KID(bad, x, KIDOptions{}, Compute{Parallel: parallel})
		mustFail(t, "NaN in x", err, "set 1: row 39", "not finite")
	}
	mustPanic(t, "other rows", func() { _, _ = KID(x, line(1, 2), KIDOptions{}, Compute{}) }, "2", "1")
}
