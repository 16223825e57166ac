package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/fmimg/fmimg/compare"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/toy"
)

// CompareOptions are the settings of [Compare].
type CompareOptions struct {
	Data    string  // a name of [ComparedNames], or a .csv file of two columns
	Seed    uint64  // of the data, the networks and all draws
	Budget  float64 // factor on the training of each method; 0: 1
	Samples int     // points that are drawn, and of the held-out ones that are measured; 0: 4000
	// Resolution is the number of cells on a side of the densities in the picture; 0: 110.
	Resolution int
	Threads    int    // 0: GOMAXPROCS; they change no result but the seconds
	ISA        string // instruction set, empty for the best

	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(Event)
}

// The bounds of Budget: less than the least trains nothing, more than the most takes hours.
const (
	minBudget = 1e-4
	maxBudget = 100
)

// A Comparison is what became of the ways to learn a distribution of points.
type Comparison struct {
	Data  string         `json:"data"`
	Seed  uint64         `json:"seed"`
	ISA   string         `json:"isa"`
	Truth *compare.Truth `json:"truth"`
	Rows  []*compare.Row `json:"methods"`

	points *compare.Data
}

// ComparedNames returns the names of distributions that Compare knows.
func ComparedNames() []string { return toy.Names() }

// Compare trains a normalizing flow, a continuous one, flow matching with independent pairs and with those of optimal
// transport, and diffusion on points of the plane, each for about the same time, and measures what they learned. A
// method is one worker's, so all numbers but the seconds are the same for any number of threads. A mistake in the options is an
// [*OptionError].
func Compare(ctx context.Context, o CompareOptions) (*Comparison, error) {
	setDefault(&o.Threads, runtime.GOMAXPROCS(0))
	setDefault(&o.Budget, 1)
	isa, err := o.validate()
	if err != nil {
		return nil, err
	}
	points, err := o.open()
	if err != nil {
		return nil, err
	}
	c := &comparer{opt: o, methods: compare.Methods(), data: points, isa: isa}
	return c.run(ctx)
}

// validate reports the first option that cannot be used.
func (o *CompareOptions) validate() (kernels.ISA, error) {
	if o.Data == "" {
		return 0, optionErrorf("data", "is needed: one of %s, or a .csv file of two columns", strings.Join(toy.Names(), ", "))
	}
	if err := between("budget", o.Budget, minBudget, maxBudget); err != nil {
		return 0, err
	}
	if err := optional("samples", o.Samples, 2, 1<<20); err != nil {
		return 0, err
	}
	if err := optional("resolution", o.Resolution, 1, 1<<10); err != nil {
		return 0, err
	}
	if o.Threads < 0 {
		return 0, optionErrorf("threads", "%d: at least 1", o.Threads)
	}
	return ParseISA(o.ISA)
}

// open draws or reads the data.
func (o *CompareOptions) open() (*compare.Data, error) {
	if slices.Contains(toy.Names(), o.Data) {
		d, err := toy.Find(o.Data)
		if err != nil {
			return nil, err
		}
		return compare.FromDistribution(d, o.Seed), nil
	}
	if !strings.HasSuffix(strings.ToLower(o.Data), ".csv") {
		return nil, optionErrorf("data", "%s: known are %s; a file's name ends in .csv", o.Data, strings.Join(toy.Names(), ", "))
	}
	file, err := openRegular(o.Data)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return compare.FromCSV(o.Data, file, o.Seed)
}

// A comparer is a comparison under way.
type comparer struct {
	opt     CompareOptions
	methods []compare.Method
	data    *compare.Data
	isa     kernels.ISA

	mu    sync.Mutex
	steps []int // done by each method
	total int   // steps of all
}

// run gives each method, and the truth, to a worker.
func (c *comparer) run(ctx context.Context) (*Comparison, error) {
	out := &Comparison{Data: c.data.Name, Seed: c.opt.Seed, ISA: c.isa.String(), points: c.data}
	n := len(c.methods)
	out.Rows, c.steps = make([]*compare.Row, n), make([]int, n)
	errs := make([]error, n)
	for _, m := range c.methods {
		o := compare.Options{Budget: c.opt.Budget}
		c.total += o.StepsOf(m)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	crew := newCrew(min(c.opt.Threads, n+1))
	defer crew.close()
	err := crew.each(ctx, crew.size(), n+1, func(_, i int) {
		if i == n {
			out.Truth = compare.Measure(c.data, c.options(i))
			return
		}
		if out.Rows[i], errs[i] = c.learn(ctx, i); errs[i] != nil {
			stop() // the others: a comparison without one is none
		}
	})
	for _, failed := range errs {
		if failed != nil && !errors.Is(failed, context.Canceled) {
			return nil, failed
		}
	}
	return out, err
}

// options returns those of a method's run.
func (c *comparer) options(i int) compare.Options {
	return compare.Options{
		ISA: c.isa, Seed: c.opt.Seed, Budget: c.opt.Budget, Samples: c.opt.Samples, Resolution: c.opt.Resolution,
		Progress: func(step, steps int) { c.progress(i, step, steps) },
	}
}

// learn runs one method.
func (c *comparer) learn(ctx context.Context, i int) (*compare.Row, error) {
	m := c.methods[i]
	row, err := compare.Run(ctx, m, c.data, c.options(i))
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tell(Event{Kind: Noted, Text: fmt.Sprintf("%s: %d steps in %.1f s, log-likelihood %.3f", m.Name, row.Steps, row.Seconds, row.LogLikelihood)})
	}
	return row, err
}

// toldEvery is how many parts of a method's training are told of.
const toldEvery = 100

// progress tells of a method's training.
func (c *comparer) progress(i, step, steps int) {
	if step != steps && step%max(steps/toldEvery, 1) != 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps[i] = step
	sum := 0
	for _, s := range c.steps {
		sum += s
	}
	c.tell(Event{Kind: Stepped, Step: sum, Total: c.total, Text: c.methods[i].Name})
}

// tell passes an event on; the caller holds mu.
func (c *comparer) tell(e Event) {
	if c.opt.OnEvent != nil {
		c.opt.OnEvent(e)
	}
}

// WritePNG draws densities, samples and trajectories beside the costs.
func (c *Comparison) WritePNG(w io.Writer) error {
	return compare.WritePNG(w, c.points, c.Truth, c.Rows)
}
