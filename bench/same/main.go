// Command same checks that a change of the code left all results as they were. It builds fmimg at
// an earlier commit and from the working tree, has both do the same on each instruction set of the
// machine, and compares what they write, byte for byte. "make same BASE=COMMIT" runs it.
//
// Times, dates and versions are the only things that may differ. Of a PNG the pixels are compared,
// as its text names the version. The exit status is 1 when anything else differs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "same: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	base    string
	isas    []string // empty: all of the machine
	presets []string
	seeds   []int
	steps   int // of training; 0: as many as amountsFor says
	keep    bool
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("same", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.base, "base", "", "`commit` to compare the working tree with (needed)")
	isas := f.String("isa", "", "instruction `sets`, separated by commas (default all of this machine)")
	presets := f.String("presets", "tiny,base", "`networks`, separated by commas")
	seeds := f.String("seeds", "5,7", "`seeds`, separated by commas")
	f.IntVar(&o.steps, "steps", 0, "`steps` of training (default 40, 4 of base on generic)")
	f.BoolVar(&o.keep, "keep", false, "keep the folder of what both wrote, and say where it is")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.isas, o.presets = list(*isas), list(*presets)
	for _, text := range list(*seeds) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return o, fmt.Errorf("-seeds %s: whole numbers such as 5,7 are needed", *seeds)
		}
		o.seeds = append(o.seeds, n)
	}
	switch {
	case o.base == "":
		return o, errors.New("a commit to compare with is needed: make same BASE=COMMIT")
	case len(o.presets) == 0, len(o.seeds) == 0:
		return o, errors.New("-presets and -seeds need a value each")
	case o.steps < 0, f.NArg() > 0:
		return o, errors.New("-steps takes a number above 0, and nothing stands behind the flags: see -help")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "fmimg-same-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintf(stderr, "what both write goes into %s\n", scratch)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	}
	programs, err := build(ctx, o.base, scratch)
	if err != nil {
		return err
	}
	if len(o.isas) == 0 {
		if o.isas, err = instructionSets(ctx, programs[before]); err != nil {
			return err
		}
	}
	c := checker{
		run:    programs.run,
		folder: filepath.Join(scratch, "results"),
		out:    stdout,
		// Both programs run at once.
		threads: max(1, runtime.GOMAXPROCS(0)/2),
	}
	for _, s := range o.settings() {
		if err := c.check(ctx, s); err != nil {
			return err
		}
	}
	return c.summary()
}

// settings returns a setting for each instruction set, network and seed.
func (o options) settings() []setting {
	var all []setting
	for _, isa := range o.isas {
		for _, preset := range o.presets {
			for _, seed := range o.seeds {
				s := setting{isa: isa, preset: preset, seed: seed, amounts: amountsFor(isa, preset)}
				if o.steps > 0 {
					s.steps = o.steps
				}
				all = append(all, s)
			}
		}
	}
	return all
}
