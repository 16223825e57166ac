package flow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

// distributions has the distribution function of each distribution of times, written without
// quantiles.
var distributions = map[TimeDistribution]func(t float64) float64{
	Uniform{}:                       func(t float64) float64 { return t },
	LogitNormal{Mean: 0, Std: 1}:    logitNormalCDF(0, 1),
	LogitNormal{Mean: -0.5, Std: 2}: logitNormalCDF(-0.5, 2),
}

func logitNormalCDF(mean, std float64) func(t float64) float64 {
	return func(t float64) float64 {
		return math.Erfc(-(math.Log(t/(1-t))-mean)/std/math.Sqrt2) / 2
	}
}

func TestQuantileInvertsCDF(t *testing.T) {
	for dist, cdf := range distributions {
		rapid.Check(t, func(r *rapid.T) {
			u := rapid.Float64Range(1e-4, 1-1e-4).Draw(r, "u")
			// 1−t loses digits near t = 1: with z < 8 at 2 deviations of 3.7, by 2⁻⁵³·e⁸ = 3e-13 in
			// the logit.
			if got := cdf(dist.Quantile(u)); !numtest.Near(got, u, 1e-12) {
				r.Errorf("%v: F(Q(%v)) = %v", dist, u, got)
			}
		})
	}
}

func TestQuantileRises(t *testing.T) {
	for dist := range distributions {
		rapid.Check(t, func(r *rapid.T) {
			a, b := rapid.Float64Range(0, 1).Draw(r, "a"), rapid.Float64Range(0, 1).Draw(r, "b")
			qa, qb := dist.Quantile(min(a, b)), dist.Quantile(max(a, b))
			if !(0 <= qa && qa <= qb && qb <= 1) {
				r.Errorf("%v: Q(%v) = %v, Q(%v) = %v", dist, min(a, b), qa, max(a, b), qb)
			}
		})
	}
}

// TestTimesDistribution draws independent times. The distance of the distribution functions is
// above √(ln(2/p)/2n) with a probability of at most p, here 1e-6 (Dvoretzky, Kiefer and Wolfowitz).
func TestTimesDistribution(t *testing.T) {
	const n = 20_000
	for dist, cdf := range distributions {
		var p rand.PCG
		Seed(&p, 21)
		times := make([]float64, n)
		for i := range times {
			times[i] = dist.Quantile(OpenUniform(&p))
		}
		slices.Sort(times)
		var gap float64
		for i, at := range times {
			gap = max(gap, math.Abs(cdf(at)-(float64(i)+0.5)/n)-0.5/n)
		}
		if bound := math.Sqrt(math.Log(2/1e-6) / (2 * n)); gap > bound {
			t.Errorf("%v: the distribution function is missed by %v, bound %v", dist, gap, bound)
		}
	}
}

// TestStratification: each of n equally likely parts has exactly one time, whatever the uniform
// numbers are.
func TestStratification(t *testing.T) {
	for dist, cdf := range distributions {
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(1, 200).Draw(r, "n")
			u := rapid.SliceOfN(rapid.Float64Range(1e-6, 1-1e-6), n, n).Draw(r, "u")
			times := make([]float32, n)
			SampleTimes(times, u, dist)
			for i, at := range times {
				if at == 1 { // rounded up to it
					at = math.Nextafter32(1, 0)
				}
				// Rounding a time to float32 shifts F by at most 2⁻²⁴ times the density, which
				// stays below 10 here.
				share := cdf(float64(at)) * float64(n)
				if slack := float64(n) * 1e-6; share < float64(i)-slack || share > float64(i+1)+slack {
					r.Fatalf("%v: time %d of %d is %v, at the share %v", dist, i, n, at, share/float64(n))
				}
			}
		})
	}
}

// TestStratifiedMean: with independent times the mean of t has the deviation √(1/12n). In strata it
// is smaller, namely √(1/12)/n^1.5: each of n parts has the deviation √(1/12)/n.
func TestStratifiedMean(t *testing.T) {
	const n, rounds = 64, 2000
	var p rand.PCG
	Seed(&p, 5)
	u, times := make([]float64, n), make([]float32, n)
	var sum, squares float64
	for range rounds {
		for i := range u {
			u[i] = OpenUniform(&p)
		}
		SampleTimes(times, u, Uniform{})
		var mean float64
		for _, at := range times {
			mean += float64(at) / n
		}
		sum += mean - 0.5
		squares += (mean - 0.5) * (mean - 0.5)
	}
	deviation := math.Sqrt(1./12) / math.Pow(n, 1.5)
	if !numtest.Near(sum/rounds, 0, 5*deviation/math.Sqrt(rounds)) {
		t.Errorf("mean of t is off by %v", sum/rounds)
	}
	// The squares of a nearly normal number have a relative deviation of √2; 5 standard errors of
	// their mean.
	if got := squares / rounds / (deviation * deviation); !numtest.Near(got, 1, 5*math.Sqrt(2./rounds)) {
		t.Errorf("the variance of the mean is %v of the expected", got)
	}
}

func TestStratumEnds(t *testing.T) {
	if u := Stratum(6, 7, math.Nextafter(1, 0)); u >= 1 {
		t.Errorf("the last stratum reaches %v", u)
	}
	numtest.MustPanic(t, "stratum n", func() { Stratum(3, 3, 0.5) })
	numtest.MustPanic(t, "lengths", func() { SampleTimes(make([]float32, 2), make([]float64, 3), Uniform{}) })
}

func TestParseTimeDistribution(t *testing.T) {
	for s, want := range map[string]TimeDistribution{
		"uniform":                  Uniform{},
		" uniform ":                Uniform{},
		"logit-normal":             LogitNormal{0, 1},
		"logit-normal(0,1)":        LogitNormal{0, 1},
		"logit-normal( -0.5 , 2 )": LogitNormal{-0.5, 2},
	} {
		if got, err := ParseTimeDistribution(s); err != nil || got != want {
			t.Errorf("%q gives %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "normal", "Uniform", "uniform()", "uniform(0,1)", "logit-normal(", "logit-normal()",
		"logit-normal(1)", "logit-normal(0,1",
		"logit-normal(0,1,2)", "logit-normal(a,1)", "logit-normal(0,1)x",
		"logit-normal(0,0)", "logit-normal(0,-1)", "logit-normal(NaN,1)", "logit-normal(0,Inf)",
	} {
		got, err := ParseTimeDistribution(s)
		if err == nil {
			t.Errorf("%q gives %v", s, got)
			continue
		}
		for _, part := range []string{fmt.Sprintf("%q", s), "logit-normal("} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: the error lacks %s: %v", s, part, err)
			}
		}
	}
}

func TestParseTimeDistributionRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := LogitNormal{
			Mean: rapid.Float64Range(-1e9, 1e9).Draw(r, "mean"),
			Std:  rapid.Float64Range(1e-9, 1e9).Draw(r, "std"),
		}
		if got, err := ParseTimeDistribution(want.String()); err != nil || got != want {
			r.Errorf("%v comes back as %v, %v", want, got, err)
		}
	})
}

// A curriculum begins in the middle of the path and ends uniform; other distributions stay.
func TestCurriculum(t *testing.T) {
	c, err := ParseTimeDistribution("curriculum(0.25)")
	if err != nil || c.String() != "curriculum(0.25)" {
		t.Fatalf("%v, %v", c, err)
	}
	for _, at := range []struct {
		dist TimeDistribution
		done float64
		want TimeDistribution
	}{
		{c, 0, LogitNormal{0, 1}}, {c, 0.2499, LogitNormal{0, 1}}, {c, 0.25, Uniform{}}, {c, 1, Uniform{}},
		{Uniform{}, 0, Uniform{}}, {LogitNormal{1, 2}, 0.1, LogitNormal{1, 2}},
	} {
		if got := TimesAt(at.dist, at.done); got != at.want {
			t.Errorf("%v when %v is done: %v, want %v", at.dist, at.done, got, at.want)
		}
	}
	if c.Quantile(0.3) != 0.3 {
		t.Error("its end is not uniform")
	}
	for _, wrong := range []string{"curriculum(0)", "curriculum(1)", "curriculum(0.2,0.3)", "curriculum(x)"} {
		if _, err := ParseTimeDistribution(wrong); err == nil {
			t.Errorf("%s was read", wrong)
		}
	}
}
