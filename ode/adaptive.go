package ode

import (
	"context"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// AdaptiveOptions are the settings of [Adaptive].
type AdaptiveOptions struct {
	RTol     float64 // tolerated error of a step, relative to the size of the state
	ATol     float64 // tolerated error of a step, absolute; above 0
	MaxSteps int     // most steps of a state, with rejected ones; 0 means 1000
	// Frames is the number of equal parts of [t0, t1]. An observer sees the batch at the end of
	// each. 0 means 20.
	Frames int
}

// valid reports whether the options mean something. NaN does not.
func (o AdaptiveOptions) valid() bool {
	return o.RTol >= 0 && o.ATol > 0 && states.Finite(o.RTol) && states.Finite(o.ATol) &&
		o.MaxSteps >= 0 && o.Frames >= 0
}

const (
	defaultMaxSteps = 1000
	defaultFrames   = 20
)

// adaptiveSolver chooses the size of each step of each state.
type adaptiveSolver struct {
	tab        *Tableau
	options    AdaptiveOptions
	errWeights []float64 // B − Embedded
	control    controller
	observe    Observer
	scratch    *states.FreeList[adaptiveRun]
}

// Adaptive returns the solver that keeps the estimated error of each step below ATol + RTol·|x|,
// root mean square over the state. Every state has its own time, step size and controller. So its
// solution is the same to the bit whatever else is in the batch. Finished states leave the batch.
//
// The method tab must have embedded weights, be first-same-as-last and be dense, as [Dopri5] is.
//
// An observer sees the batch at evenly spaced times, by dense output. This changes neither the
// steps nor the solution. It takes the memory of Frames copies of the batch.
//
// Adaptive panics when tab lacks one of these properties or fails its check, and when an option is
// negative or not finite.
func Adaptive(tab *Tableau, options AdaptiveOptions) Solver {
	if err := tab.Check(); err != nil {
		panic(err)
	}
	if tab.Embedded == nil || tab.Dense == nil || !tab.firstSameAsLast() {
		panic(fmt.Sprintf("ode: %s cannot choose its steps: it must be embedded, dense and first-same-as-last",
			tab.Name))
	}
	if !options.valid() {
		panic(fmt.Sprintf("ode: %s: options %+v", tab.Name, options))
	}
	if options.MaxSteps == 0 {
		options.MaxSteps = defaultMaxSteps
	}
	if options.Frames == 0 {
		options.Frames = defaultFrames
	}
	s := &adaptiveSolver{
		tab:     tab,
		options: options,
		control: newController(tab.EmbeddedOrder),
		scratch: new(states.FreeList[adaptiveRun]),
	}
	for i, b := range tab.B {
		s.errWeights = append(s.errWeights, b-tab.Embedded[i])
	}
	return s
}

// DormandPrince returns the [Adaptive] solver of the pair [Dopri5].
func DormandPrince(rtol, atol float64) Solver {
	return Adaptive(Dopri5, AdaptiveOptions{RTol: rtol, ATol: atol})
}

// Observed implements [Solver].
func (s *adaptiveSolver) Observed(o Observer) Solver {
	watched := *s
	watched.observe = o
	return &watched
}

// String implements [Solver].
func (s *adaptiveSolver) String() string {
	return fmt.Sprintf("%s, rtol %g, atol %g", s.tab.Name, s.options.RTol, s.options.ATol)
}

// Solve implements [Solver].
func (s *adaptiveSolver) Solve(
	ctx context.Context, f Field, x []float32, n int, t0, t1 float64,
) (Stats, error) {
	return s.integrate(ctx, problem{field: f, x: x, n: n, t0: t0, t1: t1})
}

// SolveLogDet implements [LogDetSolver]. The error of a step is the larger of two: that of the
// state, and that of its log-determinants divided by the number of dimensions.
func (s *adaptiveSolver) SolveLogDet(
	ctx context.Context, f DivergenceField, x []float32, logDet []float64, n int, t0, t1 float64,
) (Stats, error) {
	return s.integrate(ctx, problem{divergence: f, x: x, logDet: logDet, n: n, t0: t0, t1: t1})
}

// integrate solves p.
func (s *adaptiveSolver) integrate(ctx context.Context, p problem) (Stats, error) {
	d, idle, err := p.check()
	if err != nil || idle {
		return Stats{States: p.n}, err
	}
	r := s.scratch.Get()
	defer s.scratch.Put(r)
	r.begin(s, p, d)
	defer r.end()
	err = r.solve(ctx)
	for i := range r.live {
		r.count(&r.live[i])
	}
	r.stats.Calls = r.calls
	return r.stats, err
}

// A trial is a state under way: it stands at t and tries a step of size h.
type trial struct {
	t, h        float64
	last        bool    // the step ends at t1
	memory      float64 // of the controller
	wasRejected bool    // the step before this one was rejected
	frame       int     // the next frame that the state will pass

	evaluations, steps, rejected int
}

// An adaptiveRun is one call of Solve. The first len(live) states of the buffers are those under
// way, in the order of the caller's batch.
type adaptiveRun struct {
	buffers
	frames frames
	solver *adaptiveSolver
	field  Field
	out    []float32 // the caller's states, where solutions go
	x      []float32 // where the live states stand
	live   []trial
	d      int
	t0, t1 float64
	tol    tolerance
	stats  Stats
}

// begin prepares for a problem with states of d numbers. It reuses the buffers.
func (r *adaptiveRun) begin(s *adaptiveSolver, p problem, d int) {
	stages := len(s.tab.B)
	r.buffers.reset(stages, p.n, d)
	r.x, r.live = states.Sized(r.x, p.n*d), states.Sized(r.live, p.n)
	copy(r.x, p.x)
	for i := range r.live {
		r.live[i] = trial{t: p.t0, memory: memoryLeast, frame: 1}
	}
	r.solver, r.field, r.out, r.d, r.t0, r.t1 = s, p.field, p.x, d, p.t0, p.t1
	r.tol = tolerance{s.options.RTol, s.options.ATol}
	r.stats = Stats{States: p.n}
	r.frames.reset(s, p)
	r.dets.reset(p.divergence, p.logDet, stages, p.n)
}

// end drops all references to the caller's slices and functions.
func (r *adaptiveRun) end() {
	r.solver, r.field, r.out = nil, nil, nil
	r.frames.observe = nil
	r.dets.end()
}

// solve advances all states to t1.
func (r *adaptiveRun) solve(ctx context.Context) error {
	if err := r.firstSteps(ctx); err != nil {
		return err
	}
	for len(r.live) > 0 {
		if err := r.try(ctx); err != nil {
			return err
		}
		if err := r.judge(); err != nil {
			return err
		}
		r.frames.show()
	}
	return nil
}

// evaluateLive sets stage i of the live states to their velocities at x.
func (r *adaptiveRun) evaluateLive(ctx context.Context, i int, x []float32) error {
	if err := r.buffers.evaluate(ctx, r.field, i, x[:len(r.live)*r.d]); err != nil {
		return err
	}
	for i := range r.live {
		r.live[i].evaluations++
	}
	return nil
}

// firstSteps finds the first stage and the first step size of each state. See [firstStep].
func (r *adaptiveRun) firstSteps(ctx context.Context) error {
	first := firstStep{order: r.solver.tab.Order, span: math.Abs(r.t1 - r.t0)}
	sign := math.Copysign(1, r.t1-r.t0)
	for i := range r.live {
		r.t[i] = float32(r.t0)
	}
	if err := r.evaluateLive(ctx, 0, r.x); err != nil {
		return err
	}
	for i := range r.live {
		lo, hi := r.bounds(i)
		x, v := r.x[lo:hi], r.k[0][lo:hi]
		d0, d1 := r.tol.norm(x, x), r.tol.norm(v, x)
		if !states.Finite(d0) || !states.Finite(d1) {
			return r.notFinite(i)
		}
		h := first.probe(d0, d1)
		r.live[i].h = h
		r.k.combine(r.y[lo:hi], x, lo, sign*h, firstStageOnly)
		r.t[i] = float32(r.t0 + sign*h)
	}
	if err := r.evaluateLive(ctx, 1, r.y); err != nil {
		return err
	}
	for i := range r.live {
		lo, hi := r.bounds(i)
		h := r.live[i].h
		x, v, change := r.x[lo:hi], r.k[0][lo:hi], r.k[1][lo:hi]
		for j := range change {
			change[j] -= v[j]
		}
		size := first.size(h, r.tol.norm(v, x), r.tol.norm(change, x)/h)
		r.plan(&r.live[i], sign*size)
	}
	return nil
}

// firstStageOnly holds the weights of an Euler step.
var firstStageOnly = []float64{1}

// bounds returns where live state i begins and ends in the buffers.
func (r *adaptiveRun) bounds(i int) (lo, hi int) { return i * r.d, (i + 1) * r.d }

// plan makes h the size of the next step. A step that would end just before t1, or beyond it, ends
// at t1.
func (r *adaptiveRun) plan(s *trial, h float64) {
	left := r.t1 - s.t
	s.last = math.Abs(1.01*h) >= math.Abs(left)
	if s.last {
		h = left
	}
	s.h = h
}

// try evaluates the stages of one step of every live state. The last stage is the velocity at the
// end of the step. The states there are left in r.y.
func (r *adaptiveRun) try(ctx context.Context) error {
	tab := r.solver.tab
	for stage := 1; stage < len(tab.B); stage++ {
		for i := range r.live {
			s := &r.live[i]
			lo, hi := r.bounds(i)
			r.k.combine(r.y[lo:hi], r.x[lo:hi], lo, s.h, tab.A[stage])
			r.t[i] = float32(s.t + float64(tab.C[stage]*s.h))
		}
		if err := r.evaluateLive(ctx, stage, r.y); err != nil {
			return err
		}
	}
	return nil
}

// judge accepts or rejects the step of every live state, and closes the gaps that finished states
// leave. When several states fail, it returns the error of the first.
func (r *adaptiveRun) judge() error {
	var failure error
	kept := 0
	for i := range r.live {
		done, err := r.judgeOne(i)
		if failure == nil {
			failure = err
		}
		if !done {
			r.shift(kept, i)
			kept++
		}
	}
	r.live, r.t, r.index = r.live[:kept], r.t[:kept], r.index[:kept]
	return failure
}

// judgeOne accepts or rejects the step of live state i. When the state is done, its solution goes
// to the caller.
func (r *adaptiveRun) judgeOne(i int) (done bool, err error) {
	s := &r.live[i]
	lo, hi := r.bounds(i)
	scaled := r.k.errorNorm(r.y[lo:hi], r.x[lo:hi], lo, s.h, r.solver.errWeights, r.tol)
	// max is NaN when one of its arguments is, and the comparison is false for NaN.
	scaled = max(scaled, r.dets.errorNorm(i, r.index[i], r.d, s.h, r.solver.errWeights, r.tol))
	if scaled <= 1 {
		r.accept(i, scaled)
	} else if err := r.reject(i, scaled); err != nil {
		return false, err
	}
	if s.t == r.t1 {
		copy(r.out[r.index[i]*r.d:], r.x[lo:hi])
		r.count(s)
		return true, nil
	}
	if s.steps+s.rejected >= r.solver.options.MaxSteps {
		return false, r.tooMany(i)
	}
	return false, nil
}

// accept moves live state i to the end of its step. The last stage of the step is the first of the
// next.
func (r *adaptiveRun) accept(i int, err float64) {
	s, control := &r.live[i], r.solver.control
	lo, hi := r.bounds(i)
	end := s.t + s.h
	if s.last {
		end = r.t1
	}
	r.record(i, end)
	copy(r.x[lo:hi], r.y[lo:hi])
	copy(r.k[0][lo:hi], r.k[len(r.solver.tab.B)-1][lo:hi])
	r.dets.advance(i, r.index[i], s.h, r.solver.tab.B)
	r.dets.carry(i, len(r.solver.tab.B))
	factor := control.accepted(err, s.memory, s.wasRejected)
	s.t, s.memory, s.wasRejected = end, max(err, memoryLeast), false
	s.steps++
	r.plan(s, s.h*factor)
}

// reject makes live state i try a smaller step.
func (r *adaptiveRun) reject(i int, err float64) error {
	s := &r.live[i]
	s.rejected++
	s.wasRejected = true
	h := s.h * r.solver.control.rejected(err)
	// Below this size the times of the stages no longer differ in float32.
	if least := 0x1p-24 * max(math.Abs(r.t0), math.Abs(r.t1)); math.Abs(h) < least {
		return r.tooSmall(i, err)
	}
	r.plan(s, h)
	return nil
}

// shift moves live state from to place to, which is not behind it.
func (r *adaptiveRun) shift(to, from int) {
	if to == from {
		return
	}
	lo, hi := r.bounds(from)
	copy(r.x[to*r.d:], r.x[lo:hi])
	copy(r.k[0][to*r.d:], r.k[0][lo:hi])
	r.dets.move(to, from)
	r.live[to], r.index[to] = r.live[from], r.index[from]
}

// count adds the work on a state to the statistics.
func (r *adaptiveRun) count(s *trial) {
	r.stats.Evaluations.add(s.evaluations)
	r.stats.Steps.add(s.steps)
	r.stats.Rejected.add(s.rejected)
}

func (r *adaptiveRun) notFinite(i int) error {
	return fmt.Errorf("ode: %s: state %d or its velocity is %w near t = %.6g: mend the field",
		r.solver.tab.Name, r.index[i], ErrNotFinite, r.live[i].t)
}

func (r *adaptiveRun) tooMany(i int) error {
	return fmt.Errorf("ode: %s: state %d took %w, %d, to t = %.6g: "+
		"raise the tolerance (rtol %g, atol %g) or AdaptiveOptions.MaxSteps",
		r.solver.tab.Name, r.index[i], ErrTooMany, r.solver.options.MaxSteps, r.live[i].t, r.tol.rel, r.tol.abs)
}

func (r *adaptiveRun) tooSmall(i int, err float64) error {
	if math.IsNaN(err) {
		return r.notFinite(i)
	}
	return fmt.Errorf("ode: %s: state %d: %w at t = %.6g: "+
		"raise the tolerance (rtol %g, atol %g), or mend a field that jumps there",
		r.solver.tab.Name, r.index[i], ErrTooSmall, r.live[i].t, r.tol.rel, r.tol.abs)
}
