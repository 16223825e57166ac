package flow

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/numtest"
)

// paths has a path of each kind, by its name.
var paths = map[string]Schedule{
	"linear":          Linear{},
	"linear-power(2)": LinearPower{N: 2},
	"cosine":          Cosine{},
	"vp(0.1,20)":      VariancePreserving{BetaMin: 0.1, BetaMax: 20},
}

// exactPaths are the paths that begin at noise and end at data exactly.
var exactPaths = []string{"linear", "linear-power(2)", "cosine"}

func TestSchedulesCheck(t *testing.T) {
	for _, name := range exactPaths {
		s := paths[name]
		if err := CheckSchedule(s, 0); err != nil {
			t.Error(err)
		}
		if c := s.At(0); c.Alpha != 0 || c.Sigma != 1 || !math.IsInf(c.LogSNR(), -1) {
			t.Errorf("%s starts at %+v", name, c)
		}
		if c := s.At(1); c.Alpha != 1 || c.Sigma != 0 || !math.IsInf(c.LogSNR(), 1) {
			t.Errorf("%s ends at %+v", name, c)
		}
	}
	// From β by hand: α_0 = exp(−½·(0.1+20)/2) = 0.00657, and σ_1² = 0.1·δ up to δ².
	vp := paths["vp(0.1,20)"]
	a, s := vp.At(0).Alpha, vp.At(1).Sigma
	if !numtest.Near(a, math.Exp(-5.025), 1e-15) || !numtest.Near(s, 0.001, 1e-6) {
		t.Errorf("vp starts at α = %v and ends at σ = %v", a, s)
	}
	if err := CheckSchedule(vp, 0.0066); err != nil {
		t.Error(err)
	}
	if err := CheckSchedule(vp, 0.0065); err == nil || !strings.Contains(err.Error(), "starts at α = 0.00657") {
		t.Errorf("vp with ends within 0.0065: %v", err)
	}
}

// TestScheduleIdentities: σ + α = 1 on straight paths, and σ² + α² = 1 on paths that keep the
// variance, up to a few roundings.
func TestScheduleIdentities(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.Float64Range(0, 1).Draw(r, "t")
		for name, s := range paths {
			c := s.At(at)
			sum := c.Alpha + c.Sigma
			if name == "cosine" || strings.HasPrefix(name, "vp") {
				sum = c.Alpha*c.Alpha + c.Sigma*c.Sigma
			}
			if !numtest.Near(sum, 1, 1e-15) || c.Alpha < 0 || c.Sigma < 0 || c.DAlpha < 0 || c.DSigma > 0 {
				r.Errorf("%s at %v: %+v", name, at, c)
			}
		}
		if a, b := (LinearPower{N: 1}).At(at), (Linear{}).At(at); a != b {
			r.Errorf("linear-power(1) at %v is %+v, linear %+v", at, a, b)
		}
	})
}

// TestLogSNR: on the path that adds noise at the rate β, d log-SNR/ds = −β/σ² (Kingma et al. 2021,
// "Variational Diffusion Models", where it is the weight of the loss). Differences over 2e-5 miss
// by 1e-10/6 of the third derivative, below 4000 here.
func TestLogSNR(t *testing.T) {
	vp := VariancePreserving{BetaMin: 0.1, BetaMax: 20}
	const h = 1e-5
	for _, at := range []float64{0.1, 0.4, 0.7, 0.9} {
		c, s := vp.At(at), 1-(1-vpEnd)*at
		got := (vp.At(at+h).LogSNR() - vp.At(at-h).LogSNR()) / (2 * h)
		want := (1 - vpEnd) * (0.1 + 19.9*s) / (c.Sigma * c.Sigma)
		if !numtest.Near(got, want, 1e-6) {
			t.Errorf("t = %v: the log-SNR rises by %v, want %v", at, got, want)
		}
	}
	if got := (Linear{}).At(0.75).LogSNR(); !numtest.Near(got, math.Log(9), 1e-15) {
		t.Errorf("log-SNR %v of α/σ = 3", got)
	}
}

// A scheduleFunc is a function used as a path.
type scheduleFunc func(t float64) Coefficients

func (f scheduleFunc) At(t float64) Coefficients { return f(t) }
func (scheduleFunc) String() string              { return "broken" }

// TestCheckFindsMistakes breaks the linear path in one thing each.
func TestCheckFindsMistakes(t *testing.T) {
	for want, change := range map[string]func(c *Coefficients, t float64){
		"starts at α = 0.1":     func(c *Coefficients, _ float64) { c.Alpha = 0.1 + 0.9*c.Alpha },
		"starts at α = 0, σ":    func(c *Coefficients, _ float64) { c.Sigma *= 0.9 },
		"ends at α = 0.8":       func(c *Coefficients, _ float64) { c.Alpha *= 0.8 },
		"α = 1, σ = 0.2":        func(c *Coefficients, _ float64) { c.Sigma = 0.2 + 0.8*c.Sigma },
		"α' = 1.001":            func(c *Coefficients, _ float64) { c.DAlpha = 1.001 },
		"σ' = 1":                func(c *Coefficients, _ float64) { c.DSigma = 1 },
		"σ' = NaN":              func(c *Coefficients, _ float64) { c.DSigma = math.NaN() },
		"a derivative is not f": func(c *Coefficients, t float64) { c.DSigma = -1 / min(1, 1e9*(1-t)) },
		"log-SNR goes from": func(c *Coefficients, t float64) { // back and forth
			at, rate := t+0.3*math.Sin(2*math.Pi*t), 1+0.6*math.Pi*math.Cos(2*math.Pi*t)
			*c = Coefficients{Alpha: at, Sigma: 1 - at, DAlpha: rate, DSigma: -rate}
		},
	} {
		err := CheckSchedule(scheduleFunc(func(t float64) Coefficients {
			c := Linear{}.At(t)
			change(&c, t)
			return c
		}), 1e-9)
		if err == nil || !strings.Contains(err.Error(), "path broken: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q was found as %v", want, err)
		}
	}
}

func TestParseSchedule(t *testing.T) {
	for name, want := range paths {
		if got, err := ParseSchedule(name); err != nil || got != want || fmt.Sprint(got) != name {
			t.Errorf("%q is read as %v, %v", name, got, err)
		}
	}
	for text, want := range map[string]string{
		" vp ": "vp(0.1,20)", "linear-power( 1.5 )": "linear-power(1.5)", "vp(0.2, 25)": "vp(0.2,25)",
		"linear-power(10)": "linear-power(10)",
	} {
		if got, err := ParseSchedule(text); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for text, cure := range map[string]string{
		"": "unknown path", "sine": "known are linear", "linear(2)": "known are", "cosine()": `"" is no number`,
		"linear-power": "want a power from 1 to 10", "linear-power(0.5)": "want a power",
		"linear-power(1,2)": "want a power",
		"linear-power(NaN)": "is no number", "linear-power(2": "want a )", "vp(0.1)": "want two rates",
		"vp(20,0.1)": "want rates",
		"vp(-1,20)":  "want rates", "vp(0.1,5)": "want rates", "vp(1,1e400)": "is no number",
	} {
		if got, err := ParseSchedule(text); err == nil || !strings.Contains(err.Error(), cure) {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
}
