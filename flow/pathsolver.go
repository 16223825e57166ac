package flow

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// A NoiseFunc fills z with the standard normal numbers of a step of a state. index is the place of
// the state in the batch. z should depend on index and step alone, see [Seed]. Then the trajectory
// of a state does not depend on what else is in the batch.
type NoiseFunc func(z []float32, index, step int)

// A PathSolver is an [ode.Solver] that knows the path on which its field was learned. There noise
// and data of a state follow from its velocity ([Coefficients.Parts]). A step may mix both anew,
// and add fresh noise.
type PathSolver interface {
	ode.Solver
	// WithNoise returns the solver with a source of fresh noise. Solvers that add noise panic
	// without one.
	WithNoise(noise NoiseFunc) PathSolver
}

// A mixer says how a PathSolver steps. From coefficients c to next, where h is the difference of
// their times, a step is
//
//	x ← X·x + V·v + Fresh·z
//
// with the velocity v and new noise z.
type mixer func(c, next Coefficients, h float64) mix

type mix struct{ X, V, Fresh float64 }

// recompose returns the step to alpha·data + kept·noise, both of which follow from the velocity.
func recompose(c Coefficients, alpha, kept float64) mix {
	p := c.Parts(PredictVelocity)
	return mix{
		X: float64(alpha*p.Data.X) + float64(kept*p.Noise.X),
		V: float64(alpha*p.Data.P) + float64(kept*p.Noise.P),
	}
}

// A pathMethod is the method of a PathSolver.
type pathMethod struct {
	name      string
	path      Schedule
	random    bool // steps need fresh noise
	generates bool // steps go from noise to data alone
	mix       mixer
	finish    mixer // of the last step; nil when it is like the others
	noise     NoiseFunc
}

// mixingSolver takes fixed steps of time.
type mixingSolver struct {
	method   pathMethod
	settings string // see [ode.Method]
	inner    *ode.FixedSteps
}

func newMixingSolver(m pathMethod, settings string, steps int) *mixingSolver {
	s := &mixingSolver{method: m, settings: settings}
	s.inner = ode.NewFixedSteps(s.steps(), steps)
	return s
}

// steps returns the method for a solver of fixed steps.
func (s *mixingSolver) steps() ode.Method {
	return ode.Method{Name: s.method.name, Settings: s.settings, Stages: 1, Step: s.method.step}
}

// DDIM returns the solver that goes from x_t to x_s = α_s·data + σ_s·noise, with the noise and the
// data that follow from the velocity at t (Song, Meng and Ermon 2021, "Denoising Diffusion Implicit
// Models", equation 12 without fresh noise). It is Euler's method for d(x/α) = noise·d(σ/α), so its
// order is 1, and it is exact while noise and data stay. On [Linear] it is [ode.Euler]. From t = 1
// to 0 it finds the noise that leads to given data.
//
// DDIM, DDPM and SDE take steps equal steps of time, unless [Shifted] spaces them. They panic when
// steps is below 1.
func DDIM(path Schedule, steps int) PathSolver {
	return newMixingSolver(pathMethod{name: "ddim", path: path, mix: implicit}, "", steps)
}

// implicit is the step of [DDIM].
func implicit(c, next Coefficients, _ float64) mix { return recompose(c, next.Alpha, next.Sigma) }

// DDPM returns the ancestral sampler. It draws x_s from q(x_s | x_t, x1), where x1 is the data that
// follows from the velocity at t, and q is the Markov chain from data to noise with the α and σ of
// the path (Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models", equations 6 and
// 7):
//
//	x_s = α_s·data + √(σ_s²−σ̃²)·noise + σ̃·z,   σ̃² = σ_s²·(1 − (α_t/α_s)²·σ_s²/σ_t²).
//
// It goes from earlier to later times only.
func DDPM(path Schedule, steps int) PathSolver {
	m := pathMethod{name: "ddpm", path: path, random: true, generates: true, mix: ancestral}
	return newMixingSolver(m, "", steps)
}

// ancestral is the step of [DDPM].
func ancestral(c, next Coefficients, _ float64) mix {
	variance := posteriorVariance(c, next)
	m := recompose(c, next.Alpha, math.Sqrt(max(0, float64(next.Sigma*next.Sigma)-variance)))
	m.Fresh = math.Sqrt(variance)
	return m
}

// posteriorVariance returns σ̃².
func posteriorVariance(c, next Coefficients) float64 {
	if next.Sigma == 0 || c.Sigma == 0 {
		return 0
	}
	// The root of the signal-to-noise ratio before the step, divided by that behind it.
	kept := c.Alpha / next.Alpha * (next.Sigma / c.Sigma)
	return float64(next.Sigma*next.Sigma) * max(0, 1-float64(kept*kept))
}

// SDE returns the Euler-Maruyama method for the stochastic equation
//
//	dx = (v + ½·g²·score)·dt + g·dw,   score = −noise/σ,   ½·g² = level·σ·|σ'|,
//
// whose states have the same distribution at every time as those of dx = v·dt, for any level ≥ 0:
// the score removes the spread that the noise adds (Song et al. 2021, section 4.3 and appendix D.1;
// Ma et al. 2024, "SiT", equation 6). A step adds noise of level times the variance that the path
// loses in the step. The last step is that of [DDIM], since its noise would stay in the result. SDE
// panics when level is negative or not finite.
func SDE(path Schedule, steps int, level float64) PathSolver {
	if !(level >= 0) || !states.Finite(level) {
		panic(fmt.Sprintf("flow: sde: noise level %v", level))
	}
	m := pathMethod{name: "sde", path: path, random: level > 0, mix: eulerMaruyama(level), finish: implicit}
	return newMixingSolver(m, "noise level "+shortest(level), steps)
}

// eulerMaruyama returns the step of [SDE].
func eulerMaruyama(level float64) mixer {
	return func(c, _ Coefficients, h float64) mix {
		noise := c.Parts(PredictVelocity).Noise
		drift := -float64(level*math.Abs(h)) * math.Abs(c.DSigma) // of the noise
		return mix{
			X:     1 + float64(drift*noise.X),
			V:     h + float64(drift*noise.P),
			Fresh: math.Sqrt(2 * level * math.Abs(h) * c.Sigma * math.Abs(c.DSigma)),
		}
	}
}

var pathSolverNames = []string{"ddim", "ddpm", "sde"}

// PathSolverNames returns the names that NewPathSolver knows.
func PathSolverNames() []string { return slices.Clone(pathSolverNames) }

// NewPathSolver returns the solver of that name, one of [PathSolverNames], for a field on a path.
// Only sde has a noise level, from 0 to 100.
func NewPathSolver(name string, path Schedule, steps int, level float64) (PathSolver, error) {
	if steps < 1 {
		return nil, fmt.Errorf("flow: %s: %d steps: want at least 1, for example 20", name, steps)
	}
	switch name {
	case "ddim":
		return DDIM(path, steps), nil
	case "ddpm":
		return DDPM(path, steps), nil
	case "sde":
		if !(level >= 0 && level <= 100) {
			return nil, fmt.Errorf("flow: sde: noise level %v: want one from 0 to 100, for example 1", level)
		}
		return SDE(path, steps, level), nil
	}
	return nil, &ParseError{
		Package: "flow", Kind: "solver", Text: name,
		Known: PathSolverNames(), Reason: "known are " + strings.Join(pathSolverNames, ", "),
	}
}

// Observed implements [ode.Solver].
func (s *mixingSolver) Observed(o ode.Observer) ode.Solver {
	watched := *s
	watched.inner = s.inner.Observed(o).(*ode.FixedSteps)
	return &watched
}

// WithNoise implements [PathSolver].
func (s *mixingSolver) WithNoise(noise NoiseFunc) PathSolver {
	fed := *s
	fed.method.noise = noise
	fed.inner = s.inner.With(fed.steps())
	return &fed
}

// String implements [ode.Solver].
func (s *mixingSolver) String() string { return s.inner.String() }

// Solve implements [ode.Solver].
func (s *mixingSolver) Solve(ctx context.Context, f ode.Field, x []float32, n int, t0, t1 float64) (ode.Stats, error) {
	if err := s.method.checkSpan(t0, t1); err != nil {
		return ode.Stats{States: n}, err
	}
	return s.inner.Solve(ctx, f, x, n, t0, t1)
}

// checkSpan verifies the times of a call of Solve. Times that are not finite are left to the solver
// of fixed steps.
func (m *pathMethod) checkSpan(t0, t1 float64) error {
	if !states.Finite(t0) || !states.Finite(t1) {
		return nil
	}
	if min(t0, t1) < 0 || max(t0, t1) > 1 {
		return fmt.Errorf("flow: %s: cannot solve from t = %v to %v: the path goes from 0 to 1", m.name, t0, t1)
	}
	if m.generates && t0 > t1 {
		return fmt.Errorf("flow: %s: cannot solve from t = %v to %v: it goes from noise to data alone: take ddim",
			m.name, t0, t1)
	}
	return nil
}

// step takes a step. Its times are those that the field sees, float32.
func (m *pathMethod) step(ctx context.Context, b *ode.Batch, s ode.Step) error {
	if m.random && m.noise == nil {
		panic(fmt.Sprintf("flow: %s needs random numbers: give them by WithNoise", m.name))
	}
	from, to := float64(float32(s.From)), float64(float32(s.To))
	if err := b.Evaluate(ctx, 0, b.X, from); err != nil {
		return err
	}
	step := m.mix
	if s.Last && m.finish != nil {
		step = m.finish
	}
	m.apply(step(m.path.At(from), m.path.At(to), to-from), b, s.Index)
	return nil
}

// apply moves the states by a mix, with the velocities in the first stage.
func (m *pathMethod) apply(w mix, b *ode.Batch, step int) {
	x, v, z := b.X, b.Velocity(0), b.Scratch()
	if w.Fresh == 0 {
		blend(x, x, v, w.X, w.V)
		return
	}
	d := len(x) / b.States()
	for i := range b.States() {
		m.noise(z[i*d:(i+1)*d], i, step)
	}
	for j := range x {
		x[j] = float32(float64(w.X*float64(x[j])) + float64(w.V*float64(v[j])) + float64(w.Fresh*float64(z[j])))
	}
}

// StepsFor returns the number of steps in which a solver evaluates the field the given number of
// times. A solver that chooses its steps is an [*EvaluationsError], and so are evaluations that do
// not make whole steps.
func StepsFor(name string, evaluations int) (int, error) {
	each, err := EvaluationsFor(name, 1)
	if err != nil {
		return 0, err
	}
	if evaluations < each || evaluations%each != 0 {
		return 0, &EvaluationsError{Solver: name, Evaluations: evaluations, Each: each}
	}
	return evaluations / each, nil
}

// EvaluationsFor returns how often a solver evaluates the field in the given number of steps. It
// fails for a solver that chooses its steps.
func EvaluationsFor(name string, steps int) (int, error) {
	if slices.Contains(pathSolverNames, name) {
		return steps, nil
	}
	each, ok := ode.EvaluationsPerStep(name)
	if !ok {
		return 0, &EvaluationsError{Solver: name}
	}
	return steps * each, nil
}

// An EvaluationsError is a number of evaluations that a solver does not take.
type EvaluationsError struct {
	Solver            string
	Evaluations, Each int // of the whole, and of a step; 0: the solver chooses them itself
}

// Error returns one line.
func (e *EvaluationsError) Error() string { return "flow: " + e.Reason() }

// Reason returns the line without the package.
func (e *EvaluationsError) Reason() string {
	if e.Each == 0 {
		return e.Solver + " chooses its evaluations itself: name a solver of fixed steps"
	}
	return fmt.Sprintf("%d evaluations are no whole number of steps of %s, which take %d each",
		e.Evaluations, e.Solver, e.Each)
}
