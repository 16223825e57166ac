package flow

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A NoiseFunc fills z with standard normal numbers for a step of the state with that index in the batch. What it draws
// should depend on these two alone, see [Seed]: then a state's way does not depend on what else is in the batch.
type NoiseFunc func(z []float32, index, step int)

// A PathSolver is a [Solver] that knows the path which its field was learned on. There a velocity tells the noise and the
// data that a state is made of ([Coefficients.Parts]), and a step may mix these anew, with fresh noise among them.
type PathSolver interface {
	Solver
	// WithNoise returns the solver that takes its random numbers from noise. Without them, solvers of fresh noise panic.
	WithNoise(noise NoiseFunc) PathSolver
}

// A mixer is how a PathSolver steps: from coefficients c to next, where h is the difference of their times,
//
//	x ← X·x + V·v + Fresh·z,
//
// with the velocity v and new noise z.
type mixer func(c, next Coefficients, h float64) mix

type mix struct{ X, V, Fresh float64 }

// recompose returns the step to alpha·data + kept·noise, by what the velocity says of both.
func recompose(c Coefficients, alpha, kept float64) mix {
	p := c.Parts(PredictVelocity)
	return mix{
		X: float64(alpha*p.Data.X) + float64(kept*p.Noise.X),
		V: float64(alpha*p.Data.P) + float64(kept*p.Noise.P),
	}
}

// pathSolver takes steps at equal times.
type pathSolver struct {
	name      string // in errors
	text      string // how String begins
	path      Schedule
	steps     int
	random    bool // steps need fresh noise
	generates bool // steps go from noise to data alone
	mix       mixer
	finish    mixer // the last step, nil for one like the others
	observe   Observer
	noise     NoiseFunc
	scratch   *freeList[buffers]
}

// DDIM returns the solver that goes from x_t to x_s = α_s·data + σ_s·noise with the noise and the data that the velocity at
// t tells (Song, Meng and Ermon 2021, "Denoising Diffusion Implicit Models", equation 12 with no fresh noise). It is of order 1
// and is Euler's method for d(x/α) = noise·d(σ/α), so it is exact where these two stay; on [Linear] it is [Euler]. From
// t = 1 to 0 it finds the noise that leads to given data.
//
// DDIM, DDPM and SDE take steps equal steps of time and panic when there are fewer than 1.
func DDIM(path Schedule, steps int) PathSolver {
	s := newPathSolver("ddim", path, steps)
	s.mix = implicit
	return s
}

// implicit is the step of [DDIM].
func implicit(c, next Coefficients, _ float64) mix { return recompose(c, next.Alpha, next.Sigma) }

// DDPM returns the ancestral sampler: x_s is drawn from q(x_s | x_t, x1) with the data for x1 that the velocity at t tells,
// where q is the Markov chain from data to noise with the path's α and σ (Ho, Jain and Abbeel 2020, "Denoising Diffusion
// Probabilistic Models", equations 6 and 7):
//
//	x_s = α_s·data + √(σ_s²−σ̃²)·noise + σ̃·z,   σ̃² = σ_s²·(1 − (α_t/α_s)²·σ_s²/σ_t²).
//
// It goes from earlier to later times alone.
func DDPM(path Schedule, steps int) PathSolver {
	s := newPathSolver("ddpm", path, steps)
	s.random, s.generates = true, true
	s.mix = func(c, next Coefficients, _ float64) mix {
		variance := posteriorVariance(c, next)
		m := recompose(c, next.Alpha, math.Sqrt(max(0, float64(next.Sigma*next.Sigma)-variance)))
		m.Fresh = math.Sqrt(variance)
		return m
	}
	return s
}

// posteriorVariance returns σ̃².
func posteriorVariance(c, next Coefficients) float64 {
	if next.Sigma == 0 || c.Sigma == 0 {
		return 0
	}
	kept := c.Alpha / next.Alpha * (next.Sigma / c.Sigma) // √ of the ratio of signal to noise before to that after
	return float64(next.Sigma*next.Sigma) * max(0, 1-float64(kept*kept))
}

// SDE returns the Euler-Maruyama method for the stochastic equation
//
//	dx = (v + ½·g²·score)·dt + g·dw,   score = −noise/σ,   ½·g² = level·σ·|σ'|,
//
// whose states have the same distribution at every time as those of dx = v·dt, for any level ≥ 0: what the noise adds,
// the score removes (Song et al. 2021, section 4.3 and appendix D.1; Ma et al. 2024, "SiT", equation 6). A step adds noise of
// level times the variance that the path loses in it. The last step is that of [DDIM], since noise that it adds would
// stay. SDE panics when level is negative or not finite.
func SDE(path Schedule, steps int, level float64) PathSolver {
	if !(level >= 0) || !finite(level) {
		panic(fmt.Sprintf("flow: sde: noise level %v", level))
	}
	s := newPathSolver("sde", path, steps)
	s.text = "sde, noise level " + shortest(level)
	s.random, s.finish = level > 0, implicit
	s.mix = func(c, _ Coefficients, h float64) mix {
		noise := c.Parts(PredictVelocity).Noise
		drift := -float64(level*math.Abs(h)) * math.Abs(c.DSigma) // of the noise
		return mix{
			X:     1 + float64(drift*noise.X),
			V:     h + float64(drift*noise.P),
			Fresh: math.Sqrt(2 * level * math.Abs(h) * c.Sigma * math.Abs(c.DSigma)),
		}
	}
	return s
}

func newPathSolver(name string, path Schedule, steps int) *pathSolver {
	if steps < 1 {
		panic(fmt.Sprintf("flow: %s: %d steps", name, steps))
	}
	return &pathSolver{name: name, text: name, path: path, steps: steps, scratch: new(freeList[buffers])}
}

var pathSolverNames = []string{"ddim", "ddpm", "sde"}

// PathSolverNames returns the names that NewPathSolver knows.
func PathSolverNames() []string { return slices.Clone(pathSolverNames) }

// NewPathSolver returns the solver of that name, one of [PathSolverNames], for a field on a path. Only sde has a noise
// level, from 0 to 100.
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
	return nil, fmt.Errorf("flow: unknown solver %q: known are %s", name, strings.Join(pathSolverNames, ", "))
}

// Observed implements [Solver].
func (s *pathSolver) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// WithNoise implements [PathSolver].
func (s *pathSolver) WithNoise(noise NoiseFunc) PathSolver {
	fed := *s
	fed.noise = noise
	return &fed
}

// String implements [Solver].
func (s *pathSolver) String() string { return s.text + ", " + countSteps(s.steps) }

// Solve implements [Solver].
func (s *pathSolver) Solve(ctx context.Context, f Field, x []float32, n int, t0, t1 float64) (Stats, error) {
	d := stateSize(len(x), n)
	if err := s.checkSpan(t0, t1); err != nil {
		return Stats{States: n}, err
	}
	if n == 0 || t0 == t1 {
		return Stats{States: n}, nil
	}
	if s.random && s.noise == nil {
		panic(fmt.Sprintf("flow: %s needs random numbers: give them by WithNoise", s.name))
	}
	b := s.scratch.get()
	defer s.scratch.put(b)
	b.reset(1, n, d)

	steps, err := s.run(ctx, f, b, x, t0, t1)
	if err == nil {
		err = checkFinite(x, d, s.name, s.steps)
	}
	return Stats{
		States:      n,
		Calls:       b.calls,
		Evaluations: Tally{b.calls * n, b.calls},
		Steps:       Tally{steps * n, steps},
	}, err
}

// checkSpan verifies the times of a call of Solve.
func (s *pathSolver) checkSpan(t0, t1 float64) error {
	if err := checkSpan(t0, t1); err != nil {
		return err
	}
	if min(t0, t1) < 0 || max(t0, t1) > 1 {
		return fmt.Errorf("flow: %s: cannot solve from t = %v to %v: the path goes from 0 to 1", s.name, t0, t1)
	}
	if s.generates && t0 > t1 {
		return fmt.Errorf("flow: %s: cannot solve from t = %v to %v: it goes from noise to data alone: take ddim", s.name, t0, t1)
	}
	return nil
}

// run takes the steps and returns how many it took.
func (s *pathSolver) run(ctx context.Context, f Field, b *buffers, x []float32, t0, t1 float64) (int, error) {
	s.observe.show(0, t0, x)
	for i := range s.steps {
		from, to := float32(timeOf(i, s.steps, t0, t1)), float32(timeOf(i+1, s.steps, t0, t1)) // as the field sees it
		b.setTime(float64(from))
		if err := b.evaluate(ctx, f, 0, x); err != nil {
			return i, err
		}
		s.step(b, x, i, float64(from), float64(to))
		s.observe.show(i+1, timeOf(i+1, s.steps, t0, t1), x)
	}
	return s.steps, nil
}

// step moves x from one time to another, with the velocity in the first stage.
func (s *pathSolver) step(b *buffers, x []float32, i int, from, to float64) {
	c, next := s.path.At(from), s.path.At(to)
	m := s.mix(c, next, to-from)
	if i == s.steps-1 && s.finish != nil {
		m = s.finish(c, next, to-from)
	}
	if m.Fresh == 0 {
		blend(x, x, b.k[0], m.X, m.V)
		return
	}
	d := len(x) / len(b.index)
	for _, j := range b.index {
		z := b.y[j*d : (j+1)*d]
		s.noise(z, j, i)
	}
	for j, v := range b.k[0] {
		x[j] = float32(float64(m.X*float64(x[j])) + float64(m.V*float64(v)) + float64(m.Fresh*float64(b.y[j])))
	}
}
