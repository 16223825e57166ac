package flow

import (
	"math"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// An Objective is what a network predicts at a state x_t = σ·x0 + α·x1.
type Objective int

// The objectives. On a path each of the three gives the other two, see [Coefficients.Parts].
const (
	PredictVelocity Objective = iota // u_t = σ'·x0 + α'·x1
	PredictNoise                     // x0, called ε by Ho et al. 2020
	PredictData                      // x1
)

var objectiveNames = []string{"velocity", "noise", "data"}

// ObjectiveNames returns the names that ParseObjective reads.
func ObjectiveNames() []string { return append([]string(nil), objectiveNames...) }

// String returns the name.
func (o Objective) String() string { return objectiveNames[o] }

// ParseObjective reads a name of [ObjectiveNames].
func ParseObjective(s string) (Objective, error) {
	for i, name := range objectiveNames {
		if s == name {
			return Objective(i), nil
		}
	}
	return 0, &ParseError{
		Package: "flow", Kind: "objective", Text: s,
		Known: ObjectiveNames(), Reason: "known are velocity, noise and data",
	}
}

// Target sets u to the answer that a network with objective o should give at the state between x0
// and x1. All have the same length; u may be x0 or x1.
func Target(u, x0, x1 []float32, c Coefficients, o Objective) {
	switch o {
	case PredictNoise:
		blend(u, x0, x1, 1, 0)
	case PredictData:
		blend(u, x0, x1, 0, 1)
	default:
		TargetVelocity(u, x0, x1, c)
	}
}

// A Part gives the velocity, the noise or the data of a state. It is X·x + P·p for the state x and
// the prediction p.
type Part struct{ X, P float64 }

// Apply sets y = X·x + P·p. All have the same length; y may be x or p.
func (a Part) Apply(y, x, p []float32) { blend(y, x, p, a.X, a.P) }

// Parts are what follows from a prediction for a state.
type Parts struct{ Velocity, Noise, Data Part }

// of returns the part that an objective predicts.
func (p Parts) of(o Objective) Part {
	switch o {
	case PredictNoise:
		return p.Noise
	case PredictData:
		return p.Data
	}
	return p.Velocity
}

// least is the divisor below which a conversion is damped. Otherwise it would multiply an error of
// a prediction by more than 1/least.
const least = 0.005

// inverse returns 1/x. Below least it returns x/least², which is the same at least and falls to 0.
func inverse(x float64) float64 {
	if x >= least {
		return 1 / x
	}
	return x / (least * least)
}

// Parts returns how to find the velocity, the noise and the data of a state x from its prediction p
// by objective o. They solve
//
//	x = σ·noise + α·data,   velocity = σ'·noise + α'·data.
//
// Some ends are singular. The data from the noise is (x − σ·p)/α, which at α = 0 is 0/0. Near that
// end it multiplies errors of the prediction by 1/α. Likewise, the noise from the data is singular
// at σ = 0, and both from the velocity at σ·α' − σ'·α = 0. When such a divisor is below 0.005, its
// inverse is damped to 0. The rest of x is then attributed to the other part: without signal x is
// the noise, and without noise it is the data, whatever was predicted. The first equation always
// holds, and the second holds unless a velocity is damped.
func (c Coefficients) Parts(o Objective) Parts {
	var p Parts
	switch o {
	case PredictNoise:
		p = c.fromNoise()
	case PredictData:
		p = c.fromData()
	default:
		p = c.fromVelocity()
	}
	if o == PredictVelocity {
		p.Velocity = Part{P: 1}
		return p
	}
	p.Velocity = Part{
		X: float64(c.DSigma*p.Noise.X) + float64(c.DAlpha*p.Data.X),
		P: float64(c.DSigma*p.Noise.P) + float64(c.DAlpha*p.Data.P),
	}
	return p
}

func (c Coefficients) fromNoise() Parts {
	k := inverse(c.Alpha)
	data := Part{X: k, P: -float64(c.Sigma * k)}
	if c.Alpha >= least {
		return Parts{Noise: Part{P: 1}, Data: data}
	}
	return Parts{Noise: c.noiseBeside(data), Data: data}
}

func (c Coefficients) fromData() Parts {
	k := inverse(c.Sigma)
	noise := Part{X: k, P: -float64(c.Alpha * k)}
	if c.Sigma >= least {
		return Parts{Noise: noise, Data: Part{P: 1}}
	}
	return Parts{Noise: noise, Data: c.dataBeside(noise)}
}

// turn returns σ·α' − σ'·α, the determinant of x and velocity as functions of noise and data.
func (c Coefficients) turn() float64 {
	return float64(c.Sigma*c.DAlpha) - float64(c.DSigma*c.Alpha)
}

func (c Coefficients) fromVelocity() Parts {
	k := inverse(c.turn())
	noise := Part{X: float64(c.DAlpha * k), P: -float64(c.Alpha * k)}
	data := Part{X: -float64(c.DSigma * k), P: float64(c.Sigma * k)}
	switch {
	case c.turn() >= least:
		return Parts{Noise: noise, Data: data}
	case c.Sigma >= c.Alpha: // x is mostly noise, so the rest of x is the noise
		return Parts{Noise: c.noiseBeside(data), Data: data}
	}
	return Parts{Noise: noise, Data: c.dataBeside(noise)}
}

// noiseBeside returns the noise that remains of x when the data is known.
func (c Coefficients) noiseBeside(data Part) Part {
	return Part{X: (1 - float64(c.Alpha*data.X)) / c.Sigma, P: -float64(c.Alpha*data.P) / c.Sigma}
}

// dataBeside returns the data that remains of x when the noise is known.
func (c Coefficients) dataBeside(noise Part) Part {
	return Part{X: (1 - float64(c.Sigma*noise.X)) / c.Alpha, P: -float64(c.Sigma*noise.P) / c.Alpha}
}

// LossWeight returns the weight w(t) that turns the loss of predictions by objective o into the
// loss of another objective. w·|p − p*|² is the square of the error in the other part that follows
// from the prediction. Between noise and data w is the signal-to-noise ratio α²/σ² or its inverse
// (Salimans and Ho 2022, "Progressive Distillation", section 4). Towards the singular ends of
// [Coefficients.Parts] w rises up to about 1/0.005², and falls to 0 where the conversion is damped.
func (c Coefficients) LossWeight(o, other Objective) float64 {
	p := c.Parts(o).of(other).P
	return p * p
}

// velocityField is the velocity of a field of predictions.
type velocityField struct {
	predict   ode.Field
	path      Schedule
	o         Objective
	low, high float32 // of data
}

// VelocityOf returns the velocity field, for solvers, of a field that predicts by objective o on a
// path. As many goroutines may use it at once as may use predict. With [PredictVelocity] it is
// predict itself.
//
// Guidance is a sum w0·p0 + w1·p1 of predictions with w0 + w1 = 1. It may be applied to predictions
// or to velocities: the results are the same, because the conversion is affine.
func VelocityOf(predict ode.Field, path Schedule, o Objective) ode.Field {
	inf := float32(math.Inf(1))
	return VelocityWithin(predict, path, o, -inf, inf)
}

// VelocityWithin is [VelocityOf] for data whose numbers lie between low and high. It bounds the one
// conversion that multiplies errors early on the path, data from noise. Where there is more noise
// than signal, σ > α, the velocity is that towards the predicted data ([ConditionalVelocity]), with
// the data clipped to the bounds. The mean of data within bounds is within them, so this changes no
// prediction without error (Ho et al. 2020 sample so). It changes predictions that guidance drives
// beyond the bounds.
func VelocityWithin(predict ode.Field, path Schedule, o Objective, low, high float32) ode.Field {
	if o == PredictVelocity {
		return predict
	}
	return &velocityField{predict, path, o, low, high}
}

// Velocity implements [ode.Field].
func (f *velocityField) Velocity(v, x, t []float32, index []int) {
	f.predict.Velocity(v, x, t, index)
	f.convertAll(v, x, t)
}

// ToVelocity turns predictions for the states x at times t, in place, into the velocities that
// [VelocityWithin] finds.
func ToVelocity(v, x, t []float32, path Schedule, o Objective, low, high float32) {
	if o != PredictVelocity {
		f := velocityField{nil, path, o, low, high}
		f.convertAll(v, x, t)
	}
}

// convertAll turns the predictions in v for the states x into their velocities.
func (f *velocityField) convertAll(v, x, t []float32) {
	d := states.Size(len(x), len(t))
	for i, ti := range t {
		lo, hi := i*d, (i+1)*d
		f.convert(v[lo:hi], x[lo:hi], f.path.At(float64(ti)))
	}
}

// convert turns the prediction in v for a state x into its velocity.
func (f *velocityField) convert(v, x []float32, c Coefficients) {
	p := c.Parts(f.o)
	if f.o != PredictNoise || c.Sigma <= c.Alpha || math.IsInf(float64(f.high), 1) {
		p.Velocity.Apply(v, x, v)
		return
	}
	p.Data.Apply(v, x, v)
	for i, data := range v {
		v[i] = min(max(data, f.low), f.high)
	}
	ConditionalVelocity(v, x, v, c)
}

// DivergenceOf returns the velocity field with its divergence, of a field that predicts by
// objective o on a path. As in [VelocityOf] the velocity is v = X·x + P·p. With d numbers a state
// its divergence is d·X + P·∇·p. The same holds for estimates εᵀJε of divergences with directions ε
// of ±1, since εᵀε = d.
func DivergenceOf(predict ode.DivergenceField, path Schedule, o Objective) ode.DivergenceField {
	if o == PredictVelocity {
		return predict
	}
	return &convertedDivergence{predict, path, o}
}

type convertedDivergence struct {
	predict ode.DivergenceField
	path    Schedule
	o       Objective
}

// Divergence implements [ode.DivergenceField].
func (f *convertedDivergence) Divergence(v []float32, div []float64, x, t []float32, index []int) {
	f.predict.Divergence(v, div, x, t, index)
	if len(t) == 0 {
		return
	}
	d, m := len(x)/len(t), len(div)/len(t)
	for i, at := range t {
		p := f.path.At(float64(at)).Parts(f.o).Velocity
		lo, hi := i*d, (i+1)*d
		p.Apply(v[lo:hi], x[lo:hi], v[lo:hi])
		for j := range div[i*m : (i+1)*m] {
			at := &div[i*m+j]
			*at = float64(float64(d)*p.X) + float64(p.P**at)
		}
	}
}
