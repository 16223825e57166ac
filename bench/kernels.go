package bench

import (
	"context"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/unet"
)

// KernelOptions says which kernels to measure. The zero value of each option is its default.
type KernelOptions struct {
	// Preset is the network whose shapes they have; empty: base.
	Preset string
	// Batch is the number of images of a call; 0: 4.
	Batch int
	// Run is a regular expression over names such as conv3x3/28x28/96-32/forward/winograd4; empty:
	// all.
	Run string
	// ISA names instruction sets, joined by commas; empty: all but generic and the unchosen, where
	// there are others.
	ISA string
	// Precision names precisions of the network, joined by commas; empty: the fastest on the
	// instruction set, as auto.
	Precision string
	// Threads is the number of threads to measure with, beside one; 0: GOMAXPROCS.
	Threads int
	// Time is the bound of the whole; 0: 1m.
	Time time.Duration
	// Algorithms measures every algorithm that can compute a convolution, not only the chosen one.
	Algorithms bool

	// OnLimit and OnResult are told of what was measured, from the goroutine of the caller; may be
	// nil.
	OnLimit  func(Limit)
	OnResult func(KernelResult)
}

// A KernelReport has the rates of a machine's kernels.
type KernelReport struct {
	Stamp
	Preset  string         `json:"preset"`
	Batch   int            `json:"batch"`
	Limits  []Limit        `json:"limits"`
	Results []KernelResult `json:"results"`
	Skipped int            `json:"skipped"` // cases for which the time was too short
	Seconds float64        `json:"seconds"`
}

// A KernelResult is one case on one instruction set.
type KernelResult struct {
	ISA         string  `json:"isa"`
	Threads     int     `json:"threads"`
	Precision   string  `json:"precision"` // of the network; empty in old reports: f32
	Kernel      string  `json:"kernel"`
	Shape       string  `json:"shape"` // rows x columns / channels in - out
	Pass        string  `json:"pass,omitempty"`
	Algorithm   string  `json:"algorithm,omitempty"` // of a convolution
	Chosen      bool    `json:"chosen"`              // the network uses it on this ISA
	Share       float64 `json:"share,omitempty"`     // share of this pass in all convolutions
	Rate        Rate    `json:"rate"`                // of all threads together
	Unit        string  `json:"unit"`                // GFLOP/s, or GB/s where memory is the limit
	Percent     float64 `json:"percent_of_peak,omitempty"`
	OverGeneric float64 `json:"over_generic,omitempty"` // times plain Go, on one thread
}

// Name returns the name that patterns match: kernel, shape, pass, algorithm and precision, as far
// as the result has them.
func (r *KernelResult) Name() string {
	return joinName(r.Kernel, r.Shape, r.Pass, r.Algorithm, unlessF32(r.Precision))
}

// base returns the name without the algorithm.
func (r *KernelResult) base() string {
	return joinName(r.Kernel, r.Shape, r.Pass, unlessF32(r.Precision))
}

const (
	defaultKernelTime  = time.Minute
	defaultKernelBatch = 4
	maxThreads         = 1 << 12
	maxBatch           = 1 << 10
	// baselineShare is the largest share of the time for plain Go.
	baselineShare = 0.2
	// limitCases is the time for a limit, in times of one case.
	limitCases = 4
)

// WithDefaults fills in what does not depend on the machine's instruction sets.
func (o KernelOptions) WithDefaults() KernelOptions {
	option.SetDefault(&o.Preset, "base")
	option.SetDefault(&o.Batch, defaultKernelBatch)
	option.SetDefault(&o.Threads, runtime.GOMAXPROCS(0))
	option.SetDefault(&o.Time, defaultKernelTime)
	return o
}

// A selection is what the options select.
type selection struct {
	cfg     unet.Config
	isas    []kernels.ISA
	on      []arithmetic // of all instruction sets, which have one or more
	threads []int
	run     *regexp.Regexp
	cases   int // number of cases of all instruction sets, on one number of threads
}

// Validate reports what is wrong with the options, as a [*pipeline.OptionError].
func (o KernelOptions) Validate() error {
	_, err := o.WithDefaults().resolve()
	return err
}

// resolve checks the options, which have their defaults, and returns what they select.
func (o KernelOptions) resolve() (s selection, err error) {
	if s.cfg, err = preset(o.Preset); err != nil {
		return s, err
	}
	if err := option.First(
		option.Between("batch", o.Batch, 1, maxBatch),
		option.Between("threads", o.Threads, 1, maxThreads),
		checkTime(o.Time),
	); err != nil {
		return s, err
	}
	if s.run, err = regexp.Compile(o.Run); err != nil {
		return s, option.Errorf("run", option.Quoted(o.Run), "it is no regular expression: %v", err)
	}
	if s.isas, err = parseISAs(o.ISA); err != nil {
		return s, err
	}
	if s.on, err = parsePrecisions(o.Precision, s.isas); err != nil {
		return s, err
	}
	s.threads = []int{1}
	if o.Threads > 1 {
		s.threads = append(s.threads, o.Threads)
	}
	for _, on := range s.on {
		s.cases += len(s.selected(on, &o))
	}
	if s.cases == 0 {
		return s, option.Errorf("run", option.Quoted(o.Run), "no kernel has such a name").
			Cured("%v shows all", option.Action{Command: "bench kernels", Settings: []option.Setting{{Option: "list"}}})
	}
	return s, nil
}

// preset returns the configuration of a preset.
func preset(name string) (unet.Config, error) {
	cfg, err := unet.Preset(name)
	if err != nil {
		return cfg, option.Of("preset", err)
	}
	return cfg, nil
}

func checkTime(t time.Duration) error {
	if t < time.Millisecond {
		return option.Errorf("time", t, "a duration such as 30s or 2m is needed")
	}
	return nil
}

// parseISAs reads a list of instruction sets, joined by commas. The empty list is all but plain Go
// and those that are unchosen; on a machine that has no others, it is plain Go.
func parseISAs(text string) ([]kernels.ISA, error) {
	all := kernels.Available()
	if text == "" { // those that their names alone choose are left out
		best := slices.Index(all, kernels.Best())
		return all[min(1, best) : best+1], nil
	}
	var list []kernels.ISA
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, option.Errorf("isa", option.Quoted(text), "a name is empty: choose some of %s", isaNames(all))
		}
		isa, err := pipeline.ParseISA(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, isa) {
			list = append(list, isa)
		}
	}
	slices.Sort(list) // plain Go first: the others are compared with it
	return list, nil
}

func isaNames(isas []kernels.ISA) string {
	var names []string
	for _, isa := range isas {
		names = append(names, isa.String())
	}
	return strings.Join(names, ", ")
}

// selected lists the cases of an arithmetic that the pattern matches.
func (s *selection) selected(on arithmetic, o *KernelOptions) []kernelCase {
	all := kernelCases(s.cfg, on, o.Batch, o.Algorithms)
	return slices.DeleteFunc(all, func(c kernelCase) bool { return !s.run.MatchString(c.name()) })
}

// KernelNames lists the names of the cases that the options select, for the best of their
// instruction sets.
func KernelNames(o KernelOptions) ([]string, error) {
	o = o.WithDefaults()
	s, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, on := range s.on {
		if on.isa != s.isas[len(s.isas)-1] {
			continue
		}
		for _, c := range s.selected(on, &o) {
			names = append(names, c.name())
		}
	}
	return names, nil
}

// Kernels measures kernels within the time that the options allow, and counts the cases that it had
// to skip. A mistake in the options is a [*pipeline.OptionError].
func Kernels(ctx context.Context, o KernelOptions) (*KernelReport, error) {
	o = o.WithDefaults()
	s, err := o.resolve()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	r := &kernelRun{
		opt: o, sel: s, report: &KernelReport{Stamp: newStamp(), Preset: o.Preset, Batch: o.Batch},
		deadline: begin.Add(o.Time), generic: map[string]float64{},
		left: len(s.threads) * (s.cases + len(s.isas)*limitCases),
	}
	r.measureAll(ctx)
	r.report.Seconds = time.Since(begin).Seconds()
	return r.report, ctx.Err()
}

// A kernelRun measures the cases one after the other.
type kernelRun struct {
	opt      KernelOptions
	sel      selection
	report   *KernelReport
	deadline time.Time
	left     int                // cases that share the remaining time
	generic  map[string]float64 // rates of plain Go on one thread, by base name
}

// measureAll measures the limits and cases of all instruction sets and numbers of threads.
func (r *kernelRun) measureAll(ctx context.Context) {
	r.measureGeneric(ctx)
	memory := beyondCaches(kernels.CPU())
	for _, isa := range r.sel.isas {
		for _, threads := range r.sel.threads {
			if ctx.Err() != nil {
				return
			}
			budget := r.slice() * limitCases
			limit := measureLimit(isa, threads, memory, budget)
			r.left -= limitCases
			r.report.Limits = append(r.report.Limits, limit)
			if r.opt.OnLimit != nil {
				r.opt.OnLimit(limit)
			}
			for _, on := range r.sel.on {
				if on.isa == isa {
					r.measureCases(ctx, on, limit)
				}
			}
		}
	}
}

// measureCases measures the cases of an arithmetic.
func (r *kernelRun) measureCases(ctx context.Context, on arithmetic, limit Limit) {
	for _, c := range r.sel.selected(on, &r.opt) {
		r.measureCase(ctx, &c, on, limit)
	}
}

// slice returns the part of the remaining time that one case may take.
func (r *kernelRun) slice() time.Duration {
	return max(time.Until(r.deadline), 0) / time.Duration(max(r.left, 1))
}

// measureGeneric measures plain Go briefly, with one image in a call, as the baseline of the
// others.
func (r *kernelRun) measureGeneric(ctx context.Context) {
	if slices.Contains(r.sel.isas, kernels.Generic) {
		return // it is measured before the others
	}
	one := r.opt
	one.Batch, one.Algorithms = 1, false
	var cases []kernelCase
	for _, p := range kernels.Precisions() {
		if slices.ContainsFunc(r.sel.on, func(on arithmetic) bool { return on.precision == p }) {
			cases = append(cases, r.sel.selected(arithmetic{kernels.Generic, p}, &one)...)
		}
	}
	deadline := time.Now().Add(time.Duration(baselineShare * float64(r.opt.Time)))
	for i, c := range cases {
		left := time.Until(deadline)
		if left <= 0 || ctx.Err() != nil {
			return
		}
		watch := stopwatch{budget: left / time.Duration(len(cases)-i), samples: 1}
		rate := parallelRate(ctx, 1, watch, c.work, func(int) func() { return c.prepare(arithmetic{kernels.Generic, c.precision}) })
		r.generic[c.base()] = rate.Median
	}
}

// measureCase measures a case unless the time is over.
func (r *kernelRun) measureCase(ctx context.Context, c *kernelCase, on arithmetic, limit Limit) {
	budget := r.slice()
	r.left--
	if ctx.Err() != nil || time.Now().After(r.deadline) {
		r.report.Skipped++
		return
	}
	watch := stopwatch{budget: budget, samples: leastSamples}
	rate := parallelRate(ctx, limit.Threads, watch, c.work, func(int) func() { return c.prepare(on) })
	if rate.Samples == 0 {
		r.report.Skipped++
		return
	}
	if on.isa == kernels.Generic && limit.Threads == 1 && c.chosen {
		r.generic[c.base()] = rate.Median
	}
	result := r.result(c, limit, rate)
	r.report.Results = append(r.report.Results, result)
	if r.opt.OnResult != nil {
		r.opt.OnResult(result)
	}
}

// result returns the result of a case, whose rate is per second.
func (r *kernelRun) result(c *kernelCase, limit Limit, rate Rate) KernelResult {
	result := KernelResult{
		ISA: limit.ISA, Threads: limit.Threads, Precision: c.precision.String(),
		Kernel: c.kernel, Shape: c.shape, Pass: c.pass, Algorithm: c.algorithm,
		Chosen: c.chosen || c.algorithm == "", Share: c.share, Unit: c.unit,
		Rate: Rate{rate.Median / 1e9, rate.Low / 1e9, rate.High / 1e9, rate.Samples},
	}
	if c.unit == gflops {
		result.Percent = 100 * result.Rate.Median / c.peak(limit)
	}
	if g := r.generic[c.base()]; g > 0 && limit.Threads == 1 {
		result.OverGeneric = rate.Median / g
	}
	return result
}

// A Summary is the rate of a network's convolutions and linear layers together in one pass. Each
// has its chosen algorithm, and is weighted by its share of the work.
type Summary struct {
	ISA       string  `json:"isa"`
	Threads   int     `json:"threads"`
	Precision string  `json:"precision"`
	Pass      string  `json:"pass"`
	GFLOPs    float64 `json:"gflops"`
	Percent   float64 `json:"percent_of_peak"`
}

// Summaries returns a summary for each pass of which at least 99 % of the work was measured.
func (k *KernelReport) Summaries() []Summary {
	var all []Summary
	for _, l := range k.Limits {
		for _, p := range kernels.Precisions() {
			for _, pass := range []string{forward, inputGrad, weightGrad} {
				s := Summary{ISA: l.ISA, Threads: l.Threads, Precision: p.String(), Pass: pass}
				if k.summarise(&s) {
					s.Percent = 100 * s.GFLOPs / l.peak(s.Precision)
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// summarise fills in the rate of a summary, and reports whether enough of the work was measured.
func (k *KernelReport) summarise(s *Summary) bool {
	share, seconds := 0.0, 0.0 // seconds: of 1 GFLOP
	for _, r := range k.Results {
		if r.ISA == s.ISA && r.Threads == s.Threads && inPrecision(r.Precision) == s.Precision &&
			r.Pass == s.Pass && r.Share > 0 && r.Chosen {
			share += r.Share
			seconds += r.Share / r.Rate.Median
		}
	}
	s.GFLOPs = share / seconds
	return share > 0.99
}
