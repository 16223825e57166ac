package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A comparison runs both programs. start starts one; tests replace it.
type comparison struct {
	options
	start    func(ctx context.Context, argv ...string) (program, error)
	scripts  string // folder of the Python scripts
	progress io.Writer

	machine machine
	precise bool // fmimg has an option for the precision
	ways    []way
	slow    map[way]string // ways that a trial found too slow to measure, with the reason
	usual   round          // of PyTorch in float32 in such a trial

	Outcomes []*outcome
}

// A machine is what fmimg tells of itself and of the CPU.
type machine struct {
	Version string `json:"fmimg"`
	Go      string `json:"go"`
	System  string `json:"system"`
	CPU     string `json:"cpu"`
	Threads int    `json:"threads"` // of the CPU
	ISA     string `json:"isa"`     // the best instruction set
}

// An outcome is the comparison on one work and number of threads.
type outcome struct {
	Work        work          `json:"work"`
	Threads     int           `json:"threads"`
	Contestants []*contestant `json:"contestants"`
}

// String says what is compared on, in a line.
func (o *outcome) String() string { return fmt.Sprintf("%v, %s", o.Work, spellThreads(o.Threads)) }

// compare measures everything.
func (c *comparison) compare(ctx context.Context) error {
	p, err := c.start(ctx, c.fmimg, "version", "--json")
	if err != nil {
		return err
	}
	err = p.read(&c.machine)
	p.close()
	if err != nil {
		return err
	}
	if err := c.findWays(ctx); err != nil {
		return err
	}
	c.slow = map[way]string{}
	for _, on := range c.works {
		for _, threads := range c.threads {
			o := &outcome{Work: on, Threads: threads}
			c.Outcomes = append(c.Outcomes, o)
			err := c.measure(ctx, o)
			for _, one := range o.Contestants {
				one.leave(one.LeftOut)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measure measures all contestants on one work and number of threads.
func (c *comparison) measure(ctx context.Context, o *outcome) error {
	for _, w := range c.ways {
		one := &contestant{way: w}
		o.Contestants = append(o.Contestants, one)
		if w.Program == torchName {
			c.settle(o, one, c.prepare(ctx, o, one))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for i := range c.rounds {
		for _, one := range o.Contestants {
			if one.LeftOut != "" {
				continue
			}
			err := c.measureOnce(ctx, o, one)
			if err = errors.Join(err, ctx.Err()); err != nil && (i == 0 && one == o.Contestants[0] || ctx.Err() != nil) {
				return err // without fmimg there is nothing to compare
			}
			c.settle(o, one, err)
		}
		if i == 0 {
			c.dropSlow(o)
		}
	}
	if best(o, torchName, "", forward) == nil {
		return errors.New("no way to run PyTorch worked")
	}
	return c.checkNetworks(o)
}

// settle leaves a contestant out that failed.
func (c *comparison) settle(o *outcome, one *contestant, err error) {
	if err != nil {
		c.note("%v: %v is left out: %v", o, one.way, err)
		one.leave(err.Error())
	}
}

// leave ends the program of a contestant. A reason that is not empty leaves it out of what follows.
func (c *contestant) leave(why string) {
	c.LeftOut = why
	if c.program != nil {
		c.program.close()
		c.program = nil
	}
}

// prepare starts PyTorch, which compiles and takes its first steps, unless a trial finds it too
// slow.
func (c *comparison) prepare(ctx context.Context, o *outcome, one *contestant) error {
	if err := c.try(ctx, o, one.way); err != nil {
		return err
	}
	if one.Compiled {
		c.note("%v: compiling %v, which can take minutes", o, one.way)
	}
	p, err := c.start(ctx, c.torchArgs(one.way, o.Work, o.Threads, c.seconds)...)
	if err != nil {
		return err
	}
	one.program = p
	if err := p.read(&one.About); err != nil {
		return err
	}
	c.note("%v: %v is ready after %.0f s", o, one.way, one.About.Prepare)
	return nil
}

// trialImages is the batch of a trial.
const trialImages = 8

// try finds out, once for each way, whether bfloat16 is worth measuring on a CPU without
// instructions for it: there PyTorch converts each number and can be many times slower than in
// float32. A trial takes few images. A way that is too slow is an error that says how slow.
func (c *comparison) try(ctx context.Context, o *outcome, w way) error {
	first := o.usual()
	if w.Precision == f32 || first == nil || strings.Contains(first.About.Capability, "bfloat16") || c.keep == 0 {
		return nil
	}
	why, tried := c.slow[w]
	if !tried {
		var err error
		if why, err = c.trial(ctx, o, first.way, w); err != nil {
			return err
		}
		c.slow[w] = why
	}
	if why != "" {
		return errors.New(why)
	}
	return nil
}

// usual returns the first way to run PyTorch in float32 that is ready, and nil where there is none.
func (o *outcome) usual() *contestant {
	for _, one := range o.Contestants {
		if one.Program == torchName && one.Precision == f32 && one.program != nil {
			return one
		}
	}
	return nil
}

// trial compares a way with the usual one in small batches. It says how slow it is, or nothing.
func (c *comparison) trial(ctx context.Context, o *outcome, usual, w way) (why string, err error) {
	if c.usual.Rates == nil {
		if c.usual, err = c.trialOf(ctx, o, usual); err != nil {
			return "", err
		}
	}
	got, err := c.trialOf(ctx, o, w)
	if err != nil {
		return "", err
	}
	for _, f := range figures {
		if got.Rates[f] >= c.keep*c.usual.Rates[f] {
			return "", nil
		}
	}
	return fmt.Sprintf("this CPU has no instructions for bfloat16: %.3g images/s training and %.3g forward in batches "+
		"of %d of %dx%d, %.3g and %.3g in f32 (%v)",
		got.Rates[trainAdamW], got.Rates[forward], trialImages, o.Work.Side, o.Work.Side,
		c.usual.Rates[trainAdamW], c.usual.Rates[forward], usual), nil
}

// trialOf measures a way in a small batch.
func (c *comparison) trialOf(ctx context.Context, o *outcome, w way) (r round, err error) {
	c.note("%v: trying %v", o, w)
	small := o.Work
	small.Batch = min(small.Batch, trialImages)
	p, err := c.start(ctx, c.torchArgs(w, small, o.Threads, 0.1)...)
	if err != nil {
		return r, err
	}
	defer p.close()
	if err := p.read(&about{}); err != nil {
		return r, err
	}
	if err := p.ask(); err != nil {
		return r, err
	}
	if err := p.read(&r); err != nil {
		return r, err
	}
	err = r.check()
	return r, err
}

// measureOnce measures a contestant in a round.
func (c *comparison) measureOnce(ctx context.Context, o *outcome, one *contestant) (err error) {
	var r round
	if one.Program == fmimgName {
		r, one.About.Parameters, err = c.fmimgOnce(ctx, one.way, o.Work, o.Threads)
	} else if err = one.program.ask(); err == nil {
		err = one.program.read(&r)
	}
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return err
	}
	one.Rounds = append(one.Rounds, r)
	c.note("%v, round %d: %v: %.1f images/s training by Muon, %.1f by AdamW, %.1f forward",
		o, len(one.Rounds), one.way, r.Rates[trainMuon], r.Rates[trainAdamW], r.Rates[forward])
	return nil
}

// dropSlow leaves out the ways to run PyTorch whose every figure is far from the best: from the
// best in float32, or for bfloat16 from the best of any precision. They cannot win any more, and
// would take the most time.
func (c *comparison) dropSlow(o *outcome) {
	for _, one := range o.Contestants {
		if one.Program != torchName || one.LeftOut != "" {
			continue
		}
		precision := f32
		if one.Precision != f32 {
			precision = ""
		}
		near := false
		for _, f := range figures {
			near = near || one.median(f) >= c.keep*best(o, torchName, precision, f).median(f)
		}
		if !near {
			one.leave(fmt.Sprintf("no figure comes to %.0f%% of the best", 100*c.keep))
		}
	}
}

// best returns the contestant of a program with the highest median of a figure, in a precision or,
// with the empty one, in any. It returns nil where none was measured.
func best(o *outcome, program, precision string, f figure) *contestant {
	var top *contestant
	for _, one := range o.Contestants {
		if one.Program == program && (precision == "" || one.Precision == precision) && len(one.Rounds) > 0 &&
			(top == nil || one.median(f) > top.median(f)) {
			top = one
		}
	}
	return top
}

// checkNetworks returns an error where the networks have different numbers of parameters.
func (c *comparison) checkNetworks(o *outcome) error {
	ours := o.Contestants[0].About.Parameters
	for _, one := range o.Contestants {
		if n := one.About.Parameters; len(one.Rounds) > 0 && n != ours {
			return fmt.Errorf("the networks differ: %d parameters in fmimg, %d in PyTorch", ours, n)
		}
	}
	return nil
}

// output returns what a program writes.
func (c *comparison) output(ctx context.Context, argv ...string) (string, error) {
	p, err := c.start(ctx, argv...)
	if err != nil {
		return "", err
	}
	defer p.close()
	return p.text()
}

// note tells of the progress.
func (c *comparison) note(format string, args ...any) { fmt.Fprintf(c.progress, format+"\n", args...) }
