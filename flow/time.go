package flow

import (
	"fmt"
	"math"
)

// A TimeDistribution says how often training takes each time in [0, 1].
type TimeDistribution interface {
	// Quantile returns the time below which a share u in (0, 1) of the times lies. It rises with u.
	// For a uniform u it is a random time.
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

// LogitNormal is the distribution of t = 1/(1+exp(−z)) with z ~ N(Mean, Std²), Std > 0. It trains
// most on the middle of the path, where the velocity is hardest to learn (Esser et al. 2024,
// "Scaling Rectified Flow Transformers", section 3.1).
type LogitNormal struct{ Mean, Std float64 }

// Quantile returns the logistic function of the normal quantile of u.
func (l LogitNormal) Quantile(u float64) float64 {
	return 1 / (1 + math.Exp(-(l.Mean + float64(l.Std*normalQuantile(u)))))
}

// String returns "logit-normal(MEAN,STD)".
func (l LogitNormal) String() string {
	return "logit-normal(" + shortest(l.Mean) + "," + shortest(l.Std) + ")"
}

// A Curriculum is a distribution of times that changes during a training. It trains most on the
// middle of the path at first, by [LogitNormal] with mean 0 and deviation 1, and is uniform after a
// share Until of the training, 0 < Until < 1. (Zhang et al. 2026, arXiv 2603.12517, find that a
// static distribution with more weight in the middle learns fast and ends worse.)
type Curriculum struct{ Until float64 }

// The distributions of a [Curriculum], made once so that a step allocates nothing.
var early, late TimeDistribution = LogitNormal{Mean: 0, Std: 1}, Uniform{}

// At returns the distribution when a share of the training is done.
func (c Curriculum) At(done float64) TimeDistribution {
	if done < c.Until {
		return early
	}
	return late
}

// Quantile returns the one of the end of the training.
func (Curriculum) Quantile(u float64) float64 { return u }

// String returns "curriculum(UNTIL)".
func (c Curriculum) String() string { return "curriculum(" + shortest(c.Until) + ")" }

// TimesAt returns the distribution when a share of a training is done: that of a [Curriculum], or d
// itself.
func TimesAt(d TimeDistribution, done float64) TimeDistribution {
	if c, ok := d.(Curriculum); ok {
		return c.At(done)
	}
	return d
}

// ParseTimeDistribution reads "uniform", "logit-normal" (mean 0, deviation 1),
// "logit-normal(MEAN,STD)", "curriculum" (until 0.5) or "curriculum(UNTIL)". The error is a
// [*ParseError].
func ParseTimeDistribution(s string) (TimeDistribution, error) {
	name, arguments, err := parseCall(s)
	switch n := len(arguments); {
	case name == "uniform" && err == nil && n == 0:
		return Uniform{}, nil
	case name == "logit-normal" && err == nil && n == 0:
		return LogitNormal{Mean: 0, Std: 1}, nil
	case name == "logit-normal" && (err != nil || n != 2):
		return nil, timesError(s, "want two numbers, as in logit-normal(0,1)")
	case name == "logit-normal" && arguments[1] <= 0:
		return nil, timesError(s, "want a finite mean and a finite deviation above 0, as in logit-normal(0,1)")
	case name == "logit-normal":
		return LogitNormal{Mean: arguments[0], Std: arguments[1]}, nil
	case name == "curriculum" && err == nil && n == 0:
		return Curriculum{Until: 0.5}, nil
	case name == "curriculum" && (err != nil || n != 1 || arguments[0] <= 0 || arguments[0] >= 1):
		return nil, timesError(s, "want a share of the training between 0 and 1, as in curriculum(0.5)")
	case name == "curriculum":
		return Curriculum{Until: arguments[0]}, nil
	}
	return nil, &ParseError{
		Package: "flow", Kind: "distribution of times", Text: s,
		Known:  []string{"uniform", "logit-normal", "logit-normal(MEAN,STD)", "curriculum", "curriculum(UNTIL)"},
		Reason: "known are uniform, logit-normal, logit-normal(MEAN,STD), curriculum and curriculum(UNTIL)",
	}
}

func timesError(s, reason string) error {
	return &ParseError{Package: "flow", Kind: "distribution of times", Text: s, Reason: reason}
}

// Stratum moves the point u of (0, 1) into part i of n equal parts: (i+u)/n.
func Stratum(i, n int, u float64) float64 {
	if i < 0 || i >= n {
		panic(fmt.Sprintf("flow: stratum %d of %d", i, n))
	}
	return min((float64(i)+u)/float64(n), math.Nextafter(1, 0)) // i+u may round up to n
}

// SampleTimes sets t[i] to a time from part i of len(t) equally likely parts of dist, at the
// uniform number u[i] in (0, 1). So the times of a batch are spread evenly. Their mean loss has the
// same expectation as that of independent times, and varies less.
func SampleTimes(t []float32, u []float64, dist TimeDistribution) {
	if len(u) != len(t) {
		panic(fmt.Sprintf("flow: lengths differ: t %d, u %d", len(t), len(u)))
	}
	for i := range t {
		t[i] = float32(dist.Quantile(Stratum(i, len(t), u[i])))
	}
}
