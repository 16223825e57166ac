package flow

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/states"
)

// A TimeDistribution says how often each time in [0, 1] is trained on.
type TimeDistribution interface {
	// Quantile returns the time below which a share u in (0, 1) of the times lies; of a uniform u it
	// makes a random time. It rises with u.
	Quantile(u float64) float64
	// String returns the form that ParseTimeDistribution reads.
	String() string
}

// Uniform is the uniform distribution of times.
type Uniform struct{}

// Quantile returns u.
func (Uniform) Quantile(u float64) float64 { return u }

// String returns "uniform".
func (Uniform) String() string { return "uniform" }

// LogitNormal is the distribution of t = 1/(1+exp(−z)) with z ~ N(Mean, Std²), Std > 0: it trains most on
// the middle of the path, where the velocity is hardest to tell (Esser et al. 2024, "Scaling Rectified
// Flow Transformers", section 3.1).
type LogitNormal struct{ Mean, Std float64 }

// Quantile returns the logistic function of the normal quantile of u.
func (l LogitNormal) Quantile(u float64) float64 {
	return 1 / (1 + math.Exp(-(l.Mean + float64(l.Std*normalQuantile(u)))))
}

// String returns "logit-normal(MEAN,STD)".
func (l LogitNormal) String() string {
	return "logit-normal(" + strconv.FormatFloat(l.Mean, 'g', -1, 64) + "," + strconv.FormatFloat(l.Std, 'g', -1, 64) + ")"
}

// ParseTimeDistribution reads "uniform", "logit-normal" (mean 0, deviation 1) or "logit-normal(MEAN,STD)".
func ParseTimeDistribution(s string) (TimeDistribution, error) {
	name, arguments, has := strings.Cut(strings.TrimSpace(s), "(")
	switch {
	case name == "uniform" && !has:
		return Uniform{}, nil
	case name == "logit-normal" && !has:
		return LogitNormal{Mean: 0, Std: 1}, nil
	case name == "logit-normal":
		return parseLogitNormal(s, arguments)
	}
	return nil, fmt.Errorf("flow: unknown distribution of times %q: known are uniform, logit-normal and logit-normal(MEAN,STD)", s)
}

// parseLogitNormal reads the "MEAN,STD)" of s.
func parseLogitNormal(s, arguments string) (TimeDistribution, error) {
	body, closed := strings.CutSuffix(strings.TrimSpace(arguments), ")")
	mean, std, two := strings.Cut(body, ",")
	m, errMean := strconv.ParseFloat(strings.TrimSpace(mean), 64)
	d, errStd := strconv.ParseFloat(strings.TrimSpace(std), 64)
	if !closed || !two || errMean != nil || errStd != nil {
		return nil, fmt.Errorf("flow: distribution of times %q: want two numbers, as in logit-normal(0,1)", s)
	}
	if !states.Finite(m) || !states.Finite(d) || d <= 0 {
		return nil, fmt.Errorf("flow: distribution of times %q: want a finite mean and a finite deviation above 0, as in logit-normal(0,1)", s)
	}
	return LogitNormal{Mean: m, Std: d}, nil
}

// Stratum returns the point u of (0, 1) moved into the i-th of n equal parts, (i+u)/n.
func Stratum(i, n int, u float64) float64 {
	if i < 0 || i >= n {
		panic(fmt.Sprintf("flow: stratum %d of %d", i, n))
	}
	return min((float64(i)+u)/float64(n), math.Nextafter(1, 0)) // i+u may round up to n
}

// SampleTimes sets t[i] to a time from the i-th of len(t) equally likely parts of dist, at the uniform
// number u[i] in (0, 1): over the batch the times are spread evenly, so their mean loss varies less than
// that of independent times, and has the same expectation.
func SampleTimes(t []float32, u []float64, dist TimeDistribution) {
	if len(u) != len(t) {
		panic(fmt.Sprintf("flow: lengths differ: t %d, u %d", len(t), len(u)))
	}
	for i := range t {
		t[i] = float32(dist.Quantile(Stratum(i, len(t), u[i])))
	}
}
