package flow

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// LinearPower is the straight path with a growing speed: α_t = t^N, σ_t = 1−t^N with N ≥ 1, so u_t
// = N·t^(N−1)·(x1−x0). It stays near the noise for longer than [Linear], which is N = 1.
type LinearPower struct{ N float64 }

// At returns the coefficients at time t.
func (p LinearPower) At(t float64) Coefficients {
	alpha, speed := math.Pow(t, p.N), float64(p.N*math.Pow(t, p.N-1))
	return Coefficients{Alpha: alpha, Sigma: 1 - alpha, DAlpha: speed, DSigma: -speed}
}

// String returns "linear-power(N)".
func (p LinearPower) String() string { return "linear-power(" + shortest(p.N) + ")" }

// Cosine is the path along a quarter of a circle, α_t = sin(πt/2), σ_t = cos(πt/2). Since σ² + α² =
// 1, x_t keeps the variance of data whose variance is 1 (Nichol and Dhariwal 2021, "Improved
// Denoising Diffusion Probabilistic Models", equation 17 without its offset; the trigonometric
// interpolant of Albergo and Vanden-Eijnden 2023).
type Cosine struct{}

// At returns the coefficients at time t.
func (Cosine) At(t float64) Coefficients {
	const quarter = math.Pi / 2
	// exactly 0 at the ends
	alpha, sigma := math.Sin(float64(quarter*t)), math.Sin(float64(quarter*(1-t)))
	return Coefficients{Alpha: alpha, Sigma: sigma, DAlpha: quarter * sigma, DSigma: -quarter * alpha}
}

// String returns "cosine".
func (Cosine) String() string { return "cosine" }

// VariancePreserving is the path of diffusion models, with noise added at the rate β(s) = BetaMin +
// s·(BetaMax−BetaMin) (Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models",
// section 4, in the continuous time of Song et al. 2021, "Score-Based Generative Modeling through
// Stochastic Differential Equations", equation 33):
//
//	α = exp(−½·∫₀ˢ β),   σ = √(1−α²),   s = 1 − (1−δ)·t,   δ = 1e-5.
//
// Diffusion time s runs from data to noise, so t = 1 is data here too. The path reaches neither
// end. With the usual β from 0.1 to 20 it starts at α = 0.0066. σ' is infinite at s = 0, so the
// path ends at s = δ as in that paper. There σ is 0.001, an eighth of a level of an 8-bit pixel.
type VariancePreserving struct{ BetaMin, BetaMax float64 }

// vpEnd is δ, the diffusion time at which the path ends.
const vpEnd = 1e-5

// At returns the coefficients at time t.
func (p VariancePreserving) At(t float64) Coefficients {
	s := 1 - float64((1-vpEnd)*t)
	beta := p.BetaMin + float64(s*(p.BetaMax-p.BetaMin))
	added := float64(s*(p.BetaMin+beta)) / 2 // ∫₀ˢ β
	alpha, sigma := math.Exp(-added/2), math.Sqrt(-math.Expm1(-added))
	dAlpha := (1 - vpEnd) / 2 * alpha * beta
	// of σ² = 1−α²
	return Coefficients{Alpha: alpha, Sigma: sigma, DAlpha: dAlpha, DSigma: -alpha * dAlpha / sigma}
}

// String returns "vp(BMIN,BMAX)".
func (p VariancePreserving) String() string {
	return "vp(" + shortest(p.BetaMin) + "," + shortest(p.BetaMax) + ")"
}

// shortest spells a number so that it reads back the same.
func shortest(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// pathEnds is how far from noise and data the ends of a path may be in ParseSchedule. A network
// cannot tell noise with 1 % of an image from noise. And 1 % of noise in an image is little more
// than the rounding of an 8-bit pixel.
const pathEnds = 0.01

// ParseSchedule reads "linear", "linear-power(N)", "cosine", "vp" (0.1 to 20) or "vp(BMIN,BMAX)".
// The error is a [*ParseError].
func ParseSchedule(s string) (Schedule, error) {
	name, arguments, err := parseCall(s)
	if err != nil {
		return nil, pathError(s, err.Error())
	}
	var path Schedule
	switch n := len(arguments); {
	case name == "linear" && n == 0:
		return Linear{}, nil
	case name == "cosine" && n == 0:
		return Cosine{}, nil
	case name == "linear-power" && n == 1 && arguments[0] >= 1 && arguments[0] <= 10:
		return LinearPower{N: arguments[0]}, nil
	case name == "linear-power":
		return nil, pathError(s, "want a power from 1 to 10, as in linear-power(2)")
	case name == "vp" && n == 0:
		return VariancePreserving{BetaMin: 0.1, BetaMax: 20}, nil
	case name == "vp" && n == 2:
		path = VariancePreserving{BetaMin: arguments[0], BetaMax: arguments[1]}
	case name == "vp":
		return nil, pathError(s, "want two rates, as in vp(0.1,20)")
	default:
		return nil, &ParseError{
			Package: "flow", Kind: "path", Text: s,
			Known:  []string{"linear", "linear-power(N)", "cosine", "vp", "vp(BMIN,BMAX)"},
			Reason: "known are linear, linear-power(N), cosine, vp and vp(BMIN,BMAX)",
		}
	}
	if CheckSchedule(path, pathEnds) != nil {
		return nil, pathError(s, "want rates that rise from nearly 0 to enough to leave only noise, as in vp(0.1,20)")
	}
	return path, nil
}

// A ParseError is a text that does not name or spell what is asked for.
type ParseError = option.ValueError

func pathError(s, reason string) error {
	return &ParseError{Package: "flow", Kind: "path", Text: s, Reason: reason}
}

// parseCall reads "name" or "name(NUMBER,…)", where numbers are finite.
func parseCall(s string) (name string, arguments []float64, err error) {
	name, list, has := strings.Cut(strings.TrimSpace(s), "(")
	if !has {
		return name, nil, nil
	}
	list, closed := strings.CutSuffix(list, ")")
	if !closed {
		return name, nil, fmt.Errorf("want a ) at its end")
	}
	for text := range strings.SplitSeq(list, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || !states.Finite(x) {
			return name, nil, fmt.Errorf("%q is no number", strings.TrimSpace(text))
		}
		arguments = append(arguments, x)
	}
	return name, arguments, nil
}

// CheckSchedule compares derivatives at times that are checkStep apart, with central differences
// over checkDifference to either side. The differences are wrong by h²/6 of the third derivative,
// below 1e-6 for all paths here.
const (
	checkStep       = 1. / 64
	checkDifference = 1e-5
	checkTolerance  = 1e-6
)

// CheckSchedule verifies a path against the theory. The path must start at noise and end at data,
// with α and σ no further than ends from 0 and 1. Both derivatives must be those of α and σ, by
// central differences. And the signal-to-noise ratio α/σ must always rise.
func CheckSchedule(s Schedule, ends float64) error {
	first, last := s.At(0), s.At(1)
	if !(math.Abs(first.Alpha) <= ends && math.Abs(first.Sigma-1) <= ends) {
		return fmt.Errorf("flow: path %v: it starts at α = %v, σ = %v, further than %v from noise, 0 and 1",
			s, first.Alpha, first.Sigma, ends)
	}
	if !(math.Abs(last.Alpha-1) <= ends && math.Abs(last.Sigma) <= ends) {
		return fmt.Errorf("flow: path %v: it ends at α = %v, σ = %v, further than %v from data, 1 and 0",
			s, last.Alpha, last.Sigma, ends)
	}
	before := first.LogSNR()
	for t := checkStep; t < 1; t += checkStep {
		if err := checkDerivatives(s, t); err != nil {
			return err
		}
		now := s.At(t).LogSNR()
		if !(now > before) {
			return fmt.Errorf("flow: path %v: the log-SNR goes from %v to %v at t = %v, and must rise",
				s, before, now, t)
		}
		before = now
	}
	for _, c := range []Coefficients{first, last} {
		if !states.Finite(c.DAlpha) || !states.Finite(c.DSigma) {
			return fmt.Errorf("flow: path %v: at an end α' = %v, σ' = %v: a derivative is %w",
				s, c.DAlpha, c.DSigma, ode.ErrNotFinite)
		}
	}
	if !(last.LogSNR() > before) {
		return fmt.Errorf("flow: path %v: the log-SNR goes from %v to %v at t = 1, and must rise",
			s, before, last.LogSNR())
	}
	return nil
}

// checkDerivatives compares the derivatives at a time inside the path with differences.
func checkDerivatives(s Schedule, t float64) error {
	const h = checkDifference
	c, before, after := s.At(t), s.At(t-h), s.At(t+h)
	for _, d := range []struct {
		name      string
		got, want float64
	}{
		{"α'", c.DAlpha, (after.Alpha - before.Alpha) / (2 * h)},
		{"σ'", c.DSigma, (after.Sigma - before.Sigma) / (2 * h)},
	} {
		if !(math.Abs(d.got-d.want) <= checkTolerance*(1+math.Abs(d.want))) {
			return fmt.Errorf("flow: path %v: %s = %v at t = %v, where differences give %v",
				s, d.name, d.got, t, d.want)
		}
	}
	return nil
}
