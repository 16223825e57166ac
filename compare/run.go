package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// Options are the settings of a comparison. The zero value of each is its default.
type Options struct {
	// Data is a name of [Names], or a .csv file of two columns, see [Open]; needed.
	Data string
	ISA  kernels.ISA
	// Seed is that of the data, the networks and all draws. The command takes 1 unless it is told
	// another.
	Seed uint64
	// Budget is a factor on each method's steps; 0: 1.
	Budget float64
	// Samples is the number of points that are drawn, and of the held-out points that are measured
	// at most; 0: 4000.
	Samples int
	// Resolution is the number of cells on a side of the densities in the picture; 0: 110.
	Resolution int
	// Threads is the number of workers, which change no result but the seconds; 0: GOMAXPROCS.
	Threads int

	// Report is told of progress, by one goroutine at a time; may be nil.
	Report func(Report)
}

// WithDefaults fills in everything but the data.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Budget, 1)
	option.SetDefault(&o.Samples, heldPoints)
	option.SetDefault(&o.Resolution, 110)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	return o
}

// A Report says how far a comparison is.
type Report struct {
	Method      string
	Step, Steps int  // of all methods together
	Row         *Row // what became of the method; nil while it is trained
}

// The bounds of Budget: less than the least trains nothing, more than the most takes hours.
const (
	minBudget = 1e-4
	maxBudget = 100
)

// Validate reports the first option that cannot be used, as an [*option.Error]. It does not look
// for the data.
func (o *Options) Validate() error {
	if o.Data == "" {
		return checkName("")
	}
	if err := option.Optional("budget", o.Budget, minBudget, maxBudget); err != nil {
		return err
	}
	if err := option.Optional("samples", o.Samples, 2, 1<<20); err != nil {
		return err
	}
	if err := option.Optional("resolution", o.Resolution, 1, 1<<10); err != nil {
		return err
	}
	if o.Threads < 0 {
		return option.Errorf("threads", o.Threads, "at least 1")
	}
	return nil
}

// A Comparison is what became of the ways to learn a distribution of points.
type Comparison struct {
	Data  string `json:"data"`
	Seed  uint64 `json:"seed"`
	ISA   string `json:"isa"`
	Truth *Truth `json:"truth"`
	Rows  []*Row `json:"methods"`

	points *Data
}

// WritePNG draws densities, samples and trajectories beside the costs.
func (c *Comparison) WritePNG(w io.Writer) error { return writePNG(w, c.points, c.Truth, c.Rows) }

// Run trains all [Methods] on the same points, each for about the same time, and measures what they
// learned. A method is one goroutine's, so all numbers but the seconds are the same for any number
// of threads. A mistake in the options is an [*option.Error].
func Run(ctx context.Context, o Options) (*Comparison, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	points, err := Open(o.Data, o.Seed)
	if err != nil {
		return nil, err
	}
	r := &runner{opt: &o, methods: Methods(), data: points}
	return r.run(ctx)
}

// A runner is a comparison under way.
type runner struct {
	opt     *Options
	methods []Method
	data    *Data

	mu    sync.Mutex
	steps []int // done by each method
	total int   // steps of all
}

// run gives each method, and the truth, to a worker.
func (r *runner) run(ctx context.Context) (*Comparison, error) {
	n := len(r.methods)
	out := &Comparison{
		Data: r.data.Name, Seed: r.opt.Seed, ISA: r.opt.ISA.String(), points: r.data, Rows: make([]*Row, n),
	}
	r.steps = make([]int, n)
	for _, m := range r.methods {
		r.total += r.opt.stepsOf(m)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, n+1)
	r.spread(ctx, n+1, func(i int) {
		if errs[i] = r.part(ctx, out, i); errs[i] != nil {
			stop() // the others: a comparison lacks nothing
		}
	})
	for _, failed := range errs {
		if failed != nil && !errors.Is(failed, context.Canceled) {
			return nil, failed
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// spread calls do for 0 to n-1 over the threads, and waits. It starts none when ctx has ended.
func (r *runner) spread(ctx context.Context, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(r.opt.Threads, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
}

// part trains and measures method i, or measures the truth behind the last method. A panic becomes
// an error, so that the other methods end well.
func (r *runner) part(ctx context.Context, out *Comparison, i int) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v", v)
		}
	}()
	if i == len(r.methods) {
		out.Truth = measureTruth(r.data, r.opt)
		return nil
	}
	m := r.methods[i]
	row, err := learn(ctx, m, r.data, r.opt, func(step, steps int) { r.progress(i, step, steps) })
	if err != nil {
		return err
	}
	out.Rows[i] = row
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(Report{Method: m.Name, Row: row})
	return nil
}

// toldEvery is how many parts of a method's training are told of.
const toldEvery = 100

// progress tells of a method's training.
func (r *runner) progress(i, step, steps int) {
	if step != steps && step%max(steps/toldEvery, 1) != 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps[i] = step
	sum := 0
	for _, s := range r.steps {
		sum += s
	}
	r.tell(Report{Method: r.methods[i].Name, Step: sum, Steps: r.total})
}

// tell passes a report on; the caller holds mu.
func (r *runner) tell(report Report) {
	if r.opt.Report != nil {
		r.opt.Report(report)
	}
}
